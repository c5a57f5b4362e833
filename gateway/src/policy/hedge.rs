//! A second request beside one that takes long, at another instance: whichever answers first is used. It is a retry before its
//! time, and comes out of the same budget.

use std::time::{Duration, Instant};

use super::{budget::Budget, deadline::Deadline};

/// Whether one call is asked a second time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hedge {
    due: Option<Instant>,
}

impl Hedge {
    /// For a call that begins now. `is_safe` is whether doing it twice is doing it once, and whether it can be sent again.
    pub(crate) fn new(now: Instant, after: Option<Duration>, is_safe: bool) -> Self {
        Self { due: after.filter(|_| is_safe).and_then(|after| now.checked_add(after)) }
    }

    /// When the second request is due; `None` where there is none.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Asks for the second request, at its time: once a call, only if there is another instance and time, and within the budget.
    pub(crate) fn withdraw(
        &mut self,
        now: Instant,
        deadline: Deadline,
        has_another: bool,
        budget: &mut Budget,
    ) -> bool {
        let is_due = self.due.take().is_some_and(|due| now >= due);
        is_due && has_another && deadline.outlasts(now, Duration::ZERO) && budget.withdraw(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_off_unless_asked_for_and_never_for_what_may_not_be_done_twice() {
        let now = Instant::now();
        let after = Some(Duration::from_millis(100));
        assert_eq!(Hedge::new(now, None, true).due(), None);
        assert_eq!(Hedge::new(now, after, false).due(), None);
        assert_eq!(Hedge::new(now, after, true).due(), Some(now + Duration::from_millis(100)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn hedges_and_retries_together_never_exceed_the_budget_and_a_call_is_hedged_once(
            calls in prop::collection::vec((0_u64..400, 0_u64..300, any::<bool>(), any::<bool>(), 0_u64..500), 1..150),
        ) {
            let start = Instant::now();
            let mut budget = Budget::new(start);
            let (mut at, mut counted, mut granted) = (0, Vec::new(), Vec::new());
            for (wait, after, has_another, retries, total) in calls {
                at += wait;
                let now = start + Duration::from_millis(at);
                budget.call(now);
                counted.push(at / 1000);
                let mut hedge = Hedge::new(now, Some(Duration::from_millis(after)), true);
                let deadline = Deadline::new(now, Some(Duration::from_millis(total)));
                prop_assert!(after == 0 || !hedge.clone().withdraw(now, deadline, true, &mut Budget::new(now)));
                let due = now + Duration::from_millis(after);
                let first = hedge.withdraw(due, deadline, has_another, &mut budget);
                prop_assert!(!first || (has_another && total > after));
                prop_assert!(!hedge.withdraw(due, deadline, has_another, &mut budget), "hedged twice");
                at += after;
                let more = usize::from(first) + usize::from(retries && budget.withdraw(due));
                granted.extend(std::iter::repeat_n(at / 1000, more));
                let recent = |all: &[u64]| all.iter().filter(|second| **second + 10 > at / 1000).count();
                prop_assert!(recent(&granted) <= (recent(&counted) / 5).max(10));
            }
        }
    }
}
