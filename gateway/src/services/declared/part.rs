//! A call for a part of a composed answer.

use std::{net::IpAddr, sync::Arc};

use contract::{Problem, ProblemKind};
use http::{HeaderMap, Method, Uri};
use kit::request_id::RequestId;

use super::forward::{Outgoing, Shared, Target};
use crate::cache::CacheBody;

/// For whom a part is asked.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) request_id: RequestId,
    pub(crate) client: IpAddr,
    /// Whether the client speaks TLS with the gateway itself.
    pub(crate) secure: bool,
}

impl Target {
    /// Asks for a part of a composed answer: a safe request of the gateway's own making, by this operation's own rules, and out
    /// of the cache where these say so. `headers` are those of the client's request.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        shared: &Shared,
        asker: &Asker,
        uri: Uri,
        path: &[(&str, String)],
        headers: HeaderMap,
    ) -> Result<http::Response<CacheBody>, Problem> {
        let caller = self.admit(shared, &headers)?;
        self.service.handshake.require(&self.key)?;
        let unfitting = |cause: String| {
            Problem::new(ProblemKind::BadUpstream, "A service's answer gives no fitting parameter")
                .because(cause)
        };
        let uri = self.service.paths.of(&self.operation.id, &Method::GET, &uri);
        let uri = uri.ok_or_else(|| unfitting("the path made of it is another operation's".to_owned()))?;
        self.check_parameters(path, &uri, &headers)
            .map_err(|problem| unfitting(format!("{:?}", problem.violations)))?;
        let rules = &self.rules.rate_limit;
        shared.rate_limits.check(rules, &self.name.0, asker.client, &caller.caller).await?;
        let outgoing = Outgoing {
            to: Arc::clone(self),
            request_id: asker.request_id.clone(),
            authenticator: Arc::clone(&shared.authenticator),
            caller: Arc::clone(&caller),
            client: asker.client,
            secure: asker.secure,
        };
        let head = self.head(Method::GET, uri, headers);
        if !self.rules.cache {
            return outgoing.fetch(head).await;
        }
        let identity = self.identity(&caller);
        shared.cache.answer(&self.name.0, identity, head, move |head| outgoing.clone().fetch(head)).await
    }
}
