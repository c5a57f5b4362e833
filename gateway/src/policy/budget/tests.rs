//! The budget under thousands of seeded schedules.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn of_a_thousand_calls_that_fail_one_in_five_is_tried_again() {
    let now = Instant::now();
    let mut budget = Budget::new(now);
    let mut granted = 0;
    for _ in 0..1000 {
        budget.call(now);
        granted += u32::from(budget.withdraw(now));
    }
    assert_eq!(granted, 200);
    assert!(!budget.withdraw(now + Duration::from_secs(9)));
    assert!(budget.withdraw(now + Duration::from_secs(10)), "a few are allowed without any calls");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_budget_is_never_exceeded(steps in prop::collection::vec((any::<bool>(), 0_u64..3000), 1..200)) {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let (mut at, mut calls, mut retries) = (0, Vec::new(), Vec::new());
        for (is_call, wait) in steps {
            at += wait;
            let now = start + Duration::from_millis(at);
            if is_call {
                budget.call(now);
                calls.push(at / 1000);
            } else if budget.withdraw(now) {
                let recent = |all: &[u64]| all.iter().filter(|second| **second + 10 > at / 1000).count();
                retries.push(at / 1000);
                prop_assert!(recent(&retries) <= (recent(&calls) / 5).max(10));
            }
        }
    }
}
