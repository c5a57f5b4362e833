//! How old this replica's knowledge of what was revoked is.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// When the gateway's database was last asked with success, and whether the last attempt failed.
///
/// While the database is gone nobody can revoke anything by this replica, but another may still reach it. So tokens are taken on the
/// last known state for a while, and refused after it: an attacker who cuts a replica off gains no more than that.
#[derive(Debug)]
pub(crate) struct Freshness {
    begun: Instant,
    grace: Duration,
    /// Milliseconds after `begun`.
    asked: AtomicU64,
    lost: AtomicBool,
}

impl Freshness {
    /// Fresh now; stale once `grace` has passed without an answer of the database.
    pub(crate) fn new(grace: Duration) -> Self {
        Self { begun: Instant::now(), grace, asked: AtomicU64::new(0), lost: AtomicBool::new(false) }
    }

    /// The database was asked at `at`, and answered.
    pub(crate) fn answered(&self, at: Instant) {
        self.asked.fetch_max(self.since_begin(at), Ordering::Relaxed);
        self.lost.store(false, Ordering::Relaxed);
    }

    /// The database was asked, and did not answer; whether it did the time before.
    pub(crate) fn failed(&self) -> bool {
        !self.lost.swap(true, Ordering::Relaxed)
    }

    /// Whether the last attempt failed: what must be written there is refused before anything else is done.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether too much may have been revoked unseen to take a token.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_lost() && self.is_older_than_grace(Instant::now())
    }

    fn is_older_than_grace(&self, now: Instant) -> bool {
        let age = self.since_begin(now).saturating_sub(self.asked.load(Ordering::Relaxed));
        Duration::from_millis(age) > self.grace
    }

    fn since_begin(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_is_stale_once_the_grace_has_passed_without_an_answer() {
        let freshness = Freshness::new(Duration::from_secs(30));
        let at = |seconds| freshness.begun + Duration::from_secs(seconds);
        assert!(!freshness.is_older_than_grace(at(30)));
        assert!(freshness.is_older_than_grace(at(31)));
        freshness.answered(at(20));
        assert!(!freshness.is_older_than_grace(at(50)));
        assert!(freshness.is_older_than_grace(at(51)));
    }

    #[test]
    fn one_failure_is_a_loss_and_one_answer_ends_it() {
        let freshness = Freshness::new(Duration::ZERO);
        assert!(!freshness.is_lost());
        assert!(freshness.failed() && !freshness.failed());
        assert!(freshness.is_lost());
        freshness.answered(Instant::now());
        assert!(!freshness.is_lost() && !freshness.is_stale());
    }
}
