//! Binds a service by its Rust contract: every operation of the contract is routed, documented, guarded and checked, with no
//! line of the gateway's own about any of them.
//!
//! It stands on poem-openapi's registry types, which are public and not documented; the version is pinned for it.

use std::{str::FromStr, sync::Arc};

use contract::{
    Caller, Problem, ProblemKind, Subject, UserId,
    operation::{Access, Answer, Operation, content_type},
    users::{ADDRESS_LEFT, ADDRESS_UNPROVED, LeftAddress, SESSIONS_ENDED, TOKENS_ENDED},
};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use kit::{body::BodyLimit, client_address::TrustedProxies, internal_token::REFUSED, request_id::RequestId};
use poem::{Body, Request, Response, Result, error::ResponseError};
use poem_openapi::{OpenApi, OperationId, registry::MetaOperation};

use crate::{
    handshake::Handshake,
    identity::{
        audit::{Act, Audit, Outcome, Source},
        authenticate::{Authenticator, Verified},
        sessions::Sessions,
    },
    mail::{Errand, Outbox},
    services::limited::Limiting,
    upstream::{
        Received, Upstream,
        headers::{Told, to_client, to_service},
    },
};

/// What the operations of one service share.
pub(crate) struct Binding {
    pub(crate) service: &'static str,
    pub(crate) upstream: Arc<Upstream>,
    /// Whether it serves what it was bound by.
    pub(crate) handshake: Option<Arc<Handshake>>,
    pub(crate) operations: Arc<Vec<Operation>>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) limit: BodyLimit,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) limiting: Arc<Limiting>,
}

/// The operations of the contract `A`, forwarded to the service that has them.
pub(crate) fn forwards<A: OpenApi>(binding: &Arc<Binding>) -> Vec<Forward> {
    let paths = A::meta().into_iter().flat_map(|api| api.paths);
    let declared = paths
        .flat_map(|path| path.operations.into_iter().map(move |operation| (path.path.clone(), operation)));
    let forward = |(path, meta): (String, MetaOperation)| {
        let compiled = binding
            .operations
            .iter()
            .find(|operation| operation.method == meta.method && operation.path == path)?;
        Some(Forward {
            id: OperationId(meta.operation_id?),
            key: contract::compare::key(compiled.method.as_str(), &compiled.path),
            operation: compiled.clone(),
            binding: Arc::clone(binding),
        })
    };
    declared.filter_map(forward).collect()
}

/// The texts of a path's parameters, decoded, by name.
#[derive(Debug)]
pub(crate) struct PathParameters<'n>(pub(crate) Vec<(&'n str, String)>);

impl PathParameters<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }
}

/// One operation, forwarded.
pub(crate) struct Forward {
    id: OperationId,
    /// What it is called where contracts are compared.
    key: String,
    operation: Operation,
    binding: Arc<Binding>,
}

impl Forward {
    /// Such as `/users/{user_id}`.
    pub(crate) fn path(&self) -> &str {
        &self.operation.path
    }

    pub(crate) fn method(&self) -> &Method {
        &self.operation.method
    }

    /// The whole way of a request.
    pub(crate) async fn call(&self, mut request: Request, parameters: PathParameters<'_>) -> Response {
        // Before the caller is checked: tokens that are no good are counted too, by the address they come from.
        let is_public = self.operation.access == Access::Public;
        let mut response = match self.binding.limiting.count(self.id.0, is_public, &request).await {
            Ok(state) => {
                // Not by way of `poem::Error`: that drops the extension in which the problem travels.
                let answer = self.forward(&mut request, &parameters).await;
                let mut response = answer.unwrap_or_else(|problem| problem.as_response());
                state.mark(response.headers_mut());
                response
            }
            Err(refused) => refused.as_response(),
        };
        response.set_data(self.id);
        response
    }

    async fn forward(
        &self,
        request: &mut Request,
        parameters: &PathParameters<'_>,
    ) -> Result<Response, Problem> {
        let binding = &self.binding;
        kit::explain::tell("operation", || self.operation.told());
        kit::explain::tell("service", || binding.service.into());
        kit::explain::tell("contract", || "enforce".into());
        kit::explain::tell("body_limit", || binding.limit.bytes.into());
        let caller = binding.authenticator.admit(&self.operation, request.headers())?;
        if self.operation.recent && uses_power(&self.operation, parameters, &caller.caller) {
            binding.authenticator.require_recent(&caller)?;
        }
        if let Some(handshake) = &binding.handshake {
            handshake.require(&self.key)?;
        }
        self.operation.check_parameters(
            |name| parameters.get(name).map(Into::into),
            request.uri().query(),
            request.headers(),
        )?;
        let body = if self.operation.takes_body() {
            let body = kit::body::read(request, binding.limit).await?;
            self.operation.check_request_body(content_type(request.headers()), &body)?;
            body
        } else {
            bytes::Bytes::new()
        };
        if self.operation.method != Method::GET {
            binding.audit.require_writable()?;
        }
        let named = named(request.uri().path(), &caller.caller);
        let target = target(request)?;
        let request_id = request_id(request)?;
        let told = Told {
            request_id: &request_id,
            authorization: binding
                .authenticator
                .exchange(&caller, binding.service)
                .map_err(Problem::internal)?,
            client: client_address(request, &binding.trusted_proxies),
            secure: is_secure(request),
            host: request.headers().get(header::HOST).cloned(),
        };
        let mut headers = std::mem::take(request.headers_mut());
        if body.is_empty() {
            headers.remove(header::CONTENT_TYPE);
        }
        let source = Source { address: told.client, request_id: request_id.clone() };
        let headers = to_service(headers, told);
        let received = binding.upstream.call(&self.operation.method, target, headers, body).await?;
        let created = created(&received);
        let unproved: Option<UserId> = self.told(&received.headers, ADDRESS_UNPROVED);
        let left: Option<LeftAddress> = self.told(&received.headers, ADDRESS_LEFT);
        let answer = self.answer(received, &caller).await;
        if answer.is_ok() {
            self.send(left.map(Errand::AddressLeft), &request_id);
            self.send(unproved.map(Errand::VerifyAddress), &request_id);
        }
        if self.operation.method != Method::GET {
            Box::pin(self.record(&answer, &caller, created.unwrap_or(named), &source)).await?;
        }
        answer
    }

    /// Checks what came back, acts on what the service tells the gateway alone, and passes the rest on.
    async fn answer(&self, received: Received, caller: &Verified) -> Result<Response, Problem> {
        let Received { status, mut headers, body } = received;
        if status == StatusCode::UNAUTHORIZED {
            return Err(Box::pin(self.unauthorized(&headers, caller)).await?);
        }
        let checked = match status {
            StatusCode::NOT_MODIFIED if self.operation.declares(status) => Ok(Answer::AsReceived),
            _ => self.operation.check_answer(status, content_type(&headers), &body),
        };
        self.end_what_ended(&headers).await?;
        let body = match checked {
            Ok(Answer::AsReceived) => body,
            Ok(Answer::Pruned(pruned)) => pruned.into(),
            Err(breach) => {
                kit::metrics::contract_violated(self.binding.service, self.id.0, breach.rule());
                tracing::error!(
                    service = self.binding.service,
                    operation = self.id.0,
                    rule = breach.rule(),
                    %breach,
                    "a service's answer breaks its contract"
                );
                return Err(broken(breach));
            }
        };
        to_client(&mut headers);
        if !headers.contains_key(header::CACHE_CONTROL) {
            let rule = if headers.contains_key(header::ETAG) { "private, no-cache" } else { "no-store" };
            headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static(rule));
        }
        let mut response = Response::builder().status(status).finish();
        *response.headers_mut() = headers;
        if !body.is_empty() {
            response.set_body(Body::from(body));
        }
        Ok(response)
    }

    /// Every change of a service's data is audited, and every refusal of one to somebody who is signed in. What strangers are
    /// refused is not: they could fill the log.
    async fn record(
        &self,
        answer: &Result<Response, Problem>,
        caller: &Verified,
        target: String,
        source: &Source,
    ) -> Result<(), Problem> {
        let status = answer.as_ref().map_or_else(|problem| problem.kind.status(), Response::status);
        let outcome = if status.is_success() { Outcome::Done } else { Outcome::Refused };
        let subject = &caller.caller.subject;
        let stranger_refused = outcome == Outcome::Refused && *subject == Subject::Anonymous;
        if stranger_refused || status.is_server_error() {
            return Ok(());
        }
        let act = Act {
            actor: subject.clone(),
            action: self.id.0,
            target: Some(target),
            outcome,
            detail: (outcome == Outcome::Refused).then(|| format!("status {}", status.as_u16())),
        };
        Ok(self.binding.audit.record(act, source).await?)
    }

    /// What the service says of accounts is believed of the one alone that owns them.
    fn owns_users(&self) -> bool {
        self.binding.service == contract::users::SERVICE
    }

    /// What a header for the gateway alone says.
    fn told<T: FromStr>(&self, headers: &HeaderMap, name: HeaderName) -> Option<T> {
        if !self.owns_users() {
            return None;
        }
        headers.get(name)?.to_str().ok()?.parse().ok()
    }

    /// New addresses and those that were left get letters, where letters are sent. The answer does not wait for them.
    fn send(&self, errand: Option<Errand>, request_id: &RequestId) {
        let Some(errand) = errand.filter(|_| self.binding.outbox.sends()) else { return };
        if let Err(problem) = self.binding.outbox.add(errand, request_id.clone()) {
            tracing::warn!(
                request_id = request_id.as_str(),
                detail = %problem.detail,
                "a letter was not sent"
            );
        }
    }

    /// 401 of a service: it refused the gateway's own token, or the user behind it is gone or disabled since the token was
    /// checked here. The second is nobody's fault: the user's tokens end now.
    async fn unauthorized(&self, headers: &HeaderMap, caller: &Verified) -> Result<Problem, Problem> {
        let gone = caller.caller.user().filter(|_| self.owns_users() && !headers.contains_key(REFUSED));
        let Some(user) = gone else { return Ok(broken("the service refused the internal token")) };
        self.binding.sessions.end_all(user).await?;
        Ok(Problem::invalid_token("The token has been revoked"))
    }

    /// The service has changed a user so that tokens must stop working: they do before the client hears of it.
    async fn end_what_ended(&self, headers: &HeaderMap) -> Result<(), Problem> {
        // Boxed: few answers tell of it, and every answer would carry the room for it.
        if let Some(user) = self.told::<UserId>(headers, SESSIONS_ENDED) {
            Box::pin(self.binding.sessions.end_all(user)).await?;
        }
        if let Some(user) = self.told::<UserId>(headers, TOKENS_ENDED) {
            Box::pin(self.binding.sessions.end_access_tokens(user)).await?;
        }
        Ok(())
    }
}

/// What a service has created, from its `Location`, as the audit log names it: the path below the API's base.
fn created(received: &Received) -> Option<String> {
    let location = received.headers.get(header::LOCATION)?.to_str().ok()?;
    Some(below_base(location).to_owned())
}

/// What a path names, as the audit log names it; `me` is whoever asks.
fn named(path: &str, caller: &Caller) -> String {
    let path = below_base(path);
    match (path.strip_suffix("/me"), caller.user()) {
        (Some(collection), Some(id)) => format!("{collection}/{id}"),
        _ => path.to_owned(),
    }
}

fn below_base(path: &str) -> &str {
    path.strip_prefix("/api_v1/").unwrap_or(path)
}

/// Whether the caller does it to others: not to their own account, nor by what is open to anybody, such as registering.
fn uses_power(operation: &Operation, parameters: &PathParameters<'_>, caller: &Caller) -> bool {
    if operation.access == Access::Optional { caller.is_admin() } else { !is_own(parameters, caller) }
}

/// Whether the path names the caller's own account.
fn is_own(parameters: &PathParameters<'_>, caller: &Caller) -> bool {
    caller.user().is_some_and(|user| parameters.get("user_id") == Some(user.to_string().as_str()))
}

/// The id that the outermost layer gave the request.
pub(crate) fn request_id(request: &Request) -> Result<RequestId, Problem> {
    request
        .extensions()
        .get::<RequestId>()
        .cloned()
        .ok_or_else(|| Problem::internal("a request without an id"))
}

/// Whether the client speaks TLS with the gateway itself.
pub(crate) fn is_secure(request: &Request) -> bool {
    *request.scheme() == http::uri::Scheme::HTTPS
}

/// The client's address, seen through trusted proxies.
pub(crate) fn client_address(request: &Request, trusted: &TrustedProxies) -> std::net::IpAddr {
    let peer = request
        .remote_addr()
        .as_socket_addr()
        .map_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), std::net::SocketAddr::ip);
    trusted.client(request.headers(), peer)
}

/// Where a request comes from, for the audit log.
pub(crate) fn source(request: &Request, trusted: &TrustedProxies) -> Result<Source, Problem> {
    Ok(Source { address: client_address(request, trusted), request_id: request_id(request)? })
}

/// The path as it was authorised and the query as it was sent.
fn target(request: &Request) -> Result<http::uri::PathAndQuery, Problem> {
    request.uri().path_and_query().cloned().ok_or_else(|| Problem::internal("a request without a path"))
}

/// 502 for an answer that can't be passed on; the cause goes to the log.
fn broken(cause: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::BadUpstream, "The service's answer breaks its contract").because(cause)
}

#[cfg(test)]
mod tests;
