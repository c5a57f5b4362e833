//! Reading the audit log, and checking that nobody has changed it.

use std::sync::Arc;

use contract::{
    Problem, Role, Timestamp, document::Policy, operation::Access, payload::Json, users::types::Nullable,
};
use poem::Request;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags, param::Query};
use serde::{Deserialize, Serialize};

use super::next_page::next_page;
use crate::{
    identity::audit::Audit,
    store::audit::{Chain, Entry, Filter},
};

/// Rows a page, unless the client says otherwise.
const PAGE: u32 = 100;

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![
        Policy::new("list_audit", Access::Role(Role::ADMIN), &[]).scope("audit:read"),
        Policy::new("verify_audit", Access::Role(Role::ADMIN), &[]).scope("audit:read"),
    ]
}

#[derive(Tags)]
enum Tag {
    /// Who did what.
    Audit,
}

/// One thing that happened.
#[derive(Debug, Serialize, Deserialize, Object)]
struct AuditEntry {
    /// Rises with each entry.
    id: i64,
    /// When it happened.
    at: Timestamp,
    /// Who did it: a user's id, `operator`, `service:…` or `anonymous`.
    actor: String,
    /// What: the operation's id.
    action: String,
    /// On what: `users/…` or `sessions/…`.
    target: Nullable<String>,
    /// From where.
    address: Nullable<String>,
    /// The request, as in the logs.
    request_id: Nullable<String>,
    /// `done` or `refused`.
    outcome: String,
    /// What else there is to say.
    detail: Nullable<String>,
}

/// Whether the log is as it was written.
#[derive(Debug, Serialize, Deserialize, Object)]
struct AuditCheck {
    /// Every entry follows the one before.
    intact: bool,
    /// How many entries were checked, where all are intact.
    entries: Nullable<u64>,
    /// The first entry that was changed, or before which one is missing.
    broken_at: Nullable<i64>,
}

#[derive(ApiResponse)]
enum Listed {
    /// The entries of this page, newest first
    #[oai(status = 200)]
    Ok(
        Json<Vec<AuditEntry>>,
        /// The next page, as `<…>; rel="next"`
        #[oai(header = "Link")]
        Option<String>,
    ),
}

/// The operations.
pub(crate) struct AuditApi {
    pub(crate) audit: Arc<Audit>,
}

#[expect(clippy::too_many_arguments, reason = "one argument a documented query parameter")]
#[OpenApi]
impl AuditApi {
    /// List what happened
    ///
    /// Newest first.
    #[oai(path = "/api_v1/audit", method = "get", operation_id = "list_audit", tag = "Tag::Audit")]
    async fn list_audit(
        &self,
        request: &Request,
        /// Rows a page; 100 if unset
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
        /// Only entries below this id: the last of the page before
        #[oai(validator(minimum(value = "1")))]
        before: Query<Option<i64>>,
        /// Only entries above this id: what is new since
        #[oai(validator(minimum(value = "0")))]
        after: Query<Option<i64>>,
        /// Only what this actor did
        #[oai(validator(max_length = 100))]
        actor: Query<Option<String>>,
        /// Only this action
        #[oai(validator(max_length = 100))]
        action: Query<Option<String>>,
        /// Only what was done to this target
        #[oai(validator(max_length = 100))]
        target: Query<Option<String>>,
        /// Only what happened since this moment
        since: Query<Option<Timestamp>>,
    ) -> Result<Listed, Problem> {
        let filter =
            Filter { after: after.0, actor: actor.0, action: action.0, target: target.0, since: since.0 };
        let limit = limit.0.unwrap_or(PAGE);
        let rows = self.audit.page(&filter, before.0, limit).await?;
        let full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
        let next = rows.last().filter(|_| full).map(|(id, _)| next_page(request, id));
        Ok(Listed::Ok(Json(rows.into_iter().filter_map(|(id, entry)| listed(id, entry)).collect()), next))
    }

    /// Check the log
    ///
    /// Recomputes the chain of hashes from the first entry: whether any was changed, put in between or taken out.
    #[oai(path = "/api_v1/audit/check", method = "get", operation_id = "verify_audit", tag = "Tag::Audit")]
    async fn verify_audit(&self) -> Result<Json<AuditCheck>, Problem> {
        Ok(Json(match self.audit.verify().await? {
            Chain::Intact(entries) => {
                AuditCheck { intact: true, entries: Nullable(Some(entries)), broken_at: Nullable(None) }
            }
            Chain::Broken(id) => {
                AuditCheck { intact: false, entries: Nullable(None), broken_at: Nullable(Some(id)) }
            }
        }))
    }
}

fn listed(id: i64, entry: Entry) -> Option<AuditEntry> {
    Some(AuditEntry {
        id,
        at: Timestamp::from_microseconds(entry.at)?,
        actor: entry.actor,
        action: entry.action,
        target: Nullable(entry.target),
        address: Nullable(entry.address),
        request_id: Nullable(entry.request_id),
        outcome: entry.outcome,
        detail: Nullable(entry.detail),
    })
}
