//! What the gateway asks the users service for itself: passwords, and how a user stands.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use contract::{
    Email, Problem, ProblemKind, UserId,
    problem::{PROBLEM_JSON, ProblemBody},
    users::{Addressed, Credentials, Identity, NewCredentials, NewUser, PasswordReset, SERVICE, User},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::PathAndQuery};
use kit::request_id::{self, RequestId};
use serde::de::DeserializeOwned;

use super::{Received, Upstream};
use crate::identity::authenticate::{Authenticator, Verified};

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

    /// How a user stands now.
    ///
    /// # Errors
    /// 404 for one that is gone; else as any call.
    pub(crate) async fn existing(&self, id: UserId, request_id: &RequestId) -> Result<Identity, Problem> {
        self.identify(id, request_id).await?.ok_or_else(|| {
            Problem::new(ProblemKind::NotFound, "The user with this username does not exist in the system")
        })
    }

    /// The user with an address; `None` where there is none.
    ///
    /// # Errors
    /// As any call.
    pub(crate) async fn find(
        &self,
        email: &Email,
        request_id: &RequestId,
    ) -> Result<Option<Identity>, Problem> {
        let path = PathAndQuery::from_static("/internal/users/find");
        let body = serde_json::to_vec(&Addressed { email: email.clone() }).map_err(Problem::internal)?;
        match self.call(&Method::POST, path, body.into(), request_id).await {
            Ok(identity) => Ok(Some(identity)),
            Err(problem) if problem.kind == ProblemKind::NotFound => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Sets the password of a user who followed a link.
    ///
    /// # Errors
    /// The users service's refusal (400, 404, 412, 422, 503) as it is; else as any call.
    pub(crate) async fn reset_password(
        &self,
        id: UserId,
        reset: &PasswordReset,
        request_id: &RequestId,
    ) -> Result<Identity, Problem> {
        let path =
            PathAndQuery::try_from(format!("/internal/users/{id}/password")).map_err(Problem::internal)?;
        let body = serde_json::to_vec(reset).map_err(Problem::internal)?;
        self.call(&Method::PUT, path, body.into(), request_id).await
    }

    /// Notes that a user followed a link sent to this address.
    ///
    /// # Errors
    /// As [`Self::reset_password`].
    pub(crate) async fn verify_address(
        &self,
        id: UserId,
        email: &Email,
        request_id: &RequestId,
    ) -> Result<Identity, Problem> {
        let path = PathAndQuery::try_from(format!("/internal/users/{id}/verified-address"))
            .map_err(Problem::internal)?;
        let body = serde_json::to_vec(&Addressed { email: email.clone() }).map_err(Problem::internal)?;
        self.call(&Method::PUT, path, body.into(), request_id).await
    }

    /// Creates a user on behalf of `caller`.
    ///
    /// # Errors
    /// The users service's refusal (400, 403, 422, 503) as it is; else as any call.
    pub(crate) async fn create(
        &self,
        caller: &Verified,
        user: &NewUser,
        request_id: &RequestId,
    ) -> Result<User, Problem> {
        let body = serde_json::to_vec(user).map_err(Problem::internal)?;
        let path = PathAndQuery::from_static("/api_v1/users");
        self.call_for(caller, &Method::POST, path, body.into(), request_id).await
    }

    async fn call(
        &self,
        method: &Method,
        path: PathAndQuery,
        body: Bytes,
        request_id: &RequestId,
    ) -> Result<Identity, Problem> {
        self.call_for(self.authenticator.gateway(), method, path, body, request_id).await
    }

    async fn call_for<T: DeserializeOwned>(
        &self,
        caller: &Verified,
        method: &Method,
        path: PathAndQuery,
        body: Bytes,
        request_id: &RequestId,
    ) -> Result<T, Problem> {
        let authorization = self.authenticator.exchange(caller, SERVICE).map_err(Problem::internal)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization);
        headers.insert(request_id::HEADER, request_id.header_value());
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let received = self.upstream.call(method, path, headers, body).await?;
        if received.status == StatusCode::OK || received.status == StatusCode::CREATED {
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
        (403, Some(body)) => Problem::new(ProblemKind::Forbidden, body.detail),
        (404, Some(body)) => Problem::new(ProblemKind::NotFound, body.detail),
        (412, Some(body)) => Problem::new(ProblemKind::PreconditionFailed, body.detail),
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
