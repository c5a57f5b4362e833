//! Keeps this replica's knowledge of what was revoked, and of the signing keys, fresh: told by the database where it can tell (PostgreSQL's `NOTIFY`), and
//! asking it several times a second in any case.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kit::database::{Database, DatabaseError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{keyring::Keyring, purge::purge, revocation::Revoked};
use crate::store::revocations::CHANNEL;

/// How often the database is asked for what other replicas revoked, and for their keys.
const POLL: Duration = Duration::from_millis(400);

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often what has expired is deleted.
const PURGE: Duration = Duration::from_mins(10);

/// Follows the gateway's database.
pub(crate) struct Watch {
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) keyring: Arc<Keyring>,
    /// Connections that no request takes away, however many there are.
    pub(crate) database: Database,
}

impl Watch {
    /// Until told to stop.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let told = Notify::new();
        let listening = self.database.listen(CHANNEL, || told.notify_one(), shutdown.clone());
        tokio::join!(listening, self.follow(&told, shutdown));
        if let Err(error) = self.database.close().await {
            tracing::debug!(%error, "the watch's connections were not closed cleanly");
        }
    }

    async fn follow(&self, told: &Notify, shutdown: CancellationToken) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut purging = tokio::time::interval(PURGE);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = told.notified() => self.catch_up().await,
                _ = poll.tick() => self.catch_up().await,
                _ = purging.tick() => {
                    self.revoked.forget_expired(kit::clock::now());
                    if let Err(error) = purge(&self.database).await {
                        tracing::warn!(%error, "what has expired could not be deleted");
                    }
                }
            }
        }
    }

    async fn catch_up(&self) {
        let asked = Instant::now();
        let catching_up = async {
            self.revoked.catch_up(&self.database).await?;
            self.keyring.catch_up(&self.database).await
        };
        let answer = tokio::time::timeout(PATIENCE, catching_up).await;
        let fault = match answer {
            Ok(Ok(())) => {
                if self.revoked.freshness.is_lost() {
                    tracing::info!("the gateway's database answers again");
                }
                self.revoked.freshness.answered(asked);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        if self.revoked.freshness.failed() {
            tracing::error!(fault, "the gateway's database does not answer: what was revoked is not known");
        }
    }
}

/// Opens the watch's own connections and catches up once, so that a replica that has just started refuses what was revoked
/// before.
pub(crate) async fn begin(
    revoked: Arc<Revoked>,
    keyring: Arc<Keyring>,
    database: Database,
) -> Result<Watch, DatabaseError> {
    revoked.catch_up(&database).await?;
    Ok(Watch { revoked, keyring, database })
}
