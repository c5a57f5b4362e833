//! Forwards a request to a declared service. The stages stand here in their order; each is a module of its own.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use contract::{
    Caller, Problem, ProblemKind, ServiceName,
    operation::{Access, Media, Operation, content_type},
};
use http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts, uri::PathAndQuery};
use http_body_util::combinators::BoxBody;
use kit::{
    body::BodyLimit, client_address::TrustedProxies, config::ContractMode, cors::Origins, edge::AskedForHead,
    operation_name::OperationName, request_id::RequestId,
};
use poem::{Body, Request, Response, error::ResponseError};
use tokio::sync::Semaphore;

use super::{
    answer::Conditions,
    measured::{Measured, Overrun},
    paths::Paths,
    rules::Rules,
};
use crate::{
    cache::{Cache, CacheBody},
    handshake::Handshake,
    identity::authenticate::{Authenticator, Verified},
    policy::{
        cache::{key::Identity, rules::StandIn},
        rate_limit::{RateRule, RateState},
    },
    rate_limits::RateLimits,
    services::proxied::{client_address, is_secure, request_id},
    tunnels::Tunnels,
    upstream::{
        Call, CallBody, Reads, Upstream,
        headers::{Told, to_service},
    },
};

/// What the operations of all declared services share.
pub(crate) struct Shared {
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) limit: BodyLimit,
    pub(crate) cache: Arc<Cache>,
    pub(crate) rate_limits: Arc<RateLimits>,
    /// What holds for every operation, beside the rules of its service.
    pub(crate) rate_limit: Vec<RateRule>,
    /// Whose pages may open tunnels.
    pub(crate) origins: Origins,
    pub(crate) tunnels: Arc<Tunnels>,
}

impl Shared {
    /// Counts a request by every rule that holds for it.
    pub(crate) async fn count(
        &self,
        own: &[RateRule],
        access: &Access,
        operation: &OperationName,
        request: &Request,
    ) -> Result<RateState, Problem> {
        let rules: Vec<RateRule> = self.rate_limit.iter().chain(own).cloned().collect();
        if rules.is_empty() {
            return Ok(RateState::default());
        }
        let address = client_address(request, &self.trusted_proxies);
        let asked = *access != Access::Public && rules.iter().any(RateRule::needs_caller);
        let verified = asked.then(|| self.authenticator.identify(request.headers()).ok()).flatten();
        let caller =
            verified.map_or_else(|| Arc::new(Caller::anonymous()), |verified| Arc::clone(&verified.caller));
        self.rate_limits.check(&rules, &operation.0, address, &caller).await
    }
}

/// A service that is called.
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) upstream: Arc<Upstream>,
    /// Where what is asked for by a path of the gateway's own making is looked up.
    pub(crate) paths: Paths,
    /// Whether it serves what it was bound by.
    pub(crate) handshake: Arc<Handshake>,
    /// Whose tokens it takes beside the gateway's own.
    pub(crate) issuers: Vec<ServiceName>,
    /// Places for tunnels.
    pub(crate) tunnels: Arc<Semaphore>,
    pub(crate) max_tunnels: usize,
    /// The longest silence of one.
    pub(crate) idle: Duration,
}

/// One operation of a declared service.
pub(crate) struct Target {
    pub(crate) name: OperationName,
    pub(crate) operation: Operation,
    /// What it is called where contracts are compared: by the path that its service knows.
    pub(crate) key: String,
    pub(crate) service: Arc<Service>,
    pub(crate) rules: Rules,
    /// Whether the service itself has HEAD at this path.
    pub(crate) head: bool,
    pub(crate) is_websocket: bool,
}

/// What a request asks for.
pub(crate) struct Asked<'r> {
    /// Raw texts of the path's parameters.
    pub(crate) parameters: Vec<(&'r str, String)>,
    /// The address as it goes on: that of the request, but for escapes that mean nothing.
    pub(crate) uri: Uri,
}

/// A call on its way, which the cache may make after the request is answered.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub(super) to: Arc<Target>,
    pub(super) request_id: RequestId,
    /// Signs in at the service for `caller`, once it is called.
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) caller: Arc<Verified>,
    pub(super) client: IpAddr,
    /// Whether the client speaks TLS with the gateway itself.
    pub(super) secure: bool,
}

impl Outgoing {
    pub(super) async fn fetch(self, head: Parts) -> Result<http::Response<CacheBody>, Problem> {
        self.send(head, CallBody::Whole(Bytes::new())).await
    }

    /// Calls the service, and holds what it answers to the document.
    async fn send(&self, head: Parts, body: CallBody) -> Result<http::Response<CacheBody>, Problem> {
        let to = &self.to;
        let conditions = Conditions::of(&head.headers);
        let asked_for_head = head.method == Method::HEAD;
        let target = to.target(&head.uri)?;
        let authorization = self.authenticator.exchange(&self.caller, &to.service.name);
        let told = Told {
            request_id: &self.request_id,
            authorization: authorization.map_err(Problem::internal)?,
            client: self.client,
            secure: self.secure,
            host: head.headers.get(header::HOST).cloned(),
        };
        // Few services that have GET have HEAD as well.
        let method = if asked_for_head && !to.head { Method::GET } else { head.method };
        let idempotent = method.is_idempotent() || head.headers.contains_key("idempotency-key");
        let (holding, is_read) = (Arc::clone(to), to.holds_answers() && !asked_for_head);
        let reads = Reads::Where(Box::new(move |head| is_read && holding.reads_whole(head, conditions)));
        let call = Call {
            method,
            target,
            headers: to.headers(head.headers, told),
            body,
            total: Some(to.rules.timeout).filter(|_| to.holds_answers()),
            idempotent,
            hedge: to.rules.hedge,
            reads,
        };
        let (head, body) = to.service.upstream.send(call).await?.into_parts();
        to.answer(head, body, conditions, asked_for_head).await
    }
}

pub(super) fn head(method: Method, uri: Uri, headers: HeaderMap) -> Parts {
    let (mut head, ()) = http::Request::new(()).into_parts();
    (head.method, head.uri, head.headers) = (method, uri, headers);
    head
}

pub(crate) fn into_poem(answer: http::Response<CacheBody>) -> Response {
    let (head, body) = answer.into_parts();
    let mut response = Response::builder().status(head.status).finish();
    *response.headers_mut() = head.headers;
    response.set_body(Body::from(body));
    // Also an error's own body is the service's to write.
    response.extensions_mut().insert(kit::problem::AsIs);
    response
}

impl Target {
    /// The whole way of a request.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        shared: &Shared,
        asked: Asked<'_>,
        mut request: Request,
    ) -> Result<Response, Problem> {
        kit::explain::tell("operation", || self.operation.told());
        kit::explain::tell("service", || self.service.name.as_str().into());
        kit::explain::tell("contract", || format!("{:?}", self.rules.mode).to_lowercase().into());
        // Before the caller is checked: tokens that are no good are counted too, by the address they come from.
        let state = self.count(shared, &request).await?;
        let answer = self.admitted(shared, asked, &mut request).await;
        let mut response = answer.unwrap_or_else(|problem| problem.as_response());
        state.mark(response.headers_mut());
        Ok(response)
    }

    /// Counts the request by every rule that holds for it.
    async fn count(&self, shared: &Shared, request: &Request) -> Result<RateState, Problem> {
        shared.count(&self.rules.rate_limit, &self.operation.access, &self.name, request).await
    }

    /// Who sends a request with these fields, if this operation is open to them.
    pub(crate) fn admit(&self, shared: &Shared, headers: &HeaderMap) -> Result<Arc<Verified>, Problem> {
        shared.authenticator.admit_from(&self.operation, headers, &self.service.issuers)
    }

    /// Whose tokens its service takes beside the gateway's own.
    pub(crate) fn issuers(&self) -> &[ServiceName] {
        &self.service.issuers
    }

    /// The head of a request for the cache, with how long what is stored stands in for a service that fails.
    pub(super) fn head(&self, method: Method, uri: Uri, headers: HeaderMap) -> Parts {
        let mut head = head(method, uri, headers);
        if let Some(window) = self.rules.stale_if_error {
            head.extensions.insert(StandIn(window));
        }
        head
    }

    /// Whose its answers are, in the cache.
    pub(super) fn identity(&self, caller: &Verified) -> Identity {
        match self.operation.access {
            Access::Public => Identity::Nobody,
            _ => Identity::User(caller.whose()),
        }
    }

    /// Whether its answers are held to the document, whatever they are.
    pub(crate) fn is_enforced(&self) -> bool {
        self.rules.mode == ContractMode::Enforce
    }

    async fn admitted(
        self: &Arc<Self>,
        shared: &Shared,
        asked: Asked<'_>,
        request: &mut Request,
    ) -> Result<Response, Problem> {
        let Asked { parameters, uri: sent } = asked;
        // Another method of the path may take it. Whatever else could be wrong with a path was refused further out.
        let is_escaped = sent.path().contains('%');
        if is_escaped && !self.rules.encoded_slash && contract::path::check(sent.path()).is_err() {
            return Err(Problem::new(ProblemKind::MalformedRequest, "The path holds an encoded slash"));
        }
        self.check_worker(request.headers())?;
        if self.is_websocket {
            return Box::pin(self.open_tunnel(shared, &parameters, sent, request)).await;
        }
        // Who may not call learns nothing of the schema, and no body of theirs is read.
        let caller = self.admit(shared, request.headers())?;
        self.service.handshake.require(&self.key)?;
        self.check_parameters(&parameters, &sent, request.headers())?;
        let limit = BodyLimit { bytes: self.rules.body_limit.unwrap_or(shared.limit.bytes), ..shared.limit };
        kit::explain::tell("body_limit", || limit.bytes.into());
        let (body, overrun) = self.body(request, limit).await?;
        let asked_for_head = request.extensions().get::<AskedForHead>().is_some();
        let outgoing = Outgoing {
            to: Arc::clone(self),
            request_id: request_id(request)?,
            authenticator: Arc::clone(&shared.authenticator),
            caller: Arc::clone(&caller),
            client: client_address(request, &shared.trusted_proxies),
            secure: is_secure(request),
        };
        let method = if asked_for_head { Method::HEAD } else { self.operation.method.clone() };
        let head = self.head(method, sent, std::mem::take(request.headers_mut()));
        if !self.rules.cache {
            // Boxed, as below: what is in the cache needs no room for it.
            let answer = Box::pin(outgoing.send(head, body)).await;
            return answer.map(into_poem).map_err(|fault| overrun.problem().unwrap_or(fault));
        }
        if !head.method.is_safe() {
            let asked = head.clone();
            let answer = Box::pin(outgoing.send(head, body))
                .await
                .map_err(|fault| overrun.problem().unwrap_or(fault))?;
            shared.cache.changed(&asked, answer.status(), answer.headers()).await;
            return Ok(into_poem(answer));
        }
        let identity = self.identity(&caller);
        let fetch = move |head| outgoing.clone().fetch(head);
        shared.cache.answer(&self.name.0, identity, head, fetch).await.map(into_poem)
    }

    /// Values are checked as they were sent, decoded once.
    pub(super) fn check_parameters(
        &self,
        parameters: &[(&str, String)],
        sent: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let of_path = |name: &str| {
            let (_, raw) = parameters.iter().find(|(known, _)| *known == name)?;
            contract::path::decode(raw).ok()
        };
        self.operation.check_parameters(of_path, sent.query(), headers)
    }

    /// A JSON body is read whole and held to its schema; any other goes on as it comes, its length counted on the way.
    async fn body(&self, request: &mut Request, limit: BodyLimit) -> Result<(CallBody, Overrun), Problem> {
        let media = self.operation.request_media(content_type(request.headers()))?;
        let mut overrun = Overrun::default();
        match media {
            Media::None => Ok((CallBody::Whole(Bytes::new()), overrun)),
            Media::Json => {
                let body = kit::body::read(request, limit).await?;
                self.operation.check_request_body(content_type(request.headers()), &body)?;
                Ok((CallBody::Whole(self.rules.request.body(body)?), overrun))
            }
            Media::Opaque => {
                kit::body::check_announced(request.headers(), limit)?;
                let body: BoxBody<Bytes, std::io::Error> = request.take_body().into();
                let measured = Measured::new(body, limit, &mut overrun);
                Ok((CallBody::Stream(BoxBody::new(measured)), overrun))
            }
        }
    }

    /// The path below the prefix and the query, as they were authorised.
    pub(super) fn target(&self, sent: &Uri) -> Result<PathAndQuery, Problem> {
        let unreadable = || Problem::internal("a path outside its service's prefix");
        let path = sent.path().strip_prefix(&self.service.prefix).ok_or_else(unreadable)?;
        let query = self.rules.request.query(sent.query());
        let target = match query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        PathAndQuery::try_from(target).map_err(Problem::internal)
    }

    pub(super) fn headers(&self, headers: HeaderMap, told: Told<'_>) -> HeaderMap {
        let mut headers = to_service(headers, told);
        if let Ok(prefix) = HeaderValue::try_from(self.service.prefix.as_str()) {
            headers.insert("x-forwarded-prefix", prefix);
        }
        if self.holds_answers() {
            // What is held to a schema must be readable.
            headers.remove(header::ACCEPT_ENCODING);
            headers.remove(header::RANGE);
            headers.remove(header::IF_RANGE);
        }
        self.rules.request.headers(&mut headers);
        headers
    }
}
