//! The one place where errors become problem answers.

use std::time::Duration;

use contract::{
    Problem, ProblemKind,
    problem::{PROBLEM_JSON, ProblemBody},
};
use http::{HeaderValue, StatusCode, header};
use poem::Response;

use crate::{
    database::DatabaseError,
    request_id::{self, RequestId},
};

/// When to try again while a database is away.
const DATABASE_RETRY: Duration = Duration::from_secs(1);

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        if error.is_unavailable() {
            Self::unavailable("Service unavailable", DATABASE_RETRY).because(error)
        } else {
            Self::internal(error)
        }
    }
}

/// Marks an answer of status 4xx or 5xx that has a body of its own on purpose (a health report).
#[derive(Debug, Clone, Copy)]
pub struct AsIs;

/// The problem that an error of poem, of poem-openapi or of ours stands for. Nothing of the framework's own words goes out.
#[must_use]
pub fn of_error(error: poem::Error) -> Problem {
    if let Some(problem) = error.downcast_ref::<Problem>() {
        return problem.clone();
    }
    let status = error.status();
    let told = error.to_string();
    let response = error.into_response();
    of_response(&response).unwrap_or_else(|| bare(status)).because_unless_told(told)
}

/// The problem that a framework's own answer of status 4xx or 5xx stands for; `None` for any other answer, and for one
/// that is a problem answer already (a service's, passed on).
#[must_use]
pub fn of_response(response: &Response) -> Option<Problem> {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    if response.extensions().get::<AsIs>().is_some() {
        return None;
    }
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let told = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == PROBLEM_JSON);
    (is_error && !told).then(|| bare(status))
}

fn bare(status: StatusCode) -> Problem {
    let kind = ProblemKind::of_status(status);
    match kind {
        ProblemKind::MissingCredentials => Problem::missing_credentials(),
        ProblemKind::Internal => Problem::internal("the framework answered 500"),
        ProblemKind::Unavailable => Problem::unavailable(kind.title(), Duration::from_secs(1)),
        _ => Problem::new(kind, kind.title()),
    }
}

/// Adds the framework's words for the log, where the problem has none of its own.
trait BecauseUnlessTold {
    fn because_unless_told(self, told: String) -> Self;
}

impl BecauseUnlessTold for Problem {
    fn because_unless_told(mut self, told: String) -> Self {
        self.cause.get_or_insert(told);
        self
    }
}

/// Writes a problem out.
#[must_use]
pub fn answer(problem: &Problem, instance: &str, request_id: &RequestId) -> Response {
    let body: ProblemBody = problem.body(instance, request_id.as_str());
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = Response::builder()
        .status(problem.kind.status())
        .header(header::CONTENT_TYPE, problem.media_type())
        .header(header::CACHE_CONTROL, "no-store")
        .body(body);
    for (name, value) in &problem.headers {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response.headers_mut().insert(request_id::HEADER, request_id.header_value());
    response
}

/// `no-store`, for every answer that carries a token or a problem.
#[must_use]
pub fn no_store() -> HeaderValue {
    HeaderValue::from_static("no-store")
}
