//! Asks each instance whether it is ready, as long as the gateway runs.

use std::{sync::Arc, time::Duration};

use http::{Method, Request, uri::PathAndQuery};
use http_body_util::BodyExt;
use tokio_util::sync::CancellationToken;

use super::{
    call::{CallBody, RequestBody},
    instance::Instance,
    pool::Upstream,
};

/// A probe takes no longer.
const TIME: Duration = Duration::from_secs(2);

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

    async fn look(&self, instance: &Instance, path: &PathAndQuery) {
        let is_good = tokio::time::timeout(TIME, ask(instance, path)).await.unwrap_or(false);
        if instance.probed(is_good) {
            tracing::warn!(service = %self.limits.service, address = %instance.address, ready = is_good, "an instance's readiness changed");
        }
    }
}

async fn ask(instance: &Instance, path: &PathAndQuery) -> bool {
    let Ok(uri) = instance.uri(path) else { return false };
    let mut request = Request::new(RequestBody::from(CallBody::Whole(bytes::Bytes::new())));
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    match instance.fresh.request(request).await {
        // Read to its end, so that the instance sees an ordinary client.
        Ok(answer) => answer.status().is_success() && answer.into_body().collect().await.is_ok(),
        Err(_) => false,
    }
}
