//! What has been revoked, in memory: asked for every request, filled by this replica at once and by `watch` from the database.

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

use super::{access_token::AccessClaims, freshness::Freshness};
use crate::store::revocations::{self, Revocation};

/// Beyond a token's own life, how long its revocation is remembered.
pub(crate) const MARGIN: Duration = Duration::from_mins(2);

/// Rows asked for again at each poll: on PostgreSQL a lower id may be committed after a higher one.
const OVERLAP: i64 = 256;

/// Sessions, users, service accounts, their secrets and single tokens that are refused.
pub(crate) struct Revoked {
    entries: RwLock<Entries>,
    any: AtomicBool,
    last: AtomicI64,
    /// How old all this is.
    pub(crate) freshness: Freshness,
}

#[derive(Default)]
struct Entries {
    /// When the entry can go, in microseconds since 1970.
    sessions: HashMap<SessionId, i64>,
    /// Tokens up to the first moment are refused; when the entry can go. Both in microseconds since 1970.
    users: HashMap<UserId, (i64, i64)>,
    /// The same for service accounts, by name.
    accounts: HashMap<String, (i64, i64)>,
    /// Secrets of service accounts; when the entry can go.
    secrets: HashMap<i64, i64>,
    /// Single tokens, by `jti`; when the entry can go.
    tokens: HashMap<String, i64>,
}

impl Revoked {
    /// Nothing yet; good for `grace` without news from the database.
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            entries: RwLock::default(),
            any: AtomicBool::new(false),
            last: AtomicI64::new(0),
            freshness: Freshness::new(grace),
        }
    }

    /// Whether a token with these claims is refused.
    pub(crate) fn refuses(&self, claims: &AccessClaims, user: Option<UserId>) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        if claims.sid.as_ref().is_some_and(|session| entries.sessions.contains_key(session)) {
            return true;
        }
        if entries.tokens.contains_key(&claims.jti)
            || claims.client_secret_id.is_some_and(|secret| entries.secrets.contains_key(&secret))
        {
            return true;
        }
        let account = claims.client_id.as_ref().and_then(|name| entries.accounts.get(name));
        let Some((not_before, _)) = user.and_then(|user| entries.users.get(&user)).or(account) else {
            return false;
        };
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
                "user" => {
                    if let Ok(user) = row.subject.parse() {
                        later(entries.users.entry(user).or_default(), row);
                    }
                }
                "service" => later(entries.accounts.entry(row.subject.clone()).or_default(), row),
                "secret" => {
                    if let Some(secret) = row.subject.rsplit_once('/').and_then(|(_, id)| id.parse().ok()) {
                        entries.secrets.insert(secret, row.expires_at);
                    }
                }
                "token" => {
                    entries.tokens.insert(row.subject.clone(), row.expires_at);
                }
                // A newer replica's: it refuses what this one can't know.
                _ => {}
            }
        }
        self.any.store(true, Ordering::Release);
    }

    /// Drops what has expired by itself.
    pub(crate) fn forget_expired(&self, now: Timestamp) {
        let now = now.microseconds();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.sessions.retain(|_, expires| *expires > now);
        entries.users.retain(|_, (_, expires)| *expires > now);
        entries.accounts.retain(|_, (_, expires)| *expires > now);
        entries.secrets.retain(|_, expires| *expires > now);
        entries.tokens.retain(|_, expires| *expires > now);
        let any = !(entries.sessions.is_empty()
            && entries.users.is_empty()
            && entries.accounts.is_empty()
            && entries.secrets.is_empty()
            && entries.tokens.is_empty());
        self.any.store(any, Ordering::Release);
    }

    /// Reads what the database has beyond what is known.
    pub(crate) async fn catch_up(&self, database: &Database) -> Result<(), DatabaseError> {
        let after = self.last.load(Ordering::Relaxed).saturating_sub(OVERLAP);
        let rows = revocations::newer(database, after, kit::clock::now()).await?;
        self.add(&rows);
        Ok(())
    }
}

/// A revocation of what there was one of already: the later of both.
fn later(entry: &mut (i64, i64), row: &Revocation) {
    *entry = (entry.0.max(row.not_before), entry.1.max(row.expires_at));
}
