//! Problem answers (RFC 9457): the one shape of every answer of status 4xx and 5xx.

use std::{borrow::Cow, fmt, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{Response, error::ResponseError};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaResponses, Registry},
};
use serde::{Deserialize, Serialize};

use crate::{Role, Scope};

/// The media type of every problem answer.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, as one of a closed list. Each has one status, one `type` and one `title`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// 400: the request can't be read (broken JSON, bad escapes, repeated keys).
    MalformedRequest,
    /// 400: the request is understood and refused, with a reason for people.
    Refused,
    /// 401: no credentials were sent.
    MissingCredentials,
    /// 401: credentials were sent and are not good.
    InvalidToken,
    /// 401: a service account did not prove itself.
    InvalidClient,
    /// 403: the caller may not do this.
    Forbidden,
    /// 403: the token lacks a role or scope.
    InsufficientScope,
    /// 401: the caller must sign in anew to do this (RFC 9470).
    RecentSignInRequired,
    /// 403: the password is right, and must be changed before it gets tokens.
    PasswordChangeRequired,
    /// 403: the password is right, and a code of the second factor must be shown beside it.
    SecondFactorRequired,
    /// 403: the password is right, and a second factor must be set up before any token is given out.
    SecondFactorEnrolmentRequired,
    /// 404.
    NotFound,
    /// 405, with `Allow`.
    MethodNotAllowed,
    /// 408: the client sent too slowly.
    RequestTimeout,
    /// 409: it would break a rule of the data.
    Conflict,
    /// 412: `If-Match` or `If-None-Match` does not hold.
    PreconditionFailed,
    /// 413.
    BodyTooLarge,
    /// 414.
    UriTooLong,
    /// 415.
    UnsupportedMediaType,
    /// 417: `Expect` holds something other than `100-continue`.
    ExpectationFailed,
    /// 426: the operation is a WebSocket.
    UpgradeRequired,
    /// 422: values that don't fit, listed in `errors`.
    InvalidValues,
    /// 429, with `Retry-After`.
    TooManyRequests,
    /// 431.
    HeadTooLarge,
    /// 500: a fault of ours; details are in the log only.
    Internal,
    /// 501: a method no route knows.
    NotImplemented,
    /// 502: a service's answer breaks its contract.
    BadUpstream,
    /// 503, with `Retry-After`.
    Unavailable,
    /// 504: a service did not answer in time.
    UpstreamTimeout,
    /// 505.
    HttpVersionNotSupported,
}

impl ProblemKind {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest | Self::Refused => StatusCode::BAD_REQUEST,
            Self::MissingCredentials
            | Self::InvalidToken
            | Self::InvalidClient
            | Self::RecentSignInRequired => StatusCode::UNAUTHORIZED,
            Self::Forbidden
            | Self::InsufficientScope
            | Self::PasswordChangeRequired
            | Self::SecondFactorRequired
            | Self::SecondFactorEnrolmentRequired => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::InvalidValues => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::BadUpstream => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::HttpVersionNotSupported => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }

    /// The last part of the `type` URI.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformed-request",
            Self::Refused => "refused",
            Self::MissingCredentials => "missing-credentials",
            Self::InvalidToken => "invalid-token",
            Self::InvalidClient => "invalid-client",
            Self::Forbidden => "forbidden",
            Self::InsufficientScope => "insufficient-scope",
            Self::RecentSignInRequired => "recent-sign-in-required",
            Self::PasswordChangeRequired => "password-change-required",
            Self::SecondFactorRequired => "second-factor-required",
            Self::SecondFactorEnrolmentRequired => "second-factor-enrolment-required",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::RequestTimeout => "request-timeout",
            Self::Conflict => "conflict",
            Self::PreconditionFailed => "precondition-failed",
            Self::BodyTooLarge => "body-too-large",
            Self::UriTooLong => "uri-too-long",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::ExpectationFailed => "expectation-failed",
            Self::UpgradeRequired => "upgrade-required",
            Self::InvalidValues => "invalid-values",
            Self::TooManyRequests => "too-many-requests",
            Self::HeadTooLarge => "head-too-large",
            Self::Internal => "internal-error",
            Self::NotImplemented => "not-implemented",
            Self::BadUpstream => "bad-upstream",
            Self::Unavailable => "unavailable",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::HttpVersionNotSupported => "http-version-not-supported",
        }
    }

    /// A short text for people, the same for every problem of this kind.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "Malformed request",
            Self::Refused => "Refused",
            Self::MissingCredentials => "Credentials are missing",
            Self::InvalidToken => "Invalid token",
            Self::InvalidClient => "Client authentication failed",
            Self::Forbidden => "Not allowed",
            Self::InsufficientScope => "Insufficient scope",
            Self::RecentSignInRequired => "A recent sign-in is needed",
            Self::PasswordChangeRequired => "The password must be changed",
            Self::SecondFactorRequired => "A second factor is needed",
            Self::SecondFactorEnrolmentRequired => "A second factor must be set up",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::RequestTimeout => "Request time-out",
            Self::Conflict => "Conflict",
            Self::PreconditionFailed => "Precondition failed",
            Self::BodyTooLarge => "Body too large",
            Self::UriTooLong => "URI too long",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::ExpectationFailed => "Expectation failed",
            Self::UpgradeRequired => "Upgrade required",
            Self::InvalidValues => "Invalid values",
            Self::TooManyRequests => "Too many requests",
            Self::HeadTooLarge => "Request head too large",
            Self::Internal => "Internal server error",
            Self::NotImplemented => "Not implemented",
            Self::BadUpstream => "Bad answer from a service",
            Self::Unavailable => "Service unavailable",
            Self::UpstreamTimeout => "A service did not answer in time",
            Self::HttpVersionNotSupported => "HTTP version not supported",
        }
    }

    /// The kind that stands for a status which came without one (from a framework).
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::MissingCredentials,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            409 => Self::Conflict,
            412 => Self::PreconditionFailed,
            413 => Self::BodyTooLarge,
            414 => Self::UriTooLong,
            415 => Self::UnsupportedMediaType,
            417 => Self::ExpectationFailed,
            422 => Self::InvalidValues,
            426 => Self::UpgradeRequired,
            429 => Self::TooManyRequests,
            431 => Self::HeadTooLarge,
            501 => Self::NotImplemented,
            502 => Self::BadUpstream,
            503 => Self::Unavailable,
            504 => Self::UpstreamTimeout,
            505 => Self::HttpVersionNotSupported,
            400..=499 => Self::MalformedRequest,
            _ => Self::Internal,
        }
    }
}

/// Where in the request a value that does not fit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, poem_openapi::Enum)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The JSON body.
    Body,
    /// The path.
    Path,
    /// The query string.
    Query,
    /// A header.
    Header,
}

/// One value that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Violation {
    /// Where the value stands.
    #[serde(rename = "in")]
    #[oai(rename = "in")]
    pub place: Place,
    /// A JSON Pointer (RFC 6901) into the body; for a parameter, `/` and its name.
    pub pointer: String,
    /// What is wrong with it, for people.
    pub detail: String,
}

impl Violation {
    /// A fault of the body at `pointer`.
    #[must_use]
    pub fn body(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { place: Place::Body, pointer: pointer.into(), detail: detail.into() }
    }

    /// A fault of the query parameter `name`.
    #[must_use]
    pub fn query(name: &str, detail: impl Into<String>) -> Self {
        Self { place: Place::Query, pointer: format!("/{name}"), detail: detail.into() }
    }
}

/// The body of a problem answer, as clients see it.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
#[oai(rename = "Problem")]
pub struct ProblemBody {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// The kind of problem, for people.
    pub title: String,
    /// The HTTP status, again.
    pub status: u16,
    /// What went wrong this time, for people.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
    /// Names this request in the logs.
    pub request_id: String,
    /// For the OAuth operations: the code of RFC 6749 §5.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// Beside `error`: `detail` again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if = "Option::is_none", default)]
    pub error_description: Option<String>,
    /// For 422: every value that does not fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[oai(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<Violation>,
}

/// A problem on its way to the client. The listener's outermost layer writes it as [`ProblemBody`].
///
/// `detail` is for the client and holds nothing of the inside; `cause` is for the log alone.
#[derive(Clone)]
pub struct Problem {
    /// Which kind.
    pub kind: ProblemKind,
    /// For the client.
    pub detail: Cow<'static, str>,
    /// For 422.
    pub violations: Vec<Violation>,
    /// For the log, never for the client.
    pub cause: Option<String>,
    /// For clients of OAuth: the code of RFC 6749 §5.2.
    pub error: Option<&'static str>,
    /// Headers of the answer, such as `Retry-After`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of this kind, told as `detail`.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            violations: Vec::new(),
            cause: None,
            error: None,
            headers: Vec::new(),
        }
    }

    /// 422 with these faults; `detail` tells the first and how many there are.
    #[must_use]
    pub fn invalid(violations: Vec<Violation>) -> Self {
        // A fault of the body as a whole has an empty pointer.
        let told = |fault: &Violation| match fault.pointer.as_str() {
            "" => fault.detail.clone(),
            pointer => format!("{pointer}: {}", fault.detail),
        };
        let detail = match violations.as_slice() {
            [] => "A value does not fit".to_owned(),
            [only] => told(only),
            [first, rest @ ..] => format!("{} (and {} more)", told(first), rest.len()),
        };
        Self { violations, ..Self::new(ProblemKind::InvalidValues, detail) }
    }

    /// 500; the cause goes to the log.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(ProblemKind::Internal, "Something went wrong on our side").because(cause)
    }

    /// 503 with `Retry-After` in whole seconds, one at least.
    #[must_use]
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self::new(ProblemKind::Unavailable, detail).retry_after(retry_after)
    }

    /// 401 without a token: `WWW-Authenticate` carries no `error` (RFC 6750 §3.1).
    #[must_use]
    pub fn missing_credentials() -> Self {
        Self::new(ProblemKind::MissingCredentials, "Missing Authorization Header")
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"platform\""))
    }

    /// 401 for a token that is not good.
    #[must_use]
    pub fn invalid_token(detail: &'static str) -> Self {
        Self::new(ProblemKind::InvalidToken, detail).header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"platform\", error=\"invalid_token\""),
        )
    }

    /// 401 for a service account that did not prove itself (RFC 6749 §5.2).
    #[must_use]
    pub fn invalid_client(detail: &'static str) -> Self {
        Self { error: Some("invalid_client"), ..Self::new(ProblemKind::InvalidClient, detail) }.header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"platform\", charset=\"UTF-8\""),
        )
    }

    /// 400 with a code of RFC 6749 §5.2, RFC 7009 §2.2.1 or RFC 8707 §2.
    #[must_use]
    pub fn oauth(error: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { error: Some(error), ..Self::new(ProblemKind::Refused, detail) }
    }

    /// The media type of its answer: clients of OAuth read a code from plain JSON alone (RFC 6749 §5.2).
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        if self.error.is_some() { "application/json" } else { PROBLEM_JSON }
    }

    /// As clients of OAuth expect it: with a code, and 400 for what does not fit.
    #[must_use]
    pub fn for_oauth(mut self) -> Self {
        self.error = self.error.or(Some(match (self.kind, self.kind.status().as_u16()) {
            (ProblemKind::InvalidToken, _) => "invalid_token",
            (_, 401) => "invalid_client",
            (_, 403) => "insufficient_scope",
            (_, 429 | 502 | 503 | 504) => "temporarily_unavailable",
            (_, 500..) => "server_error",
            _ => "invalid_request",
        }));
        if self.kind == ProblemKind::InvalidValues {
            self.kind = ProblemKind::MalformedRequest;
        }
        self
    }

    /// 403 for want of a role (RFC 6750 §3.1); no scope would help.
    #[must_use]
    pub fn insufficient_role(role: &Role) -> Self {
        let detail = format!("The role {role} is needed");
        let challenge = format!(
            "Bearer realm=\"platform\", error=\"insufficient_scope\", error_description=\"{detail}\""
        );
        let problem = Self::new(ProblemKind::InsufficientScope, detail);
        match HeaderValue::try_from(challenge) {
            Ok(challenge) => problem.header(header::WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }

    /// 401 for a sign-in that is too long ago; the challenge tells how long ago it may be (RFC 9470 §3).
    #[must_use]
    pub fn recent_sign_in(within: Duration) -> Self {
        let problem = Self::new(ProblemKind::RecentSignInRequired, "Sign in anew to do this");
        let challenge = format!(
            "Bearer realm=\"platform\", error=\"insufficient_user_authentication\", \
             error_description=\"A more recent sign-in is needed\", max_age={}",
            within.as_secs()
        );
        match HeaderValue::try_from(challenge) {
            Ok(challenge) => problem.header(header::WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }

    /// 403 for want of a scope, which the challenge names (RFC 6750 §3.1).
    #[must_use]
    pub fn insufficient_scope(scope: &Scope) -> Self {
        let challenge = format!("Bearer realm=\"platform\", error=\"insufficient_scope\", scope=\"{scope}\"");
        let problem =
            Self::new(ProblemKind::InsufficientScope, format!("The token's scopes do not hold {scope}"));
        match HeaderValue::try_from(challenge) {
            Ok(challenge) => problem.header(header::WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }

    /// With one more header on the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With `Retry-After`, in whole seconds, rounded up, one at least.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        self.header(header::RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)))
    }

    /// With a cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The body clients see.
    #[must_use]
    pub fn body(&self, instance: &str, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:platform:problem:{}", self.kind.slug()),
            title: self.kind.title().to_owned(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone().into_owned(),
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
            error: self.error.map(str::to_owned),
            error_description: self.error.map(|_| self.detail.clone().into_owned()),
            errors: self.violations.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Problem")
            .field("kind", &self.kind)
            .field("detail", &self.detail)
            .field("violations", &self.violations)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// An answer without a body that carries the problem; the outermost layer writes it out.
    fn as_response(&self) -> Response {
        let mut response = Response::builder().status(self.kind.status()).finish();
        for (name, value) in &self.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self.clone());
        response
    }
}

/// Problems are documented by [`crate::document`], from the operation's policy, not from types.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses { responses: Vec::new() }
    }

    fn register(_registry: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_never_in_the_body() {
        let body = Problem::internal("password=hunter2").body("/x", "r");
        assert!(!serde_json::to_string(&body).unwrap().contains("hunter2"));
    }

    #[test]
    fn retry_after_is_whole_seconds_rounded_up_and_never_zero() {
        for (wait, expected) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            let problem = Problem::unavailable("x", Duration::from_millis(wait));
            assert_eq!(problem.headers[0].1, expected);
        }
    }
}
