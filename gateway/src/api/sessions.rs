//! A user's own sessions: where they are signed in, and how to end that.

use std::sync::Arc;

use contract::{
    Caller, Problem, ProblemKind, SessionId, Timestamp, UserId, caller::CallerOf, document::Policy,
    operation::Access, payload::Json, users::types::Nullable,
};
use poem::Request;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags, param::Path};
use serde::{Deserialize, Serialize};

use super::audit_trail::AuditTrail;
use crate::{
    identity::{
        audit::Act,
        sessions::{Reason, Sessions},
    },
    store::sessions::ListedSession,
};

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![
        Policy::new("list_sessions", Access::SignedIn, &[403]).scope("sessions:read"),
        Policy::new("end_session", Access::SignedIn, &[403, 404]).scope("sessions:write"),
        Policy::new("end_other_sessions", Access::SignedIn, &[403]).scope("sessions:write"),
    ]
}

#[derive(Tags)]
enum Tag {
    /// Signing in and out.
    Auth,
}

/// A sign-in that has not ended.
#[derive(Debug, Serialize, Deserialize, Object)]
pub(crate) struct Session {
    /// Names the session: the `sid` of its tokens.
    id: SessionId,
    /// The `User-Agent` that signed in.
    #[oai(validator(max_length = 256))]
    device: Nullable<String>,
    /// The address that signed in.
    #[oai(validator(max_length = 64))]
    address: Nullable<String>,
    /// When it signed in.
    created_at: Timestamp,
    /// When its tokens were last renewed.
    last_used_at: Timestamp,
    /// When it ends by itself unless its tokens are renewed before.
    expires_at: Timestamp,
    /// Whether this request belongs to it.
    current: bool,
}

#[derive(ApiResponse)]
enum Ended {
    /// Ended, with all tokens
    #[oai(status = 204)]
    NoContent,
}

/// The operations.
pub(crate) struct SessionsApi {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) trail: AuditTrail,
}

#[OpenApi]
impl SessionsApi {
    /// List my sessions
    ///
    /// Those that have not ended, the last used first.
    #[oai(path = "/api_v1/auth/sessions", method = "get", operation_id = "list_sessions", tag = "Tag::Auth")]
    async fn list_sessions(&self, caller: CallerOf) -> Result<Json<Vec<Session>>, Problem> {
        let user = user_of(&caller.0)?;
        let current = caller.0.session.as_ref();
        let listed = self.sessions.of_user(user).await?;
        Ok(Json(listed.into_iter().map(|listed| session(listed, current)).collect()))
    }

    /// End one of my sessions
    ///
    /// All its tokens stop working at once. The current one can be ended too.
    #[oai(
        path = "/api_v1/auth/sessions/:session_id",
        method = "delete",
        operation_id = "end_session",
        tag = "Tag::Auth"
    )]
    async fn end_session(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The session's id
        session_id: Path<SessionId>,
    ) -> Result<Ended, Problem> {
        let user = user_of(&caller.0)?;
        let own = self.sessions.of_user(user).await?;
        if !own.iter().any(|session| session.id == session_id.0) {
            return Err(Problem::new(ProblemKind::NotFound, "You have no such session"));
        }
        self.end(request, &caller.0, "end_session", &session_id.0).await?;
        Ok(Ended::NoContent)
    }

    /// End my other sessions
    ///
    /// Every session but the current one ends, with all its tokens.
    #[oai(
        path = "/api_v1/auth/sessions",
        method = "delete",
        operation_id = "end_other_sessions",
        tag = "Tag::Auth"
    )]
    async fn end_other_sessions(&self, caller: CallerOf, request: &Request) -> Result<Ended, Problem> {
        let user = user_of(&caller.0)?;
        for other in self.sessions.of_user(user).await? {
            if Some(&other.id) != caller.0.session.as_ref() {
                self.end(request, &caller.0, "end_other_sessions", &other.id).await?;
            }
        }
        Ok(Ended::NoContent)
    }
}

impl SessionsApi {
    async fn end(
        &self,
        request: &Request,
        caller: &Caller,
        action: &'static str,
        session: &SessionId,
    ) -> Result<(), Problem> {
        self.sessions.end(session, Reason::EndedByUser).await?;
        let target = format!("sessions/{session}");
        self.trail.record(request, Act::done(caller.subject.clone(), action, target)).await
    }
}

fn user_of(caller: &Caller) -> Result<UserId, Problem> {
    caller.user().ok_or_else(|| {
        Problem::new(ProblemKind::Forbidden, "This token stands for no user, and has no sessions")
    })
}

pub(crate) fn session(listed: ListedSession, current: Option<&SessionId>) -> Session {
    Session {
        current: Some(&listed.id) == current,
        id: listed.id,
        device: Nullable(listed.device),
        address: Nullable(listed.address),
        created_at: listed.created_at,
        last_used_at: listed.last_used_at,
        expires_at: listed.expires_at,
    }
}
