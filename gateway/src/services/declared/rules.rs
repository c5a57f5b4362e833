//! What the configuration says of one operation: the service's settings with the operation's own over them.

use std::time::Duration;

use bytes::Bytes;
use contract::{Problem, ProblemKind};
use http::{HeaderMap, HeaderName, header};
use kit::config::{ContractMode, FieldChanges, OperationSettings, ServiceSettings};

use crate::policy::rate_limit::{NotARule, RateRule};

use super::changes::{ChangeFault, HeaderChanges, JsonChanges, change_query};

/// Rules that can't hold.
#[derive(Debug, thiserror::Error)]
pub enum RuleFault {
    /// A change can't be made.
    #[error(transparent)]
    Change(#[from] ChangeFault),
    /// No rule of a rate.
    #[error("rate_limit: {0}")]
    Rate(#[from] NotARule),
}

/// One operation's rules.
#[expect(clippy::struct_excessive_bools, reason = "rules that do not exclude each other")]
pub(crate) struct Rules {
    pub(super) mode: ContractMode,
    pub(super) body_limit: Option<usize>,
    pub(super) timeout: Duration,
    pub(super) hedge: Option<Duration>,
    pub(super) rate_limit: Vec<RateRule>,
    pub(super) cache: bool,
    /// For how long past its time an answer stands in, where it does not say so itself.
    pub(super) stale_if_error: Option<Duration>,
    pub(super) compress: bool,
    pub(super) encoded_slash: bool,
    /// Whether its pages may do what the gateway's own may.
    pub(super) trusted_pages: bool,
    pub(super) request: RequestRules,
    pub(super) response: ResponseRules,
}

impl Rules {
    pub(crate) fn new(
        service: &ServiceSettings,
        operation: Option<&OperationSettings>,
        id: &str,
        timeout: Duration,
    ) -> Result<Self, RuleFault> {
        let request = [Some(&service.request), operation.map(|operation| &operation.request)];
        let response = [Some(&service.response), operation.map(|operation| &operation.response)];
        Ok(Self {
            mode: operation.and_then(|operation| operation.contract).unwrap_or(service.contract),
            body_limit: operation.and_then(|operation| operation.body_limit).or(service.body_limit),
            timeout: operation.and_then(|operation| operation.timeout).or(service.timeout).unwrap_or(timeout),
            hedge: operation.and_then(|operation| operation.hedge).or(service.hedge),
            cache: operation.and_then(|operation| operation.cache).unwrap_or(service.cache),
            stale_if_error: service.stale_if_error,
            compress: operation.and_then(|operation| operation.compress).unwrap_or(service.compress),
            encoded_slash: operation
                .and_then(|operation| operation.encoded_slash)
                .unwrap_or(service.encoded_slash),
            trusted_pages: service.trusted_pages,
            rate_limit: rate_limit(service, operation, id)?,
            request: RequestRules {
                headers: each(request, |changes| HeaderChanges::new(&changes.headers))?,
                query: each(request, |changes| Ok(changes.query.clone()))?,
                body: each(request, |changes| JsonChanges::new(&changes.body, None))?,
            },
            response: ResponseRules {
                headers: each(response, |changes| HeaderChanges::new(&changes.headers))?,
                body: each(response, |changes| JsonChanges::new(&changes.body, changes.envelope.as_ref()))?,
            },
        })
    }
}

impl Rules {
    /// Those of a service whose contract is the platform's own: held to it, and nothing changed.
    pub(crate) fn of_own(timeout: Duration) -> Self {
        Self {
            mode: ContractMode::Enforce,
            body_limit: None,
            timeout,
            hedge: None,
            rate_limit: Vec::new(),
            cache: false,
            stale_if_error: None,
            compress: true,
            encoded_slash: false,
            trusted_pages: false,
            request: RequestRules { headers: Vec::new(), query: Vec::new(), body: Vec::new() },
            response: ResponseRules { headers: Vec::new(), body: Vec::new() },
        }
    }
}

/// An operation's own rules stand instead of its service's; those are counted over all of its operations.
fn rate_limit(
    service: &ServiceSettings,
    operation: Option<&OperationSettings>,
    id: &str,
) -> Result<Vec<RateRule>, NotARule> {
    let own = operation.and_then(|operation| operation.rate_limit.as_deref());
    let (text, scope) = match own {
        Some(own) => (own, format!("{}.{id}", service.name)),
        None => (service.rate_limit.as_deref().unwrap_or_default(), service.name.to_string()),
    };
    Ok(RateRule::list(text)?.into_iter().map(|rule| rule.within(&scope)).collect())
}

fn each<T: Default + PartialEq, C>(
    given: [Option<&T>; 2],
    make: impl Fn(&T) -> Result<C, ChangeFault>,
) -> Result<Vec<C>, ChangeFault> {
    // Most operations change nothing; rules that say so would take 3 KB of each.
    given.into_iter().flatten().filter(|given| **given != T::default()).map(make).collect()
}

/// What is changed in requests.
pub(super) struct RequestRules {
    headers: Vec<HeaderChanges>,
    query: Vec<FieldChanges>,
    body: Vec<JsonChanges>,
}

impl RequestRules {
    pub(super) fn headers(&self, headers: &mut HeaderMap) {
        for changes in &self.headers {
            changes.apply(headers, is_own);
        }
    }

    pub(super) fn query(&self, query: Option<&str>) -> Option<String> {
        self.query
            .iter()
            .fold(query.map(str::to_owned), |query, changes| change_query(changes, query.as_deref()))
    }

    pub(super) fn body(&self, body: Bytes) -> Result<Bytes, Problem> {
        if body.is_empty() {
            return Ok(body);
        }
        self.body.iter().filter(|changes| !changes.is_empty()).try_fold(body, |body, changes| {
            changes
                .apply(&body)
                .ok_or_else(|| Problem::new(ProblemKind::MalformedRequest, "The body can't be read as JSON"))
        })
    }
}

/// What is changed in answers.
pub(super) struct ResponseRules {
    headers: Vec<HeaderChanges>,
    body: Vec<JsonChanges>,
}

impl ResponseRules {
    pub(super) fn headers(&self, headers: &mut HeaderMap) {
        for changes in &self.headers {
            changes.apply(headers, |name| {
                [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING].contains(name)
            });
        }
    }

    /// Whether bodies are changed.
    pub(super) fn change_bodies(&self) -> bool {
        self.body.iter().any(|changes| !changes.is_empty())
    }

    /// The changed body; `None` where nothing is changed.
    pub(super) fn body(&self, body: &Bytes) -> Option<Bytes> {
        let mut changes = self.body.iter().filter(|changes| !changes.is_empty()).peekable();
        changes.peek()?;
        changes.try_fold(body.clone(), |body, changes| changes.apply(&body))
    }
}

/// Fields that the gateway writes for the service: a list of those let through does not drop them.
fn is_own(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-forwarded-")
        || name.as_str().starts_with("sec-websocket-")
        || [header::AUTHORIZATION, header::CONTENT_TYPE].contains(name)
        || name == kit::request_id::HEADER
}
