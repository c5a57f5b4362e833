//! Operations that are composed of several calls: planned and published when the configuration is read, then asked for part by
//! part and put together. The stages of a request stand in [`Composed::forward`] in their order.

mod address;
mod fault;
mod fields;
mod merge;
mod order;
mod parameters;
mod plan;
mod pointer;
mod publish;
mod run;
mod schema;

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use contract::{
    Problem, ServiceName,
    operation::{Access, Operation},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};
use http_body_util::{BodyExt, Full};
use kit::{config::ComposedSettings, operation_name::OperationName};
use poem::{Request, Response, error::ResponseError};
use serde_json::{Value, json};

pub use self::fault::ComposeFault;
pub(crate) use self::plan::{Known, Placed};
use self::{
    address::Values,
    plan::{Plan, Planned},
    run::{Asked, Got, Missing, Outcome},
};
use crate::{
    cache::CacheBody,
    policy::{cache::key::Identity, rate_limit::RateRule},
    services::{
        declared::{self, Asker, Shared, Target, complete_operation, into_poem, own_segment},
        proxied::{client_address, is_secure, request_id},
    },
};

/// Bytes of all parts together, where the settings say nothing.
const BYTES: usize = 4 * 1024 * 1024;

/// Whether all parts are there.
const COMPLETED: HeaderName = HeaderName::from_static("platform-completed");

/// Which are not, each with the status it failed with (a list of RFC 9651).
const MISSING: HeaderName = HeaderName::from_static("platform-missing");

/// What is passed on of the head of a required part's error.
const OF_ERRORS: [HeaderName; 6] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_TYPE,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
];

/// A composed operation, ready to serve.
pub(crate) struct Composed {
    pub(crate) name: OperationName,
    pub(crate) operation: Operation,
    parts: Vec<Part>,
    timeout: Duration,
    bytes: usize,
    cache: bool,
    rate_limit: Vec<RateRule>,
    /// Whose tokens are taken beside the gateway's own: those that every required part takes.
    issuers: Vec<ServiceName>,
}

/// A part and what it calls.
struct Part {
    plan: Planned,
    target: Arc<Target>,
    timeout: Option<Duration>,
}

/// What an operation is composed from, before the document holds it.
pub(crate) struct Draft {
    plan: Plan,
    rate_limit: Vec<RateRule>,
}

impl Draft {
    /// Plans an operation and adds it to `document`, the one that is published; `taken` are the ids that others have.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn add(
        settings: &ComposedSettings,
        document: &mut Value,
        taken: &mut HashSet<String>,
        known: &impl Known,
    ) -> Result<Self, Vec<Placed>> {
        check_path(&settings.path).map_err(|fault| vec![(None, fault)])?;
        let plan = Plan::new(settings, document, known)?;
        if !taken.insert(settings.name.clone()) {
            return Err(vec![(None, ComposeFault::TakenName(settings.name.clone()))]);
        }
        let rules = RateRule::list(settings.rate_limit.as_deref().unwrap_or_default());
        let rules = rules.map_err(|fault| vec![(None, ComposeFault::Rate(fault))])?;
        let rate_limit = rules.into_iter().map(|rule| rule.within(&settings.name)).collect();
        let mut operation = publish::operation(settings, &plan, document);
        complete_operation(document, &mut operation, false);
        document["paths"][&settings.path]["get"] = operation;
        if let Some(tags) = document.get_mut("tags").and_then(Value::as_array_mut)
            && !tags.iter().any(|tag| tag["name"] == publish::TAG)
        {
            tags.push(json!({ "name": publish::TAG, "description": "Made of several calls by the gateway" }));
        }
        Ok(Self { plan, rate_limit })
    }

    /// With the operation as it was compiled, and what each part calls.
    pub(crate) fn finish(
        self,
        settings: &ComposedSettings,
        operation: Operation,
        targets: Vec<Arc<Target>>,
        timeout: Duration,
    ) -> Composed {
        let issuers = issuers(settings, &targets);
        let parts = self.plan.parts.into_iter().zip(targets).zip(&settings.parts);
        Composed {
            name: OperationName(settings.name.as_str().into()),
            operation,
            parts: parts
                .map(|((plan, target), settings)| Part { plan, target, timeout: settings.timeout })
                .collect(),
            timeout: settings.timeout.unwrap_or(timeout),
            bytes: settings.body_limit.unwrap_or(BYTES),
            cache: settings.cache,
            rate_limit: self.rate_limit,
            issuers,
        }
    }
}

/// Where no part is required, one that takes a token is enough.
fn issuers(settings: &ComposedSettings, targets: &[Arc<Target>]) -> Vec<ServiceName> {
    let parts = || settings.parts.iter().zip(targets);
    let mut all: Vec<ServiceName> = parts().flat_map(|(_, target)| target.issuers()).cloned().collect();
    all.dedup();
    all.retain(|issuer| {
        parts().filter(|(part, _)| part.required).all(|(_, target)| target.issuers().contains(issuer))
    });
    all
}

fn check_path(path: &str) -> Result<(), ComposeFault> {
    let plain = path.replace(['{', '}'], "");
    let is_path = path.starts_with('/')
        && path.len() > 1
        && contract::path::check(&plain).is_ok()
        && !plain.contains([':', '?', '#', '%'])
        && path.matches('{').count() == path.matches('}').count();
    if !is_path {
        return Err(ComposeFault::Path(path.to_owned()));
    }
    match own_segment(path) {
        Some(own) => Err(ComposeFault::OwnPath(path.to_owned(), format!("/{own}"))),
        None => Ok(()),
    }
}

/// A request on its way, which the cache may make after it is answered.
#[derive(Clone)]
struct Outgoing {
    to: Arc<Composed>,
    shared: Arc<Shared>,
    asker: Asker,
    parameters: Arc<Vec<(String, String)>>,
}

impl Outgoing {
    async fn fetch(self, head: request::Parts) -> Result<http::Response<CacheBody>, Problem> {
        let asked = Asked {
            shared: &self.shared,
            asker: &self.asker,
            values: Values { path: &self.parameters, query: head.uri.query() },
            headers: head.headers,
            timeout: self.to.timeout,
            bytes: self.to.bytes,
        };
        match asked.all(&self.to.parts).await {
            Outcome::Answered(answers) => Ok(self.to.answer(&answers)),
            Outcome::Failed(part, missing) => self.to.failure(part, missing),
        }
    }
}

impl Composed {
    /// The whole way of a request.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        asked: declared::Asked<'_>,
        request: Request,
    ) -> Result<Response, Problem> {
        kit::explain::tell("operation", || self.operation.told());
        kit::explain::tell("service", || "composed".into());
        // Before the caller is checked: tokens that are no good are counted too, by the address they come from.
        let state = shared.count(&self.rate_limit, &self.operation.access, &self.name, &request).await?;
        let answer = self.admitted(shared, asked, request).await;
        let mut response = answer.map_or_else(|problem| problem.as_response(), into_poem);
        state.mark(response.headers_mut());
        Ok(response)
    }

    async fn admitted(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        asked: declared::Asked<'_>,
        mut request: Request,
    ) -> Result<http::Response<CacheBody>, Problem> {
        let caller = shared.authenticator.admit_from(&self.operation, request.headers(), &self.issuers)?;
        // No part is asked for whom a required one would refuse.
        for part in self.parts.iter().filter(|part| part.plan.required) {
            part.target.admit(shared, request.headers())?;
        }
        let declared::Asked { parameters, uri: sent } = asked;
        let of_path = |name: &str| {
            let (_, raw) = parameters.iter().find(|(known, _)| *known == name)?;
            contract::path::decode(raw).ok()
        };
        self.operation.check_parameters(of_path, sent.query(), request.headers())?;
        let outgoing = Outgoing {
            to: Arc::clone(self),
            shared: Arc::clone(shared),
            asker: Asker {
                request_id: request_id(&request)?,
                client: client_address(&request, &shared.trusted_proxies),
                secure: is_secure(&request),
            },
            parameters: Arc::new(parameters.into_iter().map(|(name, raw)| (name.to_owned(), raw)).collect()),
        };
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.uri = sent;
        head.headers = std::mem::take(request.headers_mut());
        if !self.cache {
            return outgoing.fetch(head).await;
        }
        let identity = match self.operation.access {
            Access::Public => Identity::Nobody,
            _ => Identity::User(caller.whose()),
        };
        shared.cache.answer(&self.name.0, identity, head, move |head| outgoing.clone().fetch(head)).await
    }

    fn answer(&self, answers: &[Result<Got, Missing>]) -> http::Response<CacheBody> {
        let found = self.parts.iter().zip(answers).map(|(part, answer)| {
            let text = answer.as_ref().ok().and_then(|got| part.plan.select.find(&got.text));
            (&part.plan.put, text)
        });
        let text = merge::merged(found);
        let missing: Vec<(&str, &Missing)> = self
            .parts
            .iter()
            .zip(answers)
            .filter_map(|(part, answer)| Some((part.plan.name.as_str(), answer.as_ref().err()?)))
            .collect();
        let mut headers = if missing.is_empty() {
            fields::least(answers.iter().flatten().map(|got| &got.headers))
        } else {
            uncached()
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, text.len().into());
        self.mark(&mut headers, &missing);
        with(StatusCode::OK, headers, text.into())
    }

    /// What a required part failed with is what the client gets.
    fn failure(&self, part: usize, missing: Missing) -> Result<http::Response<CacheBody>, Problem> {
        let name = self.parts.get(part).map_or("", |part| part.plan.name.as_str());
        let mut headers = HeaderMap::new();
        self.mark(&mut headers, &[(name, &missing)]);
        match missing {
            Missing::Declared(head, body) => {
                headers.extend(uncached());
                for name in OF_ERRORS {
                    for value in head.headers.get_all(&name) {
                        headers.append(&name, value.clone());
                    }
                }
                headers.insert(header::CONTENT_LENGTH, body.len().into());
                Ok(with(head.status, headers, body))
            }
            Missing::Problem(mut problem) => {
                problem.detail = format!("{} (part {name})", problem.detail).into();
                problem.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
                Err(problem)
            }
            Missing::Waits => Err(Problem::internal("a required part waits for one that is not")),
        }
    }

    /// Tells what is missing, to the client and to the log.
    fn mark(&self, headers: &mut HeaderMap, missing: &[(&str, &Missing)]) {
        let completed = if missing.is_empty() { "true" } else { "false" };
        headers.insert(COMPLETED, HeaderValue::from_static(completed));
        if missing.is_empty() {
            return;
        }
        let members: Vec<String> = missing
            .iter()
            .map(|(name, missing)| match missing.status() {
                Some(status) => format!("{name};status={}", status.as_u16()),
                None => (*name).to_owned(),
            })
            .collect();
        let members = members.join(", ");
        let cause = missing.iter().find_map(|(_, missing)| match missing {
            Missing::Problem(problem) => problem.cause.as_deref(),
            _ => None,
        });
        tracing::warn!(operation = &*self.name.0, missing = members, cause, "a composed answer lacks parts");
        if let Ok(members) = HeaderValue::try_from(members) {
            headers.insert(MISSING, members);
        }
    }
}

/// What lacks something is kept by nobody.
fn uncached() -> HeaderMap {
    HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
}

fn with(status: StatusCode, headers: HeaderMap, body: Bytes) -> http::Response<CacheBody> {
    let mut response = http::Response::new(Full::new(body).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
