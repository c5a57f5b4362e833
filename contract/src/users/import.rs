//! Bringing users of another system along, many at once, each with what became of it.

use std::future::Future;

use poem_openapi::{Enum, Object, OpenApi, Tags, param::Query};
use serde::{Deserialize, Serialize};

use super::types::Nullable;
use crate::{
    Caller, Problem, Role, Secret, UserId, Violation, caller::CallerOf, document::Policy, operation::Access,
    payload::Json,
};

/// The most rows of one request.
pub const MOST_ROWS: usize = 1000;

/// A user of another system. Loosely typed on purpose: what does not fit is told row by row, and the others are imported.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Object)]
#[serde(default)]
pub struct ImportedUser {
    /// The address; needed, and told row by row where it is missing.
    #[oai(default)]
    pub email: String,
    /// What the other system made of the password; without it the user has none, and gets in by a link or an admin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub password_hash: Option<Secret>,
    /// The given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub first_name: Option<String>,
    /// The family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub last_name: Option<String>,
    /// Whether the user may sign in; `true` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub is_active: Option<bool>,
    /// Roles that exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub roles: Option<Vec<String>>,
    /// Whether the user must set another password at the first sign-in; `false` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub must_change_password: Option<bool>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The user is created, or with `dry_run` would be.
    Created,
    /// A user with this address is there, and stays as it is.
    Exists,
    /// It does not fit.
    Refused,
}

/// A row's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct ImportedRow {
    /// Which row, from 0.
    pub row: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// The user's id, where there is one.
    pub id: Nullable<UserId>,
    /// Why it is refused.
    pub reason: Nullable<String>,
}

/// What became of all rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct ImportReport {
    /// How many users are created.
    pub created: u32,
    /// How many were there.
    pub exists: u32,
    /// How many rows are refused.
    pub refused: u32,
    /// Each row, in the order of the request.
    pub rows: Vec<ImportedRow>,
}

/// What the operation needs.
#[must_use]
pub fn policies() -> Vec<Policy> {
    vec![Policy::new("import_users", Access::Role(Role::ADMIN), &[]).scope("users:write").recent()]
}

#[derive(Tags)]
enum Tag {
    /// Accounts: who may sign in, and what they may do.
    Users,
}

/// What the users service does with users of another system.
pub trait ImportPort: Send + Sync + 'static {
    /// Creates those that are not there; with `dry_run` it only says which.
    fn import_users(
        &self,
        caller: &Caller,
        rows: Vec<ImportedUser>,
        dry_run: bool,
    ) -> impl Future<Output = Result<ImportReport, Problem>> + Send;
}

/// The operation over whatever implements it.
pub struct ImportApi<P> {
    port: P,
}

impl<P> ImportApi<P> {
    /// The operation, answered by `port`.
    pub fn new(port: P) -> Self {
        Self { port }
    }
}

#[OpenApi]
impl<P: ImportPort> ImportApi<P> {
    /// Import users
    ///
    /// Up to 1000 at once, with the hashes of their passwords. A user whose address is there stays as it is, so that a request can
    /// be sent again. All that are created are created together.
    #[oai(path = "/api_v1/users/import", method = "post", operation_id = "import_users", tag = "Tag::Users")]
    async fn import_users(
        &self,
        caller: CallerOf,
        /// Only say what would become of each row
        dry_run: Query<Option<bool>>,
        body: Json<Vec<ImportedUser>>,
    ) -> Result<Json<ImportReport>, Problem> {
        if body.0.len() > MOST_ROWS {
            let detail = format!("must have {MOST_ROWS} rows at most");
            return Err(Problem::invalid(vec![Violation::body("", detail)]));
        }
        self.port.import_users(&caller.0, body.0, dry_run.0.unwrap_or(false)).await.map(Json)
    }
}
