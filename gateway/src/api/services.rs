//! The services behind the gateway and how they stand, for admins.

use std::collections::BTreeSet;

use contract::{Problem, Role, document::Policy, operation::Access, payload::Json};
use poem_openapi::{Enum, Object, OpenApi, Tags};
use serde::{Deserialize, Serialize};

use crate::{
    handshake::{Agreement, Break},
    policy::breaker::Position,
    standing::{ServiceStanding, Standings},
    upstream::InstanceHealth,
};

/// What the operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![Policy::new("list_services", Access::Role(Role::ADMIN), &[]).scope("services:read")]
}

#[derive(Tags)]
enum Tag {
    /// What is behind the gateway.
    Services,
}

/// How the contract that a service serves stands to the one it was bound by.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Enum)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
enum ContractAgreement {
    /// No instance tells its contract.
    Unknown,
    /// They are the same.
    Equal,
    /// More is served than was bound, or other words.
    Compatible,
    /// Operations are served otherwise than they were bound, and are shut off.
    Breaking,
}

/// What an instance's circuit breaker lets through.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Enum)]
#[oai(rename_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
enum Breaker {
    /// Every call.
    Closed,
    /// None.
    Open,
    /// One, to see whether the instance has recovered.
    HalfOpen,
    /// More and more.
    Ramping,
}

/// A difference of contracts that breaks operations.
#[derive(Debug, Serialize, Deserialize, Object)]
struct ContractDifference {
    /// Where it is in the service's document.
    pointer: String,
    /// What it is.
    told: String,
    /// The operations that are shut off, by method and path at the service.
    operations: BTreeSet<String>,
}

/// One instance of a service.
#[derive(Debug, Serialize, Deserialize, Object)]
struct ServiceInstance {
    /// The URL it was configured by.
    url: String,
    /// Where that leads.
    address: String,
    /// Whether it takes calls as any other.
    healthy: bool,
    /// What its circuit breaker lets through.
    breaker: Breaker,
    /// Left out for failing more than the others.
    ejected: bool,
    /// Passes its health probes, where there are any.
    passes_probes: bool,
    /// Calls that it is answering now, through this gateway.
    in_flight: u32,
}

/// A service behind the gateway.
#[derive(Debug, Serialize, Deserialize, Object)]
struct BoundService {
    /// Its name.
    name: String,
    /// How its contract stands.
    agreement: ContractAgreement,
    /// What breaks operations of it now.
    breaks: Vec<ContractDifference>,
    /// Its instances, as this gateway sees them.
    instances: Vec<ServiceInstance>,
}

/// The operation.
pub(crate) struct ServicesApi {
    pub(crate) standings: Standings,
}

#[expect(clippy::unused_async, reason = "operations are async")]
#[OpenApi]
impl ServicesApi {
    /// List services
    ///
    /// What is behind the gateway, and how each instance stands as the gateway that answers sees it.
    #[oai(path = "/api_v1/services", method = "get", operation_id = "list_services", tag = "Tag::Services")]
    async fn list_services(&self) -> Result<Json<Vec<BoundService>>, Problem> {
        Ok(Json(self.standings.all().into_iter().map(BoundService::from).collect()))
    }
}

impl From<ServiceStanding> for BoundService {
    fn from(standing: ServiceStanding) -> Self {
        Self {
            name: standing.service,
            agreement: match standing.agreement {
                Agreement::Unknown => ContractAgreement::Unknown,
                Agreement::Equal => ContractAgreement::Equal,
                Agreement::Compatible => ContractAgreement::Compatible,
                Agreement::Breaking => ContractAgreement::Breaking,
            },
            breaks: standing.breaks.into_iter().map(ContractDifference::from).collect(),
            instances: standing.instances.into_iter().map(ServiceInstance::from).collect(),
        }
    }
}

impl From<Break> for ContractDifference {
    fn from(one: Break) -> Self {
        Self { pointer: one.pointer, told: one.told, operations: one.operations }
    }
}

impl From<InstanceHealth> for ServiceInstance {
    fn from(instance: InstanceHealth) -> Self {
        Self {
            url: instance.url,
            address: instance.address.to_string(),
            healthy: instance.healthy,
            breaker: match instance.breaker {
                Position::Closed => Breaker::Closed,
                Position::Open => Breaker::Open,
                Position::HalfOpen => Breaker::HalfOpen,
                Position::Ramping => Breaker::Ramping,
            },
            ejected: instance.is_ejected,
            passes_probes: instance.passes_probes,
            in_flight: instance.in_flight,
        }
    }
}
