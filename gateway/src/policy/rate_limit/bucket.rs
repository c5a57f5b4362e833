//! The arithmetic of one bucket (GCRA): all that is kept of it is the moment at which it is whole again.

use std::time::Duration;

/// So many calls in a window, evenly. Times are in microseconds, which Valkey's numbers hold exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Quota {
    calls: u32,
    window: Duration,
}

impl Quota {
    /// Calls in any window at most: one a microsecond, and so one a second at the shortest of windows.
    pub(super) const MOST: u32 = 1_000_000;

    /// `calls` in a window of whole seconds; `None` where either is out of range.
    pub(super) fn new(calls: u32, window: Duration) -> Option<Self> {
        let in_range = (1..=Self::MOST).contains(&calls)
            && (Duration::from_secs(1)..=Duration::from_hours(24)).contains(&window);
        in_range.then_some(Self { calls, window })
    }

    pub(crate) fn calls(self) -> u32 {
        self.calls
    }

    pub(crate) fn window(self) -> Duration {
        self.window
    }

    /// What one call takes, in microseconds.
    pub(crate) fn cost(self) -> u64 {
        microseconds(self.window) / u64::from(self.calls)
    }

    /// What a full bucket holds, in microseconds.
    pub(crate) fn whole(self) -> u64 {
        self.cost() * u64::from(self.calls)
    }
}

/// What became of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) allowed: bool,
    /// Microseconds until the bucket is whole again.
    pub(crate) missing: u64,
}

impl Spent {
    /// Further calls that would be let through now.
    pub(crate) fn remaining(self, quota: Quota) -> u64 {
        quota.whole().saturating_sub(self.missing) / quota.cost()
    }

    /// When the bucket is whole again.
    pub(crate) fn reset(self) -> Duration {
        Duration::from_micros(self.missing)
    }

    /// When the next call is let through, in whole milliseconds and never too early.
    pub(crate) fn wait(self, quota: Quota) -> Duration {
        let wait = (self.missing + quota.cost()).saturating_sub(quota.whole());
        Duration::from_millis(wait.div_ceil(1_000))
    }
}

/// Takes one call out of a bucket that is whole again at `whole_at`; what is refused takes nothing.
///
/// A moment further away than a whole bucket can be (a clock was put back) counts as an empty bucket.
pub(super) fn spend(quota: Quota, whole_at: u64, now: u64) -> (Spent, u64) {
    let missing = whole_at.saturating_sub(now).min(quota.whole());
    let after = missing + quota.cost();
    if after > quota.whole() {
        (Spent { allowed: false, missing }, now + missing)
    } else {
        (Spent { allowed: true, missing: after }, now + after)
    }
}

pub(super) fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quota(calls: u32, seconds: u64) -> Quota {
        Quota::new(calls, Duration::from_secs(seconds)).unwrap()
    }

    #[test]
    fn a_whole_quota_passes_at_once_and_then_one_call_at_a_time() {
        let quota = quota(10, 60);
        let (mut whole_at, mut remaining) = (0, Vec::new());
        for _ in 0..10 {
            let (spent, next) = spend(quota, whole_at, 5);
            assert!(spent.allowed);
            (whole_at, remaining) = (next, [remaining, vec![spent.remaining(quota)]].concat());
        }
        assert_eq!(remaining, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        let (refused, next) = spend(quota, whole_at, 5);
        assert_eq!((refused.allowed, refused.remaining(quota), next), (false, 0, whole_at));
        assert_eq!(refused.wait(quota), Duration::from_secs(6));
        assert_eq!(refused.reset(), Duration::from_mins(1));
        let now = 5 + 6_000_000;
        assert!(!spend(quota, whole_at, now - 1).0.allowed);
        let (spent, next) = spend(quota, whole_at, now);
        assert!(spent.allowed && !spend(quota, next, now).0.allowed);
    }

    #[test]
    fn a_clock_that_is_put_back_empties_a_bucket_and_locks_nobody_out() {
        let quota = quota(10, 60);
        let (spent, next) = spend(quota, u64::MAX / 2, 1_000);
        assert!(!spent.allowed && spent.wait(quota) == Duration::from_secs(6));
        assert!(spend(quota, next, 1_000 + 6_000_000).0.allowed);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever the order and the gaps: in no stretch of time pass more than a quota and what came back meanwhile, a
        /// refused call passes once its wait is over and not before, and between two calls without a gap `remaining` falls.
        #[test]
        fn no_schedule_gets_more_than_the_quota_and_what_came_back(
            calls in 1_u32..50,
            seconds in 1_u64..100,
            gaps in prop::collection::vec(prop_oneof![Just(0_u64), 0_u64..50_000, 0_u64..20_000_000], 1..200),
        ) {
            let quota = quota(calls, seconds);
            let (mut now, mut whole_at, mut passed) = (1_000_u64, 0, Vec::new());
            let mut before: Option<Spent> = None;
            for gap in gaps {
                now += gap;
                let (spent, next) = spend(quota, whole_at, now);
                if spent.allowed {
                    passed.push(now);
                    if let Some(before) = before.filter(|_| gap == 0) {
                        prop_assert_eq!(spent.remaining(quota) + 1, before.remaining(quota));
                    }
                } else {
                    let wait = microseconds(spent.wait(quota));
                    prop_assert!(wait > 0 && wait < quota.cost() + 1_000);
                    prop_assert!(spend(quota, next, now + wait).0.allowed);
                    prop_assert!(!spend(quota, next, now + wait - 1_000).0.allowed);
                    prop_assert_eq!(spent.remaining(quota), 0);
                }
                prop_assert!(spent.reset() <= quota.window());
                (whole_at, before) = (next, Some(spent));
            }
            for (index, from) in passed.iter().enumerate() {
                for (count, to) in passed[index..].iter().enumerate() {
                    let came_back = (to - from) / quota.cost();
                    prop_assert!((count as u64) < u64::from(quota.calls()) + came_back);
                }
            }
        }
    }
}
