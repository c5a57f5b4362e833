//! How a call fails, and what a client hears of it: status, `Retry-After` and `Proxy-Status` (RFC 9209).

use std::{io, time::Duration};

use contract::{Problem, ProblemKind};
use http::{HeaderName, HeaderValue};

/// How often a client is told to try again in, where nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// How a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum UpstreamFault {
    /// Nobody listens.
    #[error("connection refused: {0}")]
    Refused(String),
    /// No way to the address.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The service's name has no address, and never had one.
    #[error("the name has no address: {0}")]
    Name(String),
    /// No instance takes calls now.
    #[error("no healthy instance, the next probe in {retry_after:?}")]
    NoInstance {
        /// When one may.
        retry_after: Duration,
    },
    /// As many calls in flight as may be.
    #[error("{0} calls are in flight already")]
    Shed(usize),
    /// No connection within the time.
    #[error("no connection in time: {0}")]
    ConnectTimeout(String),
    /// The service's certificate is not trusted, or is another's.
    #[error("the certificate is refused: {0}")]
    Certificate(String),
    /// No agreement on TLS.
    #[error("no TLS: {0}")]
    Tls(String),
    /// No answer, no whole answer, or no more of it within the time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection was closed before the head of an answer.
    #[error("the connection was closed before an answer: {0}")]
    Closed(String),
    /// What came is no HTTP.
    #[error("the answer is no HTTP: {0}")]
    Malformed(String),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Truncated(String),
    /// The answer is longer than the gateway reads.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// The client's body could not be read to its end.
    #[error("the client's body broke off: {0}")]
    ClientBody(io::ErrorKind),
    /// The request could not be put together.
    #[error("the request can't be composed: {0}")]
    Compose(String),
}

impl UpstreamFault {
    /// The `error` of `Proxy-Status`; `None` for what is not between gateway and service.
    pub(crate) fn proxy_error(&self) -> Option<&'static str> {
        Some(match self {
            Self::Refused(_) => "connection_refused",
            Self::Unreachable(_) => "destination_ip_unroutable",
            Self::Name(_) => "dns_error",
            Self::NoInstance { .. } => "destination_unavailable",
            Self::Shed(_) => "connection_limit_reached",
            Self::ConnectTimeout(_) => "connection_timeout",
            Self::Certificate(_) => "tls_certificate_error",
            Self::Tls(_) => "tls_protocol_error",
            Self::Timeout(_) => "http_response_timeout",
            Self::Closed(_) => "connection_terminated",
            Self::Malformed(_) => "http_protocol_error",
            Self::Truncated(_) => "http_response_incomplete",
            Self::TooLarge(_) => "http_response_body_size",
            Self::ClientBody(_) | Self::Compose(_) => return None,
        })
    }

    /// Whether an answer broke off on its way, and another may come whole.
    pub(super) fn is_of_the_way(&self) -> bool {
        matches!(self, Self::Truncated(_) | Self::Timeout(_))
    }

    /// As an error of an answer's body.
    pub(super) fn into_io(self) -> io::Error {
        let kind = match self {
            Self::Timeout(_) => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::UnexpectedEof,
        };
        io::Error::new(kind, self)
    }

    /// What an error of an answer's body stands for.
    pub(crate) fn of_body(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(|other| Self::Truncated(other.to_string()))
    }
}

impl From<UpstreamFault> for Problem {
    fn from(fault: UpstreamFault) -> Self {
        let unavailable = |after| Self::unavailable("Service unavailable", after);
        let problem = match &fault {
            UpstreamFault::Refused(_)
            | UpstreamFault::Unreachable(_)
            | UpstreamFault::Name(_)
            | UpstreamFault::Shed(_) => unavailable(RETRY_AFTER),
            UpstreamFault::NoInstance { retry_after } => unavailable(*retry_after),
            UpstreamFault::ConnectTimeout(_) | UpstreamFault::Timeout(_) => {
                Self::new(ProblemKind::UpstreamTimeout, "The service did not answer in time")
            }
            UpstreamFault::Certificate(_) | UpstreamFault::Tls(_) => {
                Self::new(ProblemKind::BadUpstream, "The service can't be trusted")
            }
            UpstreamFault::Closed(_)
            | UpstreamFault::Malformed(_)
            | UpstreamFault::Truncated(_)
            | UpstreamFault::TooLarge(_) => {
                Self::new(ProblemKind::BadUpstream, "The service's answer can't be used")
            }
            UpstreamFault::ClientBody(io::ErrorKind::TimedOut) => {
                Self::new(ProblemKind::RequestTimeout, "The body was sent too slowly")
            }
            UpstreamFault::ClientBody(io::ErrorKind::FileTooLarge) => {
                Self::new(ProblemKind::BodyTooLarge, "The body is too large")
            }
            UpstreamFault::ClientBody(_) => {
                Self::new(ProblemKind::MalformedRequest, "The body can't be read")
            }
            UpstreamFault::Compose(_) => Self::internal(""),
        };
        let problem = match fault.proxy_error().map(|error| format!("platform; error={error}")) {
            Some(told) => match HeaderValue::try_from(told) {
                Ok(told) => problem.header(PROXY_STATUS, told),
                Err(_) => problem,
            },
            None => problem,
        };
        problem.because(&fault)
    }
}
