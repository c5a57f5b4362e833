//! One service's HTTP client: pooled connections, every wait limited, every failure sorted by what a client hears of it.

use std::{error::Error as _, time::Duration};

use bytes::Bytes;
use contract::{Problem, ProblemKind};
use http::{HeaderMap, Method, Request, StatusCode, Uri, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use super::measured::Measured;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

/// Idle connections are kept for less time than services keep theirs, so that none is closed under a request.
const IDLE: Duration = Duration::from_secs(4);

/// Idle connections kept at most.
const IDLE_CONNECTIONS: usize = 256;

/// Bytes of an answer that is checked, at most.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// How often a client is told to try again in.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A service, as the gateway calls it.
pub(crate) struct Upstream {
    service: &'static str,
    client: Client<HttpConnector, Full<Bytes>>,
    base: http::uri::Parts,
    time: Duration,
}

/// A service's whole answer.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamFault {
    /// Refused, unreachable, or the name was not found.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// No whole answer within the time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The answer broke off, or is no HTTP.
    #[error("the answer can't be read: {0}")]
    Broken(String),
    /// The answer is longer than the gateway checks.
    #[error("the answer is longer than {ANSWER_BYTES} bytes")]
    TooLarge,
    /// The request could not be put together.
    #[error("the request can't be composed: {0}")]
    Compose(#[from] http::Error),
}

impl From<UpstreamFault> for Problem {
    fn from(fault: UpstreamFault) -> Self {
        match &fault {
            UpstreamFault::NoConnection(_) => Self::unavailable("Service unavailable", RETRY_AFTER),
            UpstreamFault::Timeout(_) => {
                Self::new(ProblemKind::UpstreamTimeout, "The service did not answer in time")
            }
            UpstreamFault::Broken(_) | UpstreamFault::TooLarge => {
                Self::new(ProblemKind::BadUpstream, "The service's answer can't be used")
            }
            UpstreamFault::Compose(_) => Self::internal(""),
        }
        .because(&fault)
    }
}

/// A service's address is no URL that can be called.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no http:// URL without a path")]
pub(crate) struct BadUpstreamUrl(String);

impl Upstream {
    /// The service at `base`, such as `http://127.0.0.1:8002`.
    pub(crate) fn new(service: &'static str, base: &str, connect_time: Duration, time: Duration) -> Result<Self, BadUpstreamUrl> {
        let fail = || BadUpstreamUrl(base.to_owned());
        let uri: Uri = base.trim_end_matches('/').parse().map_err(|_| fail())?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() || uri.path() != "/" {
            return Err(fail());
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(connect_time));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Ok(Self { service, client, base: uri.into_parts(), time })
    }

    /// Calls the service and reads its whole answer. A kept-alive connection that was closed under the request is retried on
    /// a fresh one, once, where the method allows it (RFC 9110 §9.2.2).
    pub(crate) async fn call(
        &self,
        method: &Method,
        target: PathAndQuery,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Received, UpstreamFault> {
        let measured = Measured::begin(self.service, method, &mut headers);
        let attempts = async {
            let first = self.send(method, target.clone(), headers.clone(), body.clone()).await;
            match first {
                Err(fault) if fault.was_closed && method.is_idempotent() => {
                    self.send(method, target, headers, body).await
                }
                other => other,
            }
        };
        let received = match tokio::time::timeout(self.time, attempts).await {
            Ok(Ok(received)) => Ok(received),
            Ok(Err(fault)) => Err(fault.fault),
            Err(_) => Err(UpstreamFault::Timeout(self.time)),
        };
        measured.end(received.as_ref().ok().map(|received| received.status));
        received
    }

    async fn send(
        &self,
        method: &Method,
        target: PathAndQuery,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Received, Failed> {
        let mut parts = http::uri::Parts::default();
        parts.scheme.clone_from(&self.base.scheme);
        parts.authority.clone_from(&self.base.authority);
        parts.path_and_query = Some(target);
        let uri = Uri::from_parts(parts).map_err(http::Error::from).map_err(UpstreamFault::from)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let response = self.client.request(request).await.map_err(|error| Failed::sending(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                UpstreamFault::TooLarge
            } else {
                UpstreamFault::Broken(error.to_string())
            }
        })?;
        Ok(Received { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

/// A failed attempt, and whether its connection was closed before any byte of an answer.
struct Failed {
    fault: UpstreamFault,
    was_closed: bool,
}

impl From<UpstreamFault> for Failed {
    fn from(fault: UpstreamFault) -> Self {
        Self { fault, was_closed: false }
    }
}

impl Failed {
    fn sending(error: &hyper_util::client::legacy::Error) -> Self {
        let text = chain(error);
        if error.is_connect() {
            return UpstreamFault::NoConnection(text).into();
        }
        let inner = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
        let was_closed = inner
            .is_some_and(|inner| inner.is_incomplete_message() || inner.is_canceled() || inner.is_closed())
            || inner.and_then(|inner| inner.source()?.downcast_ref::<std::io::Error>()).is_some_and(|io| {
                matches!(io.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
            });
        Self { fault: UpstreamFault::Broken(text), was_closed }
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
