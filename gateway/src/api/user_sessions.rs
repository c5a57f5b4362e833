//! Administration of others' sessions and of the throttle. The paths are below a user's; sessions and counts are the gateway's.

use std::sync::Arc;

use contract::{
    Caller, Problem, ProblemKind, Role, SessionId, UserId, caller::CallerOf, document::Policy,
    operation::Access, payload::Json,
};
use poem::Request;
use poem_openapi::{ApiResponse, OpenApi, Tags, param::Path};

use super::{
    audit_trail::AuditTrail,
    sessions::{Session, session},
};
use crate::{
    identity::{
        audit::Act,
        sessions::{Reason, Sessions},
        throttle::{Throttle, ThrottleFault},
    },
    services::proxied::request_id,
    upstream::UsersClient,
};

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    let admin = || Access::Role(Role::ADMIN);
    vec![
        Policy::new("list_user_sessions", admin(), &[404]).scope("sessions:read"),
        Policy::new("end_user_sessions", admin(), &[]).scope("sessions:write").recent(),
        Policy::new("end_user_session", admin(), &[404]).scope("sessions:write").recent(),
        Policy::new("unlock_user", admin(), &[404]).scope("users:write").recent(),
    ]
}

#[derive(Tags)]
enum Tag {
    /// Sessions of others.
    Sessions,
}

#[derive(ApiResponse)]
enum Done {
    /// Done
    #[oai(status = 204)]
    NoContent,
}

/// The operations.
pub(crate) struct UserSessionsApi {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) users: Arc<UsersClient>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) trail: AuditTrail,
}

#[OpenApi]
impl UserSessionsApi {
    /// List a user's sessions
    ///
    /// Those that have not ended, the last used first.
    #[oai(
        path = "/api_v1/users/:user_id/sessions",
        method = "get",
        operation_id = "list_user_sessions",
        tag = "Tag::Sessions"
    )]
    async fn list_user_sessions(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The user's id
        user_id: Path<UserId>,
    ) -> Result<Json<Vec<Session>>, Problem> {
        self.users.existing(user_id.0, &request_id(request)?).await?;
        let current = caller.0.session.as_ref();
        let listed = self.sessions.of_user(user_id.0).await?;
        Ok(Json(listed.into_iter().map(|listed| session(listed, current)).collect()))
    }

    /// End all sessions of a user
    ///
    /// All their tokens stop working at once. It can be done also while the users service is down, and for a user who is gone.
    #[oai(
        path = "/api_v1/users/:user_id/sessions",
        method = "delete",
        operation_id = "end_user_sessions",
        tag = "Tag::Sessions"
    )]
    async fn end_user_sessions(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The user's id
        user_id: Path<UserId>,
    ) -> Result<Done, Problem> {
        self.sessions.end_all_by(user_id.0, Reason::EndedByAdmin).await?;
        self.record(request, &caller.0, "end_user_sessions", format!("users/{}", user_id.0)).await
    }

    /// End one session of a user
    ///
    /// All its tokens stop working at once.
    #[oai(
        path = "/api_v1/users/:user_id/sessions/:session_id",
        method = "delete",
        operation_id = "end_user_session",
        tag = "Tag::Sessions"
    )]
    async fn end_user_session(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The user's id
        user_id: Path<UserId>,
        /// The session's id
        session_id: Path<SessionId>,
    ) -> Result<Done, Problem> {
        let own = self.sessions.of_user(user_id.0).await?;
        if !own.iter().any(|session| session.id == session_id.0) {
            return Err(Problem::new(ProblemKind::NotFound, "The user has no such session"));
        }
        self.sessions.end(&session_id.0, Reason::EndedByAdmin).await?;
        self.record(request, &caller.0, "end_user_session", format!("sessions/{}", session_id.0)).await
    }

    /// Unlock a user
    ///
    /// Forgets the failed attempts to sign in to the user's account, from wherever they came: the next one need not wait.
    #[oai(
        path = "/api_v1/users/:user_id/unlock",
        method = "post",
        operation_id = "unlock_user",
        tag = "Tag::Sessions"
    )]
    async fn unlock_user(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The user's id
        user_id: Path<UserId>,
    ) -> Result<Done, Problem> {
        let identity = self.users.existing(user_id.0, &request_id(request)?).await?;
        let forgotten = self.throttle.forget(identity.user.email.canonical()).await;
        forgotten.map_err(ThrottleFault::from)?;
        self.record(request, &caller.0, "unlock_user", format!("users/{}", user_id.0)).await
    }
}

impl UserSessionsApi {
    async fn record(
        &self,
        request: &Request,
        caller: &Caller,
        action: &'static str,
        target: String,
    ) -> Result<Done, Problem> {
        self.trail.record(request, Act::done(caller.subject.clone(), action, target)).await?;
        Ok(Done::NoContent)
    }
}
