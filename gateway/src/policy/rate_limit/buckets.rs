//! The buckets of this replica: a bounded set, in which a flood of new keys does not push out those that are asked often.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::bucket::{Quota, Spent, microseconds, spend};

/// Buckets at most; about 20 MB.
const MOST: u64 = 100_000;

/// No bucket takes longer to be whole again than the longest window.
const KEPT: Duration = Duration::from_hours(24);

/// Buckets by key.
pub(crate) struct Buckets {
    begun: Instant,
    /// The moment at which each is whole again, in microseconds after `begun`.
    whole_at: moka::sync::Cache<Arc<str>, Arc<AtomicU64>>,
}

impl Buckets {
    /// None spent from yet; no call comes with an earlier clock than `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self::holding(MOST, now)
    }

    fn holding(most: u64, now: Instant) -> Self {
        let whole_at = moka::sync::Cache::builder().max_capacity(most).time_to_idle(KEPT).build();
        Self { begun: now, whole_at }
    }

    fn bucket(&self, key: &Arc<str>) -> Arc<AtomicU64> {
        match self.whole_at.get(key) {
            Some(bucket) => bucket,
            None => self.whole_at.get_with(Arc::clone(key), Arc::default),
        }
    }

    fn at(&self, now: Instant) -> u64 {
        microseconds(now.saturating_duration_since(self.begun))
    }

    /// Takes one call out of the bucket of `key`.
    pub(crate) fn spend(&self, key: &Arc<str>, quota: Quota, now: Instant) -> Spent {
        let (bucket, now) = (self.bucket(key), self.at(now));
        let mut known = bucket.load(Ordering::Relaxed);
        loop {
            let (spent, next) = spend(quota, known, now);
            match bucket.compare_exchange_weak(known, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return spent,
                Err(other) => known = other,
            }
        }
    }

    /// What the bucket says without a call, where it is empty.
    pub(crate) fn refuses(&self, key: &Arc<str>, quota: Quota, now: Instant) -> Option<Spent> {
        let bucket = self.whole_at.get(key)?;
        let (spent, _) = spend(quota, bucket.load(Ordering::Relaxed), self.at(now));
        (!spent.allowed).then_some(spent)
    }

    /// Notes what is spent of a bucket that all replicas share.
    pub(crate) fn learn(&self, key: &Arc<str>, spent: Spent, now: Instant) {
        self.bucket(key).fetch_max(self.at(now) + spent.missing, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_and_one_that_is_asked_often_stays() {
        let now = Instant::now();
        let buckets = Buckets::holding(1_000, now);
        let quota = Quota::new(5, Duration::from_mins(1)).unwrap();
        let hot: Arc<str> = "hot".into();
        for number in 0..50_000 {
            buckets.spend(&format!("flood {number}").into(), quota, now);
            if number % 10 == 0 {
                buckets.spend(&hot, quota, now);
            }
        }
        buckets.whole_at.run_pending_tasks();
        assert!(buckets.whole_at.entry_count() <= 1_000, "{}", buckets.whole_at.entry_count());
        assert!(!buckets.spend(&hot, quota, now).allowed);
    }

    #[test]
    fn threads_at_once_get_one_quota() {
        let now = Instant::now();
        let buckets = Buckets::new(now);
        let quota = Quota::new(100, Duration::from_mins(1)).unwrap();
        let passed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let spent = buckets.spend(&"one".into(), quota, now);
                        passed.fetch_add(u64::from(spent.allowed), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 100);
    }

    #[test]
    fn what_all_replicas_have_spent_is_spent_here_too() {
        let now = Instant::now();
        let buckets = Buckets::new(now);
        let quota = Quota::new(2, Duration::from_secs(10)).unwrap();
        let key: Arc<str> = "one".into();
        assert_eq!(buckets.refuses(&key, quota, now), None);
        buckets.learn(&key, Spent { allowed: true, missing: 10_000_000 }, now);
        buckets.learn(&key, Spent { allowed: true, missing: 5_000_000 }, now);
        assert!(buckets.refuses(&key, quota, now).is_some() && !buckets.spend(&key, quota, now).allowed);
        assert_eq!(buckets.refuses(&key, quota, now + Duration::from_secs(5)), None);
        assert!(buckets.spend(&key, quota, now + Duration::from_secs(5)).allowed);
    }
}
