//! The breaker under thousands of seeded schedules.

use proptest::prelude::*;

use super::*;

fn fails(breaker: &mut Breaker, times: u32, now: Instant) {
    for _ in 0..times {
        let admission = breaker.admit(now).unwrap();
        breaker.settle(admission, Outcome::Bad, now);
    }
}

#[test]
fn failures_in_a_row_open_it_one_probe_goes_through_and_then_more_and_more() {
    let now = Instant::now();
    let mut breaker = Breaker::new(Rules::default());
    fails(&mut breaker, 5, now);
    assert_eq!(breaker.position(), Position::Open);
    assert!(breaker.admit(now + Duration::from_millis(1999)).is_none());
    assert_eq!(breaker.retry_after(now), Duration::from_secs(2));
    let now = now + Duration::from_secs(2);
    let probe = breaker.admit(now).unwrap();
    assert!((0..10).all(|_| breaker.admit(now).is_none()), "one probe at a time");
    breaker.settle(probe, Outcome::Good, now);
    let mut in_flight: Vec<_> = std::iter::from_fn(|| breaker.admit(now)).collect();
    assert_eq!(in_flight.len(), 2);
    while breaker.position() == Position::Ramping {
        breaker.settle(in_flight.pop().unwrap(), Outcome::Good, now);
        in_flight.extend(std::iter::from_fn(|| breaker.admit(now)).take(50));
    }
    assert_eq!(breaker.position(), Position::Closed);
}

#[test]
fn a_probe_that_fails_doubles_the_wait_up_to_a_bound() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new(Rules::default());
    fails(&mut breaker, 5, now);
    for seconds in [2, 4, 8, 16, 30, 30] {
        assert_eq!(breaker.retry_after(now), Duration::from_secs(seconds));
        now += Duration::from_secs(seconds);
        fails(&mut breaker, 1, now);
    }
}

#[test]
fn what_says_nothing_neither_opens_nor_closes_it() {
    let now = Instant::now();
    let mut breaker = Breaker::new(Rules::default());
    for _ in 0..1000 {
        let admission = breaker.admit(now).unwrap();
        breaker.settle(admission, Outcome::Neutral, now);
    }
    assert_eq!(breaker.position(), Position::Closed);
    fails(&mut breaker, 5, now);
    let now = now + Duration::from_secs(2);
    let probe = breaker.admit(now).unwrap();
    breaker.settle(probe, Outcome::Neutral, now);
    assert_eq!(breaker.position(), Position::HalfOpen);
    assert!(breaker.admit(now).is_some(), "the next call is the probe");
}

#[test]
fn failures_far_apart_or_with_a_good_answer_between_do_not_open_it() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new(Rules::default());
    for _ in 0..100 {
        fails(&mut breaker, 4, now);
        let admission = breaker.admit(now).unwrap();
        breaker.settle(admission, Outcome::Good, now);
    }
    for _ in 0..100 {
        fails(&mut breaker, 1, now);
        now += Duration::from_secs(11);
    }
    assert_eq!(breaker.position(), Position::Closed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Whatever the order of calls, outcomes and time: an open breaker lets nothing through before its time, a half-open one
    /// lets one call through at a time, what was admitted before an opening can't close it, and it never stays shut for ever.
    #[test]
    fn it_keeps_its_rules_under_any_schedule(steps in prop::collection::vec((0_u8..6, 0_u64..1500, any::<prop::sample::Index>()), 1..300)) {
        let rules = Rules::default();
        let mut now = Instant::now();
        let mut breaker = Breaker::new(rules);
        let mut in_flight: Vec<Admission> = Vec::new();
        let mut opened: Option<Instant> = None;
        for (step, wait, which) in steps {
            now += Duration::from_millis(wait);
            let before = breaker.position();
            if step < 3 {
                if let Some(admission) = breaker.admit(now) {
                    if before == Position::Open {
                        prop_assert!(now >= opened.unwrap() + rules.open);
                    }
                    let current = in_flight.iter().filter(|other| other.generation == admission.generation).count();
                    if breaker.position() == Position::HalfOpen {
                        prop_assert_eq!(current, 0, "two probes");
                    }
                    in_flight.push(admission);
                }
            } else if !in_flight.is_empty() {
                let admission = in_flight.swap_remove(which.index(in_flight.len()));
                let outcome = [Outcome::Good, Outcome::Bad, Outcome::Neutral][usize::from(step - 3)];
                breaker.settle(admission, outcome, now);
                if before == Position::Open {
                    prop_assert_eq!(breaker.position(), Position::Open, "a late outcome changed it");
                }
                if outcome == Outcome::Neutral {
                    prop_assert_eq!(breaker.position(), before);
                }
                if breaker.position() == Position::Open && before != Position::Open {
                    prop_assert_eq!(outcome, Outcome::Bad);
                    opened = Some(now);
                }
            }
        }
        for admission in in_flight.drain(..) {
            breaker.settle(admission, Outcome::Neutral, now);
        }
        prop_assert!(breaker.admit(now + rules.open_most).is_some());
    }
}
