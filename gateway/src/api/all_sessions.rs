//! Everybody's sessions, for admins: who is signed in.

use std::sync::Arc;

use contract::{
    Problem, Role, SessionId, Timestamp, UserId,
    caller::CallerOf,
    document::Policy,
    operation::Access,
    payload::Json,
    problem::{Place, Violation},
    users::types::Nullable,
};
use poem::Request;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags, param::Query};
use serde::{Deserialize, Serialize};

use super::next_page::next_page;
use crate::identity::sessions::Sessions;

/// Rows a page, unless the client says otherwise.
const PAGE: u32 = 100;

/// What the operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![Policy::new("list_all_sessions", Access::Role(Role::ADMIN), &[]).scope("sessions:read")]
}

#[derive(Tags)]
enum Tag {
    /// Sessions of others.
    Sessions,
}

/// A sign-in that has not ended, and whose it is.
#[derive(Debug, Serialize, Deserialize, Object)]
struct UserSession {
    /// Names the session: the `sid` of its tokens.
    id: SessionId,
    /// Who signed in.
    user_id: UserId,
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
enum Listed {
    /// The sessions of this page, newest first
    #[oai(status = 200)]
    Ok(
        Json<Vec<UserSession>>,
        /// The next page, as `<…>; rel="next"`
        #[oai(header = "Link")]
        Option<String>,
    ),
}

fn not_a_session() -> Problem {
    Problem::invalid(vec![Violation {
        place: Place::Query,
        pointer: "/before".to_owned(),
        detail: "is no session".to_owned(),
    }])
}

/// The operation.
pub(crate) struct AllSessionsApi {
    pub(crate) sessions: Arc<Sessions>,
}

#[OpenApi]
impl AllSessionsApi {
    /// List everybody's sessions
    ///
    /// Those that have not ended, the newest sign-in first.
    #[oai(
        path = "/api_v1/sessions",
        method = "get",
        operation_id = "list_all_sessions",
        tag = "Tag::Sessions"
    )]
    async fn list_all_sessions(
        &self,
        caller: CallerOf,
        request: &Request,
        /// Rows a page; 100 if unset
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
        /// Only sessions older than this one: the last of the page before
        #[oai(validator(pattern = "^[0-9A-Za-z-]{1,64}$"))]
        before: Query<Option<String>>,
    ) -> Result<Listed, Problem> {
        let limit = limit.0.unwrap_or(PAGE);
        let before: Option<SessionId> =
            before.0.map(|text| text.parse()).transpose().map_err(|_| not_a_session())?;
        let rows = self.sessions.page(before.as_ref(), limit).await?;
        let full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
        let next = rows.last().filter(|_| full).map(|last| next_page(request, &last.id));
        let current = caller.0.session.as_ref();
        let sessions = rows.into_iter().map(|row| UserSession {
            current: Some(&row.id) == current,
            id: row.id,
            user_id: row.user,
            device: Nullable(row.device),
            address: Nullable(row.address),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        });
        Ok(Listed::Ok(Json(sessions.collect()), next))
    }
}
