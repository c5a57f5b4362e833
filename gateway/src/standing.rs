//! How the services behind the gateway stand, for people and for monitoring: `/services` and `/metrics` of the operations
//! listener. A service that is down makes the gateway no less ready: taking it out as well would help nobody.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::StatusCode;
use kit::metrics::{MetricsEndpoint, UpstreamInstance};
use poem::{Endpoint, Request, Response, Result};
use serde::Serialize;

use crate::{
    services::declared::Bound,
    upstream::{InstanceHealth, Upstream},
};

/// Where it is told.
pub(crate) const PATH: &str = "/services";

/// One service.
#[derive(Debug, Serialize)]
pub(crate) struct ServiceStanding {
    service: String,
    instances: Vec<InstanceHealth>,
}

impl ServiceStanding {
    pub(crate) fn of(upstream: &Upstream) -> Self {
        Self { service: upstream.service().to_owned(), instances: upstream.health() }
    }
}

/// Every service that is bound now.
#[derive(Clone)]
pub(crate) struct Standings {
    /// The platform's own.
    pub(crate) own: Vec<Arc<Upstream>>,
    pub(crate) declared: Arc<ArcSwap<Bound>>,
}

#[derive(Serialize)]
struct Told {
    services: Vec<ServiceStanding>,
}

impl Standings {
    fn told(&self) -> Told {
        let mut services: Vec<ServiceStanding> =
            self.own.iter().map(|upstream| ServiceStanding::of(upstream)).collect();
        services.extend(self.declared.load().standings());
        Told { services }
    }

    /// `/metrics`, with how each instance stands at that moment; one that is not bound any more has no series.
    pub(crate) fn metrics(self) -> MetricsEndpoint {
        MetricsEndpoint::default().with_instances(move || {
            let instances = |standing: ServiceStanding| {
                standing.instances.into_iter().map(move |instance| UpstreamInstance {
                    service: standing.service.clone(),
                    instance: instance.address.to_string(),
                    healthy: instance.healthy,
                })
            };
            self.told().services.into_iter().flat_map(instances).collect()
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
