//! One service's HTTP client: pooled connections, every wait limited, every failure sorted by what a client hears of it.

use std::{error::Error as _, io, sync::Arc, time::Duration};

use bytes::Bytes;
use contract::{Problem, ProblemKind};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, combinators::BoxBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    answer::UpstreamBody,
    pool::{BadUpstreamUrl, Instances, PoolConfig},
};

/// Idle connections are kept for less time than services keep theirs, so that none is closed under a request.
const IDLE: Duration = Duration::from_secs(4);

/// Idle connections kept at most, for each instance.
const IDLE_CONNECTIONS: usize = 256;

/// Bytes of an answer that is read whole, at most.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// How soon a client is told to try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Says which hop made an error answer (RFC 9209).
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// A service, as the gateway calls it.
pub(crate) struct Upstream {
    config: PoolConfig,
    instances: Instances,
    client: Client<HttpConnector, BoxBody<Bytes, io::Error>>,
    permits: Arc<Semaphore>,
}

/// What is asked of a service.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) body: CallBody,
    /// From now to the last byte of the answer; unset, an answer may take as long as it is not silent for too long.
    pub(crate) total: Option<Duration>,
    /// Whether sending it twice does what sending it once does (RFC 9110 §9.2.2).
    pub(crate) idempotent: bool,
}

/// A request's body.
pub(crate) enum CallBody {
    /// Held whole: it can be sent again.
    Whole(Bytes),
    /// Passed on as it comes: it is sent once.
    Stream(BoxBody<Bytes, io::Error>),
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
    /// More calls are in flight than the service may have.
    #[error("{0} calls are in flight")]
    Shed(usize),
    /// No head, or no whole answer, within the time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The answer broke off, or is no HTTP.
    #[error("the answer can't be read: {0}")]
    Broken(String),
    /// The answer is longer than the gateway reads whole.
    #[error("the answer is longer than {ANSWER_BYTES} bytes")]
    TooLarge,
    /// The request could not be put together.
    #[error("the request can't be composed: {0}")]
    Compose(#[from] http::Error),
}

impl UpstreamFault {
    /// The name of the fault in `Proxy-Status` (RFC 9209 §2.3).
    fn proxy_status(&self) -> &'static str {
        match self {
            Self::NoConnection(_) => "platform; error=connection_refused",
            Self::Shed(_) => "platform; error=connection_limit_reached",
            Self::Timeout(_) => "platform; error=http_response_timeout",
            Self::Broken(_) => "platform; error=http_response_incomplete",
            Self::TooLarge => "platform; error=http_response_body_size",
            Self::Compose(_) => "platform; error=proxy_internal_error",
        }
    }
}

impl From<UpstreamFault> for Problem {
    fn from(fault: UpstreamFault) -> Self {
        let problem = match &fault {
            UpstreamFault::NoConnection(_) | UpstreamFault::Shed(_) => {
                Self::unavailable("Service unavailable", RETRY_AFTER)
            }
            UpstreamFault::Timeout(_) => {
                Self::new(ProblemKind::UpstreamTimeout, "The service did not answer in time")
            }
            UpstreamFault::Broken(_) | UpstreamFault::TooLarge => {
                Self::new(ProblemKind::BadUpstream, "The service's answer can't be used")
            }
            UpstreamFault::Compose(_) => Self::internal(""),
        };
        problem.header(PROXY_STATUS, HeaderValue::from_static(fault.proxy_status())).because(&fault)
    }
}

impl Upstream {
    /// The service at these addresses.
    pub(crate) fn new(config: PoolConfig) -> Result<Self, BadUpstreamUrl> {
        let instances = Instances::new(&config.urls)?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(config.connect_time));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        let permits = Arc::new(Semaphore::new(config.max_in_flight));
        Ok(Self { config, instances, client, permits })
    }

    /// Calls the service and reads its whole answer.
    pub(crate) async fn call(
        &self,
        method: &Method,
        target: PathAndQuery,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Received, UpstreamFault> {
        let call = Call {
            idempotent: method.is_idempotent(),
            method: method.clone(),
            target,
            headers,
            body: CallBody::Whole(body),
            total: Some(self.config.total_time),
        };
        let (head, body) = self.send(call).await?.into_parts();
        let body = self.whole(body).await?;
        Ok(Received { status: head.status, headers: head.headers, body })
    }

    /// The whole body of an answer.
    pub(crate) async fn whole(&self, body: UpstreamBody) -> Result<Bytes, UpstreamFault> {
        let collected = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|error| {
            let timed_out =
                error.downcast_ref::<io::Error>().map(io::Error::kind) == Some(io::ErrorKind::TimedOut);
            if error.is::<LengthLimitError>() {
                UpstreamFault::TooLarge
            } else if timed_out {
                UpstreamFault::Timeout(self.config.total_time)
            } else {
                UpstreamFault::Broken(error.to_string())
            }
        })?;
        Ok(collected.to_bytes())
    }

    /// Calls the service; its answer comes in as it is read. A kept-alive connection that was closed under the request is
    /// replaced at once, and a connection that is refused tried at another instance; a body that streams is sent once.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<UpstreamBody>, UpstreamFault> {
        let permit = Arc::clone(&self.permits)
            .try_acquire_owned()
            .map_err(|_| UpstreamFault::Shed(self.config.max_in_flight))?;
        let Call { method, target, headers, body, total, idempotent } = call;
        let deadline = total.map(|total| Instant::now() + total);
        let head_time = self.config.first_byte_time.unwrap_or(self.config.total_time);
        let head_by = Instant::now() + total.map_or(head_time, |total| total.min(head_time));
        let (mut whole, mut stream) = match body {
            CallBody::Whole(bytes) => (Some(bytes), None),
            CallBody::Stream(body) => (None, Some(body)),
        };
        let mut failed = None;
        let mut attempts = 0;
        loop {
            let body = match (&whole, stream.take()) {
                (Some(bytes), _) => Full::new(bytes.clone()).map_err(|never| match never {}).boxed(),
                (None, Some(body)) => {
                    whole = None;
                    body
                }
                (None, None) => return Err(UpstreamFault::Broken("a streamed body was spent".to_owned())),
            };
            let Some((at, instance)) = self.instances.pick(failed) else {
                return Err(UpstreamFault::NoConnection("no instance".to_owned()));
            };
            let counted = instance.begin();
            let mut request = Request::new(body);
            *request.method_mut() = method.clone();
            *request.uri_mut() = instance.uri(&target)?;
            *request.headers_mut() = headers.clone();
            let fault = match timeout_at(head_by, self.client.request(request)).await {
                Ok(Ok(response)) => {
                    let idle = self.config.idle_time;
                    return Ok(
                        response.map(|body| UpstreamBody::new(body, idle, deadline, (permit, counted)))
                    );
                }
                Ok(Err(error)) => Failed::sending(&error),
                Err(_) => {
                    return Err(UpstreamFault::Timeout(
                        head_by.duration_since(Instant::now()).max(head_time),
                    ));
                }
            };
            let unsent = matches!(fault.fault, UpstreamFault::NoConnection(_));
            let again = whole.is_some() && (unsent || (fault.was_closed && idempotent));
            if !again || attempts >= self.config.retries {
                return Err(fault.fault);
            }
            tracing::debug!(service = self.config.service, fault = %fault.fault, "a call is tried again");
            attempts += 1;
            // A connection that was closed says nothing of its instance.
            failed = unsent.then_some(at);
        }
    }
}

/// A failed attempt, and whether its connection was closed before any byte of an answer.
struct Failed {
    fault: UpstreamFault,
    was_closed: bool,
}

impl Failed {
    fn sending(error: &hyper_util::client::legacy::Error) -> Self {
        let text = chain(error);
        if error.is_connect() {
            return Self { fault: UpstreamFault::NoConnection(text), was_closed: false };
        }
        let inner = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
        let was_closed = inner
            .is_some_and(|inner| inner.is_incomplete_message() || inner.is_canceled() || inner.is_closed())
            || inner.and_then(|inner| inner.source()?.downcast_ref::<io::Error>()).is_some_and(|io| {
                matches!(io.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
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
