//! The audit log: who did what, on whom, from where, and how it ended.
//!
//! A row is written before its answer goes out, and in the database that the act itself needed: what is not audited is not
//! answered as done. A log-in that is refused before its password is looked at is counted by the throttle and not written here,
//! so that nobody can fill the log.

use std::{net::IpAddr, sync::Arc, time::Duration};

use contract::{Problem, Subject};
use kit::{
    database::{Database, DatabaseError},
    request_id::RequestId,
};

use super::revocation::Revoked;
use crate::store::audit::{self, Chain, Entry, Filter};

/// Where an act came from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) address: IpAddr,
    pub(crate) request_id: RequestId,
}

/// How an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Refused,
}

/// Something that is audited.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    /// As in the `sub` of a token; `anonymous` where nobody is signed in.
    pub(crate) actor: Subject,
    /// The operation's id.
    pub(crate) action: &'static str,
    /// Such as `users/7` or `sessions/…`.
    pub(crate) target: Option<String>,
    pub(crate) outcome: Outcome,
    /// Never holds a secret: what a client sent is not repeated here.
    pub(crate) detail: Option<String>,
}

impl Act {
    /// Something that was done.
    pub(crate) fn done(actor: Subject, action: &'static str, target: String) -> Self {
        Self { actor, action, target: Some(target), outcome: Outcome::Done, detail: None }
    }

    /// With what else there is to know of it.
    pub(crate) fn with(self, detail: Option<String>) -> Self {
        Self { detail, ..self }
    }
}

/// Writes and reads the log.
pub(crate) struct Audit {
    database: Database,
    revoked: Arc<Revoked>,
}

/// The log can't be written or read.
#[derive(Debug, thiserror::Error)]
#[error("the audit log: {0}")]
pub(crate) struct AuditFault(#[from] DatabaseError);

impl From<AuditFault> for Problem {
    fn from(AuditFault(error): AuditFault) -> Self {
        error.into()
    }
}

impl Audit {
    pub(crate) fn new(database: Database, revoked: Arc<Revoked>) -> Self {
        Self { database, revoked }
    }

    /// Refuses an act that could not be recorded now, before any of it is done.
    ///
    /// # Errors
    /// 503 while the database is gone.
    pub(crate) fn require_writable(&self) -> Result<(), Problem> {
        if self.revoked.freshness.is_lost() {
            return Err(Problem::unavailable("Service unavailable", Duration::from_secs(1))
                .because("the gateway's database is gone; a change could not be recorded"));
        }
        Ok(())
    }

    /// Writes what happened.
    pub(crate) async fn record(&self, act: Act, source: &Source) -> Result<(), AuditFault> {
        let entry = Entry {
            at: kit::clock::now().microseconds(),
            actor: act.actor.to_string(),
            action: act.action.to_owned(),
            target: act.target,
            address: Some(source.address.to_string()),
            request_id: Some(source.request_id.as_str().to_owned()),
            outcome: match act.outcome {
                Outcome::Done => "done",
                Outcome::Refused => "refused",
            }
            .to_owned(),
            detail: act.detail,
        };
        Ok(audit::append(&self.database, entry).await?)
    }

    /// Rows that the filter lets through, newest first, below the id `before`.
    pub(crate) async fn page(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, Entry)>, AuditFault> {
        Ok(audit::page(&self.database, filter, before, limit).await?)
    }

    /// Recomputes the chain of hashes.
    pub(crate) async fn verify(&self) -> Result<Chain, AuditFault> {
        Ok(audit::verify(&self.database).await?)
    }
}
