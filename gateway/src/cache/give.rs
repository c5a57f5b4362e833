//! Giving an answer out: what is stored, or what has just come, with `Age` and `Cache-Status` (RFC 9211).

use std::{fmt, io, time::SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Empty, Full};

use super::CacheBody;
use crate::policy::cache::{
    conditional,
    range::{self, Part},
    rules::Judged,
    stored::Stored,
};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// A stored answer to `request`; what is told of it goes into `Cache-Status`.
pub(super) fn stored(request: &Parts, stored: &Stored, now: SystemTime, told: &str) -> Response<CacheBody> {
    let judged = Judged::at(stored, now);
    let mut headers = stored.headers.clone();
    headers.insert(header::AGE, judged.age().into());
    mark(&mut headers, format_args!("{told}; ttl={}", judged.time_to_live()));
    if conditional::is_not_modified(&request.headers, stored.status, &stored.headers) {
        return with(StatusCode::NOT_MODIFIED, conditional::not_modified(headers), empty());
    }
    let length = stored.body.len();
    let (status, body) = match range::part(&request.headers, stored.status, &stored.headers, length) {
        Part::Whole => (stored.status, stored.body.clone()),
        Part::Bytes(bytes) => {
            let named = format!("bytes {}-{}/{length}", bytes.start, bytes.end.saturating_sub(1));
            insert(&mut headers, header::CONTENT_RANGE, &named);
            (StatusCode::PARTIAL_CONTENT, stored.body.slice(bytes))
        }
        Part::None => {
            insert(&mut headers, header::CONTENT_RANGE, &format!("bytes */{length}"));
            (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new())
        }
    };
    headers.remove(header::CONTENT_LENGTH);
    if status != StatusCode::NO_CONTENT {
        headers.insert(header::CONTENT_LENGTH, body.len().into());
    }
    let body = if request.method == Method::HEAD { empty() } else { whole(body) };
    with(status, headers, body)
}

/// What has just come, kept or not.
pub(super) fn came(request: &Parts, answer: Response<CacheBody>, told: &str) -> Response<CacheBody> {
    let (mut head, body) = answer.into_parts();
    let has_it = request.method == Method::GET
        && conditional::is_not_modified(&request.headers, head.status, &head.headers);
    mark(&mut head.headers, told);
    if has_it {
        return with(StatusCode::NOT_MODIFIED, conditional::not_modified(head.headers), empty());
    }
    Response::from_parts(head, body)
}

/// Adds what this cache did after what caches nearer to the service did.
pub(super) fn mark(headers: &mut HeaderMap, told: impl fmt::Display) {
    if let Ok(value) = HeaderValue::try_from(format!("platform; {told}")) {
        headers.append(CACHE_STATUS, value);
    }
}

/// What the cache did, in one word, by what it told last: there are so many and no more.
pub(super) fn result(headers: &HeaderMap) -> &'static str {
    let told = headers.get_all(CACHE_STATUS).iter().next_back().and_then(|told| told.to_str().ok());
    let told = told.and_then(|told| told.strip_prefix("platform; ")).unwrap_or_default();
    if told.starts_with("hit") {
        "hit"
    } else if told.ends_with("collapsed") {
        "collapsed"
    } else if told.ends_with("stale-if-error") {
        "stale_if_error"
    } else if ["fwd=method", "fwd=bypass", "fwd=request"].iter().any(|why| told.starts_with(why)) {
        "bypass"
    } else {
        "miss"
    }
}

pub(super) fn whole(body: Bytes) -> CacheBody {
    Full::new(body).map_err(io::Error::other).boxed()
}

pub(super) fn empty() -> CacheBody {
    Empty::new().map_err(io::Error::other).boxed()
}

pub(super) fn with(status: StatusCode, headers: HeaderMap, body: CacheBody) -> Response<CacheBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
