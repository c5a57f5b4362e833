//! `gateway.rate_limit` around every operation. It stands before the check of the caller: tokens that are no good are counted too,
//! by the address they come from.

use std::{collections::HashMap, sync::Arc};

use contract::{
    Caller, Problem,
    operation::{Access, Operation},
};
use http::Method;
use kit::client_address::TrustedProxies;
use poem::{Endpoint, Request, Response, Result, endpoint::BoxEndpoint, error::ResponseError};
use poem_openapi::{
    OpenApi, OperationId,
    registry::{MetaApi, Registry},
};

use super::proxied::client_address;
use crate::{
    identity::authenticate::Authenticator,
    policy::rate_limit::{RateRule, RateState},
    rate_limits::RateLimits,
};

/// What the operations of the gateway share of its limits.
pub(crate) struct Limiting {
    pub(crate) rules: Vec<RateRule>,
    pub(crate) limits: Arc<RateLimits>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) trusted_proxies: TrustedProxies,
}

/// The operations of `A`, limited.
pub(crate) struct Limited<A> {
    inner: A,
    operations: Arc<Vec<Operation>>,
    limiting: Arc<Limiting>,
}

impl<A> Limited<A> {
    /// `inner`, whose compiled operations are among `operations`.
    pub(crate) fn new(inner: A, operations: Arc<Vec<Operation>>, limiting: Arc<Limiting>) -> Self {
        Self { inner, operations, limiting }
    }
}

impl<A: OpenApi> OpenApi for Limited<A> {
    fn meta() -> Vec<MetaApi> {
        A::meta()
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        let mut own = HashMap::new();
        self.inner.add_routes(&mut own);
        if self.limiting.rules.is_empty() {
            for (path, methods) in own {
                routes.entry(path).or_default().extend(methods);
            }
            return;
        }
        let declared: Vec<_> = A::meta().into_iter().flat_map(|api| api.paths).collect();
        for (path, methods) in own {
            for (method, inner) in methods {
                let id = declared
                    .iter()
                    .filter(|declared| kit::checked::same_path(&declared.path, &path))
                    .flat_map(|declared| &declared.operations)
                    .find(|operation| operation.method == method)
                    .and_then(|operation| operation.operation_id);
                let operation = id.and_then(|id| self.operations.iter().find(|operation| operation.id == id));
                let endpoint = LimitedEndpoint {
                    inner,
                    id: id.map(OperationId),
                    public: operation.is_some_and(|operation| operation.access == Access::Public),
                    oauth: operation.is_some_and(|operation| operation.oauth),
                    limiting: Arc::clone(&self.limiting),
                };
                routes
                    .entry(path.clone())
                    .or_default()
                    .insert(method, Box::new(poem::endpoint::ToDynEndpoint(endpoint)));
            }
        }
    }
}

struct LimitedEndpoint {
    inner: BoxEndpoint<'static>,
    id: Option<OperationId>,
    public: bool,
    oauth: bool,
    limiting: Arc<Limiting>,
}

impl Endpoint for LimitedEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let operation = self.id.map_or("-", |id| id.0);
        let mut response = match self.limiting.count(operation, self.public, &request).await {
            Ok(state) => {
                let mut response = match self.inner.call(request).await {
                    Ok(response) => response,
                    Err(error) => kit::problem::of_error(error).as_response(),
                };
                state.mark(response.headers_mut());
                response
            }
            Err(refused) if self.oauth => refused.for_oauth().as_response(),
            Err(refused) => refused.as_response(),
        };
        if let Some(id) = self.id
            && response.data::<OperationId>().is_none()
        {
            response.set_data(id);
        }
        Ok(response)
    }
}

impl Limiting {
    /// Counts a request of this operation by every rule that holds for it.
    ///
    /// # Errors
    /// 429.
    pub(crate) async fn count(
        &self,
        operation: &str,
        is_public: bool,
        request: &Request,
    ) -> Result<RateState, Problem> {
        if self.rules.is_empty() {
            return Ok(RateState::default());
        }
        let address = client_address(request, &self.trusted_proxies);
        let caller = self.caller(is_public, request);
        self.limits.check(&self.rules, operation, address, &caller).await
    }

    /// Who calls, as far as that matters: whoever shows no good token is nobody yet.
    fn caller(&self, is_public: bool, request: &Request) -> Arc<Caller> {
        let asked = !is_public && self.rules.iter().any(RateRule::needs_caller);
        let verified = asked.then(|| self.authenticator.identify(request.headers()).ok()).flatten();
        verified.map_or_else(|| Arc::new(Caller::anonymous()), |verified| Arc::clone(&verified.caller))
    }
}
