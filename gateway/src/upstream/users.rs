//! What the gateway asks the users service for itself: passwords, and how a user stands.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use contract::{
    Problem, ProblemKind, UserId,
    problem::{PROBLEM_JSON, ProblemBody},
    users::{Credentials, Identity, NewCredentials, SERVICE},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::PathAndQuery};
use kit::request_id::{self, RequestId};

use super::{Received, Upstream};
use crate::identity::authenticate::Authenticator;

/// The internal operations of the users service.
pub(crate) struct UsersClient {
    upstream: Arc<Upstream>,
    authenticator: Arc<Authenticator>,
}

impl UsersClient {
    pub(crate) fn new(upstream: Arc<Upstream>, authenticator: Arc<Authenticator>) -> Self {
        Self { upstream, authenticator }
    }

    /// Checks a password.
    ///
    /// # Errors
    /// The users service's refusal (400, 503) as it is; else as any call.
    pub(crate) async fn verify(
        &self,
        credentials: &Credentials,
        request_id: &RequestId,
    ) -> Result<Identity, Problem> {
        let body = serde_json::to_vec(credentials).map_err(Problem::internal)?;
        let path = PathAndQuery::from_static("/internal/credentials/verify");
        self.call(&Method::POST, path, body.into(), request_id).await
    }

    /// Checks a password and puts a new one in its place. The user's sessions are void then, and have yet to be ended.
    ///
    /// # Errors
    /// As [`UsersClient::verify`]; 422 for a new password that is not taken.
    pub(crate) async fn change(
        &self,
        credentials: &NewCredentials,
        request_id: &RequestId,
    ) -> Result<Identity, Problem> {
        let body = serde_json::to_vec(credentials).map_err(Problem::internal)?;
        let path = PathAndQuery::from_static("/internal/credentials/change");
        self.call(&Method::POST, path, body.into(), request_id).await
    }

    /// How a user stands now; `None` for one that is gone.
    ///
    /// # Errors
    /// As any call.
    pub(crate) async fn identify(
        &self,
        id: UserId,
        request_id: &RequestId,
    ) -> Result<Option<Identity>, Problem> {
        let path = PathAndQuery::try_from(format!("/internal/users/{id}")).map_err(Problem::internal)?;
        match self.call(&Method::GET, path, Bytes::new(), request_id).await {
            Ok(identity) => Ok(Some(identity)),
            Err(problem) if problem.kind == ProblemKind::NotFound => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    async fn call(
        &self,
        method: &Method,
        path: PathAndQuery,
        body: Bytes,
        request_id: &RequestId,
    ) -> Result<Identity, Problem> {
        let authorization =
            self.authenticator.exchange(self.authenticator.gateway(), SERVICE).map_err(Problem::internal)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization);
        headers.insert(request_id::HEADER, request_id.header_value());
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let received = self.upstream.call(method, path, headers, body).await?;
        if received.status == StatusCode::OK {
            return serde_json::from_slice(&received.body).map_err(|error| broken(error.to_string()));
        }
        Err(refusal(&received))
    }
}

/// A refusal of the users service that is meant for the client; anything else is a broken contract.
fn refusal(received: &Received) -> Problem {
    let told = received.headers.get(header::CONTENT_TYPE).is_some_and(|value| value == PROBLEM_JSON);
    let body: Option<ProblemBody> = told.then(|| serde_json::from_slice(&received.body).ok()).flatten();
    match (received.status.as_u16(), body) {
        (400, Some(body)) => Problem::new(ProblemKind::Refused, body.detail),
        (404, Some(body)) => Problem::new(ProblemKind::NotFound, body.detail),
        (422, Some(body)) => Problem::invalid(body.errors),
        (503, Some(body)) => {
            let wait =
                received.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Problem::unavailable(body.detail, Duration::from_secs(wait.unwrap_or(1)))
        }
        (status, _) => broken(format!("status {status}")),
    }
}

fn broken(cause: String) -> Problem {
    Problem::new(ProblemKind::BadUpstream, "The service's answer can't be used").because(cause)
}
