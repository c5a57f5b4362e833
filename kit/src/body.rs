//! Reads request and answer bodies whole, within a size and a time.

use std::time::Duration;

use bytes::Bytes;
use contract::{Problem, ProblemKind};
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use poem::{Body, Request};

/// What a client hears whose body ends early, should it still listen.
const BROKEN_OFF: &str = "The body ended early";

/// What a request body may take.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit {
    /// Bytes, whether the length is announced or chunked.
    pub bytes: usize,
    /// From the head to the last byte.
    pub time: Duration,
}

impl Default for BodyLimit {
    fn default() -> Self {
        Self { bytes: 1024 * 1024, time: Duration::from_secs(30) }
    }
}

/// Takes the whole body out of a request.
///
/// # Errors
/// 413 over the size, 408 over the time, 400 for one that ends early, 415 for one that is compressed: it is not inflated.
pub async fn read(request: &mut Request, limit: BodyLimit) -> Result<Bytes, Problem> {
    check_coding(request.headers())?;
    check_announced(request.headers(), limit)?;
    let body: http_body_util::combinators::BoxBody<Bytes, std::io::Error> = request.take_body().into();
    match tokio::time::timeout(limit.time, Limited::new(body, limit.bytes).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit.bytes)),
        Ok(Err(error)) => Err(broken_off().because(error)),
        Err(_) => Err(too_slow()),
    }
}

/// Refuses a body that announces more than the limit.
///
/// # Errors
/// 413.
pub fn check_announced(headers: &HeaderMap, limit: BodyLimit) -> Result<(), Problem> {
    let announced: Option<u64> =
        headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match announced {
        Some(length) if length > limit.bytes as u64 => Err(too_large(limit.bytes)),
        _ => Ok(()),
    }
}

/// A body that is read must be readable (RFC 9110 §15.5.16); what it inflates to is nobody's limit then.
fn check_coding(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get_all(http::header::CONTENT_ENCODING).iter().all(|coding| coding == "identity") {
        return Ok(());
    }
    let told = "The body may have no content coding";
    Err(Problem::new(ProblemKind::UnsupportedMediaType, told)
        .header(http::header::ACCEPT_ENCODING, http::HeaderValue::from_static("identity")))
}

/// 413 for a body of more than `bytes`.
#[must_use]
pub fn too_large(bytes: usize) -> Problem {
    Problem::new(ProblemKind::BodyTooLarge, format!("The body may have {bytes} bytes at most"))
}

/// 408.
#[must_use]
pub fn too_slow() -> Problem {
    Problem::new(ProblemKind::RequestTimeout, "The body came too slowly")
}

/// 400 for a body that ended before its end.
#[must_use]
pub fn broken_off() -> Problem {
    Problem::new(ProblemKind::MalformedRequest, BROKEN_OFF)
}

/// Whether a problem is that a body ended before its end: its sender is gone, most likely.
#[must_use]
pub fn is_broken_off(problem: &Problem) -> bool {
    problem.kind == ProblemKind::MalformedRequest && problem.detail == BROKEN_OFF
}

/// Puts bytes back as a request's body.
pub fn put(request: &mut Request, bytes: Bytes) {
    request.set_body(Body::from(bytes));
}
