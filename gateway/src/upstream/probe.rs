//! Asks each instance whether it is ready, as long as the gateway runs.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, Request, uri::PathAndQuery};
use http_body_util::{BodyExt, Limited};
use tokio_util::sync::CancellationToken;

use super::{
    call::{CallBody, RequestBody},
    client::Received,
    instance::Instance,
    pool::Upstream,
};

/// A probe takes no longer.
const TIME: Duration = Duration::from_secs(2);

/// Bytes of an answer to one, at most: documents are long.
const PROBE_BYTES: usize = 32 * 1024 * 1024;

impl Upstream {
    /// Probes every instance until `shutdown`; ends at once where the service has no probe. Names are looked up again on the way.
    pub(crate) async fn watch(self: Arc<Self>, shutdown: CancellationToken) {
        let Some(probe) = &self.health else { return };
        let Ok(path) = PathAndQuery::try_from(probe.path.as_str()) else {
            tracing::error!(service = %self.limits.service, path = %probe.path, "the path of the probe can't be asked for");
            return;
        };
        loop {
            if let Ok(instances) = self.known().await {
                futures_util::future::join_all(instances.iter().map(|instance| self.look(instance, &path)))
                    .await;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(probe.every) => {}
            }
        }
    }

    /// What every instance answers to a GET; those that can't be reached in time are left out. It says nothing about how they
    /// stand.
    pub(crate) async fn ask_each(&self, path: &PathAndQuery, headers: &HeaderMap) -> Vec<Received> {
        let Ok(instances) = self.known().await else { return Vec::new() };
        let asking = instances.iter().map(|instance| async {
            let reading = tokio::time::timeout(TIME, get(instance, path, headers.clone()));
            reading.await.ok().flatten()
        });
        futures_util::future::join_all(asking).await.into_iter().flatten().collect()
    }

    async fn look(&self, instance: &Instance, path: &PathAndQuery) {
        let is_good = tokio::time::timeout(TIME, ask(instance, path)).await.unwrap_or(false);
        if instance.probed(is_good) {
            tracing::warn!(service = %self.limits.service, address = %instance.address, ready = is_good, "an instance's readiness changed");
        }
    }
}

async fn ask(instance: &Instance, path: &PathAndQuery) -> bool {
    get(instance, path, HeaderMap::new()).await.is_some_and(|answer| answer.status.is_success())
}

/// A whole answer, read to its end, so that the instance sees an ordinary client.
async fn get(instance: &Instance, path: &PathAndQuery, headers: HeaderMap) -> Option<Received> {
    let mut request = Request::new(RequestBody::from(CallBody::Whole(bytes::Bytes::new())));
    *request.method_mut() = Method::GET;
    *request.headers_mut() = headers;
    instance.address(&mut request, path).ok()?;
    let (head, body) = instance.fresh.request(request).await.ok()?.into_parts();
    let body = Limited::new(body, PROBE_BYTES).collect().await.ok()?.to_bytes();
    Some(Received { status: head.status, headers: head.headers, body })
}
