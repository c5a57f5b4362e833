//! Instances chosen under thousands of seeded standings.

use proptest::prelude::*;

use super::*;

fn standing() -> impl Strategy<Value = Standing> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 0_u32..50).prop_map(
        |(admits, is_tried, is_ejected, in_flight)| Standing { admits, is_tried, is_ejected, in_flight },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_call_goes_where_a_breaker_lets_it_and_fails_only_where_none_does(
        all in prop::collection::vec(standing(), 0..8),
        seed in any::<u64>(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let chosen = choose(&all, |below| random.usize(..below));
        match chosen {
            Some(index) => {
                prop_assert!(all[index].admits);
                let better = |other: &Standing| other.admits && !other.is_tried;
                prop_assert!(better(&all[index]) || !all.iter().any(better), "tried twice before another once");
            }
            None => prop_assert!(all.iter().all(|one| !one.admits)),
        }
    }

    #[test]
    fn never_more_than_half_are_left_out(count in 1_usize..9, ejected in 0_usize..9, seed in any::<u64>()) {
        let all: Vec<_> = (0..count)
            .map(|index| Standing { admits: true, is_tried: false, is_ejected: index < ejected, in_flight: 0 })
            .collect();
        let mut random = fastrand::Rng::with_seed(seed);
        let chosen: std::collections::BTreeSet<_> =
            (0..500).filter_map(|_| choose(&all, |below| random.usize(..below))).collect();
        prop_assert!(chosen.len() * 2 >= count, "{chosen:?}");
        prop_assert_eq!(chosen.len(), count - ejected.min(count / 2));
    }
}

#[test]
fn of_two_the_one_with_fewer_calls_in_flight_is_chosen() {
    let one = |in_flight| Standing { admits: true, is_tried: false, is_ejected: false, in_flight };
    let all = [one(9), one(1), one(9)];
    let mut random = fastrand::Rng::with_seed(7);
    let chosen = (0..3000).filter(|_| choose(&all, |below| random.usize(..below)) == Some(1)).count();
    assert!((1900..2100).contains(&chosen), "{chosen}: two of three pairs hold it");
}

#[test]
fn an_instance_of_which_a_fifth_fails_is_left_out_for_a_while_and_one_of_which_few_fail_is_not() {
    let now = Instant::now();
    let (mut sick, mut well) = (Record::default(), Record::default());
    for number in 0..100 {
        sick.add(if number % 4 == 0 { Outcome::Bad } else { Outcome::Good }, now);
        well.add(if number % 10 == 9 { Outcome::Bad } else { Outcome::Good }, now);
    }
    assert!(sick.is_ejected(now) && !well.is_ejected(now));
    assert!(!sick.is_ejected(now + EJECTED));
}

#[test]
fn what_says_nothing_of_an_instance_ejects_none() {
    let now = Instant::now();
    let mut record = Record::default();
    for _ in 0..1000 {
        record.add(Outcome::Neutral, now);
    }
    assert!(!record.is_ejected(now));
}
