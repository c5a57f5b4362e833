//! What has been revoked, in memory: asked for every request, filled by this replica at once and from the database by a poll.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use contract::{SessionId, Timestamp, UserId};
use kit::database::{Database, DatabaseError};
use tokio_util::sync::CancellationToken;

use super::access_token::AccessClaims;
use crate::store::{
    login_attempts,
    revocations::{self, Revocation},
    sessions,
};

/// How often the database is asked for what other replicas revoked.
const POLL: Duration = Duration::from_millis(400);

/// Rows asked for again at each poll: on PostgreSQL a lower id may be committed after a higher one.
const OVERLAP: i64 = 256;

/// How often what has expired is deleted.
const PURGE: Duration = Duration::from_mins(10);

/// How long a count of failed log-ins stays after the last of them.
const ATTEMPTS_KEPT: Duration = Duration::from_hours(24);

/// How long an ended session stays in the table.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// Sessions and users whose tokens are refused.
#[derive(Default)]
pub(crate) struct Revoked {
    entries: RwLock<Entries>,
    any: AtomicBool,
    last: AtomicI64,
}

#[derive(Default)]
struct Entries {
    /// When the entry can go, in microseconds since 1970.
    sessions: HashMap<SessionId, i64>,
    /// Tokens up to the first moment are refused; when the entry can go. Both in microseconds since 1970.
    users: HashMap<UserId, (i64, i64)>,
}

impl Revoked {
    /// Whether a token with these claims is refused.
    pub(crate) fn refuses(&self, claims: &AccessClaims, user: Option<UserId>) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        if claims.sid.as_ref().is_some_and(|session| entries.sessions.contains_key(session)) {
            return true;
        }
        let Some((not_before, _)) = user.and_then(|user| entries.users.get(&user)) else { return false };
        claims.issued_milliseconds().is_none_or(|issued| issued <= not_before.div_euclid(1_000))
    }

    /// Refuses from now on what these rows name.
    pub(crate) fn add(&self, rows: &[Revocation]) {
        if rows.is_empty() {
            return;
        }
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            self.last.fetch_max(row.id, Ordering::Relaxed);
            match row.kind.as_str() {
                "session" => {
                    if let Ok(session) = row.subject.parse() {
                        entries.sessions.insert(session, row.expires_at);
                    }
                }
                _ => {
                    if let Ok(user) = row.subject.parse() {
                        let entry = entries.users.entry(user).or_default();
                        *entry = (entry.0.max(row.not_before), entry.1.max(row.expires_at));
                    }
                }
            }
        }
        self.any.store(true, Ordering::Release);
    }

    fn forget_expired(&self, now: Timestamp) {
        let now = now.microseconds();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.sessions.retain(|_, expires| *expires > now);
        entries.users.retain(|_, (_, expires)| *expires > now);
        let any = !entries.sessions.is_empty() || !entries.users.is_empty();
        self.any.store(any, Ordering::Release);
    }

    /// Reads what the database has beyond what is known.
    pub(crate) async fn catch_up(&self, database: &Database) -> Result<(), DatabaseError> {
        let after = self.last.load(Ordering::Relaxed).saturating_sub(OVERLAP);
        let rows = revocations::newer(database, after, kit::clock::now()).await?;
        self.add(&rows);
        Ok(())
    }

    /// Catches up and purges until told to stop.
    pub(crate) async fn follow(&self, database: &Database, shutdown: CancellationToken) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut purge = tokio::time::interval(PURGE);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = poll.tick() => {
                    if let Err(error) = self.catch_up(database).await {
                        tracing::warn!(%error, "revocations could not be read");
                    }
                }
                _ = purge.tick() => {
                    self.forget_expired(kit::clock::now());
                    if let Err(error) = purge_tables(database).await {
                        tracing::warn!(%error, "what has expired could not be deleted");
                    }
                }
            }
        }
    }
}

async fn purge_tables(database: &Database) -> Result<(), DatabaseError> {
    let now = kit::clock::now();
    let revocations = revocations::purge(database, now).await?;
    let past = Timestamp::new(now.date_time() - KEPT);
    let sessions = sessions::purge(database, past).await?;
    let attempts = login_attempts::purge(database, Timestamp::new(now.date_time() - ATTEMPTS_KEPT)).await?;
    if revocations + sessions + attempts > 0 {
        tracing::debug!(revocations, sessions, attempts, "what has expired was deleted");
    }
    Ok(())
}
