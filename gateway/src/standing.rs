//! How the services behind the gateway stand, for people and for monitoring: `/services` and `/metrics` of the operations
//! listener. A service that is down makes the gateway no less ready: taking it out as well would help nobody.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::StatusCode;
use kit::metrics::{ContractBreak, MetricsEndpoint, UpstreamInstance};
use poem::{Endpoint, Request, Response, Result};
use serde::Serialize;

use crate::{
    cache::Cache,
    handshake::{Agreement, Break, Handshake},
    parts::Parts,
    services::declared::Bound,
    upstream::{InstanceHealth, Upstream},
};

/// Where it is told.
pub(crate) const PATH: &str = "/services";

/// One service.
#[derive(Debug, Serialize)]
pub(crate) struct ServiceStanding {
    pub(crate) service: String,
    pub(crate) instances: Vec<InstanceHealth>,
    /// How the contract it serves stands to the one it was bound by.
    pub(crate) agreement: Agreement,
    /// What breaks operations, which are shut off for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) breaks: Vec<Break>,
}

impl ServiceStanding {
    pub(crate) fn of(upstream: &Upstream, handshake: &Handshake) -> Self {
        Self {
            service: upstream.service().to_owned(),
            instances: upstream.health(),
            agreement: handshake.agreement(),
            breaks: handshake.breaks(),
        }
    }
}

/// Every service that is bound now.
#[derive(Clone)]
pub(crate) struct Standings {
    /// The platform's own.
    own: Vec<(Arc<Upstream>, Arc<Handshake>)>,
    declared: Arc<ArcSwap<Bound>>,
    cache: Arc<Cache>,
}

#[derive(Serialize)]
struct Told {
    services: Vec<ServiceStanding>,
}

impl Standings {
    /// Of what these parts bind.
    pub(crate) fn of(parts: &Parts) -> Self {
        let pairs = parts.upstreams.all().into_iter().zip(parts.handshakes.all());
        Self {
            own: pairs
                .map(|((_, upstream), (_, handshake))| (Arc::clone(upstream), Arc::clone(handshake)))
                .collect(),
            declared: Arc::clone(&parts.declared),
            cache: Arc::clone(&parts.cache),
        }
    }

    /// How each service stands now, the platform's own first.
    pub(crate) fn all(&self) -> Vec<ServiceStanding> {
        let mut services: Vec<ServiceStanding> =
            self.own.iter().map(|(upstream, handshake)| ServiceStanding::of(upstream, handshake)).collect();
        services.extend(self.declared.load().standings());
        services
    }

    fn told(&self) -> Told {
        Told { services: self.all() }
    }

    /// `/metrics`, with how each instance and each contract stands at that moment; what is not bound any more has no series.
    pub(crate) fn metrics(self) -> MetricsEndpoint {
        let (contracts, cache) = (self.clone(), Arc::clone(&self.cache));
        let instances = move || {
            let instances = |standing: ServiceStanding| {
                standing.instances.into_iter().map(move |instance| UpstreamInstance {
                    service: standing.service.clone(),
                    instance: instance.address.to_string(),
                    healthy: instance.healthy,
                })
            };
            self.told().services.into_iter().flat_map(instances).collect()
        };
        let metrics = MetricsEndpoint::default().with_instances(instances).with_cache(move || cache.held());
        metrics.with_breaks(move || {
            let breaks = |standing: ServiceStanding| {
                let service = standing.service;
                standing.breaks.into_iter().flat_map(move |one| {
                    let service = service.clone();
                    one.operations.into_iter().map(move |operation| ContractBreak {
                        service: service.clone(),
                        operation,
                        pointer: one.pointer.clone(),
                    })
                })
            };
            contracts.told().services.into_iter().flat_map(breaks).collect()
        })
    }
}

/// `/services`. Not for a public listener: it tells addresses.
impl Endpoint for Standings {
    type Output = Response;

    async fn call(&self, _request: Request) -> Result<Response> {
        let body = serde_json::to_vec(&self.told()).map_err(contract::Problem::internal)?;
        Ok(Response::builder()
            .status(StatusCode::OK)
            .header("content-type", "application/json")
            .header("cache-control", "no-store")
            .body(body))
    }
}
