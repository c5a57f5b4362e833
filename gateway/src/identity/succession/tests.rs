//! The rules of succession, over made-up keys and moments.

use proptest::prelude::*;

use super::*;

const PUBLISH: Duration = Duration::from_mins(5);
const LIFE: Duration = Duration::from_mins(15);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microseconds(seconds * 1_000_000).unwrap()
}

/// Keys that are made are numbered from `first`.
fn succession(
    keys: Vec<StoredKey>,
    first: usize,
    now: i64,
) -> Succession<impl FnMut(Algorithm) -> Result<StoredKey, SigningFault>> {
    let mut number = first;
    let make = move |algorithm: Algorithm| {
        number += 1;
        Ok(StoredKey {
            kid: format!("k{number}"),
            purpose: "access".to_owned(),
            algorithm: algorithm.name().to_owned(),
            state: State::Next,
            public_jwk: "{}".to_owned(),
            private_sealed: vec![1],
            created_at: at(now).microseconds(),
            activated_at: None,
            retired_at: None,
            verifies_until: None,
            longest_token: 0,
        })
    };
    Succession::new(keys, Terms { make, publish: PUBLISH, longest_token: LIFE, now: at(now) })
}

/// The keys after a step, as `kid state`.
fn told(keys: &[StoredKey]) -> Vec<String> {
    keys.iter().map(|key| format!("{} {:?}", key.kid, key.state)).collect()
}

fn begun() -> Vec<StoredKey> {
    let mut begun = succession(Vec::new(), 0, 0);
    begun.advance().unwrap();
    begun.keys
}

#[test]
fn an_empty_table_gets_an_active_and_a_next_key_and_a_full_one_stays() {
    let keys = begun();
    assert_eq!(told(&keys), ["k1 Active", "k2 Next"]);
    let mut later = succession(keys.clone(), 2, 1_000_000);
    later.advance().unwrap();
    assert_eq!(later.keys, keys);
}

#[test]
fn a_key_published_for_long_enough_signs_at_once_and_the_old_one_verifies_as_long_as_its_tokens_last() {
    let mut rotated = succession(begun(), 2, 301);
    assert_eq!(rotated.rotate(None).unwrap(), "k2");
    assert_eq!(told(&rotated.keys), ["k1 Retired", "k2 Active", "k3 Next"]);
    let old = &rotated.keys[0];
    assert_eq!(old.verifies_until, Some(at(301 + 15 * 60 + 120).microseconds()));
    assert!(old.private_sealed.is_empty());
    assert_eq!(rotated.keys[1].activated_at, Some(at(301).microseconds()));
}

#[test]
fn a_younger_key_waits_for_its_moment_and_asking_again_puts_it_off_no_further() {
    let mut rotated = succession(begun(), 2, 10);
    for _ in 0..2 {
        assert_eq!(rotated.rotate(None).unwrap(), "k2");
        assert_eq!(told(&rotated.keys), ["k1 Active", "k2 Next"]);
        assert_eq!(rotated.keys[1].activated_at, Some(at(300).microseconds()));
    }
    let mut early = succession(rotated.keys, 2, 299);
    early.advance().unwrap();
    assert_eq!(told(&early.keys), ["k1 Active", "k2 Next"]);
    let mut due = succession(early.keys, 2, 300);
    due.advance().unwrap();
    assert_eq!(told(&due.keys), ["k1 Retired", "k2 Active", "k3 Next"]);
}

#[test]
fn another_algorithm_is_published_before_it_signs_and_is_kept() {
    let mut rotated = succession(begun(), 2, 1_000);
    assert_eq!(rotated.rotate(Some(Algorithm::Es256)).unwrap(), "k3");
    assert_eq!(told(&rotated.keys), ["k1 Active", "k3 Next"]);
    let mut due = succession(rotated.keys, 3, 1_300);
    due.advance().unwrap();
    assert_eq!(told(&due.keys), ["k1 Retired", "k3 Active", "k4 Next"]);
    assert!(due.keys[1..].iter().all(|key| key.algorithm == "ES256"));
}

#[test]
fn a_compromised_key_verifies_nothing_from_now_whatever_its_state() {
    let verified_until = |keys: &[StoredKey], kid: &str| {
        keys.iter().find(|key| key.kid == kid).unwrap().verifies_until.unwrap()
    };
    let mut active = succession(begun(), 2, 10);
    assert!(active.retire("k1").unwrap());
    assert_eq!(told(&active.keys), ["k1 Retired", "k2 Active", "k3 Next"]);
    assert_eq!(verified_until(&active.keys, "k1"), at(10).microseconds());

    let mut next = succession(begun(), 2, 10);
    next.rotate(None).unwrap();
    assert!(next.retire("k2").unwrap());
    assert_eq!(told(&next.keys), ["k1 Active", "k2 Retired", "k3 Next"]);
    // The rotation that was asked for goes on, with a key that is published for as long.
    assert_eq!(next.keys[2].activated_at, Some(at(310).microseconds()));

    let mut retired = succession(begun(), 2, 400);
    retired.rotate(None).unwrap();
    let mut retired = succession(retired.keys, 3, 410);
    assert!(retired.retire("k1").unwrap());
    assert_eq!(verified_until(&retired.keys, "k1"), at(410).microseconds());
    let mut again = succession(retired.keys, 3, 500);
    assert!(again.retire("k1").unwrap());
    assert_eq!(verified_until(&again.keys, "k1"), at(410).microseconds());
    assert!(!again.retire("k9").unwrap());
}

#[test]
fn a_shorter_life_of_tokens_does_not_cut_off_the_longer_ones_signed_before() {
    let mut longer = succession(begun(), 2, 0);
    longer.terms.longest_token = Duration::from_hours(2);
    longer.advance().unwrap();
    let mut rotated = succession(longer.keys, 2, 400);
    rotated.rotate(None).unwrap();
    assert_eq!(rotated.keys[0].verifies_until, Some(at(400 + 2 * 3600 + 120).microseconds()));
}

#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Rotate(Option<Algorithm>),
    Retire(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let algorithm = prop_oneof![Just(None), Just(Some(Algorithm::EdDsa)), Just(Some(Algorithm::Es256))];
    prop_oneof![
        (0..700_i64).prop_map(Step::Wait),
        algorithm.prop_map(Step::Rotate),
        (0..6_usize).prop_map(Step::Retire),
    ]
}

proptest! {
    #[test]
    fn there_is_always_one_active_and_one_next_key_and_none_signs_unpublished_but_for_a_compromise(
        steps in prop::collection::vec(step(), 1..30),
    ) {
        let (mut keys, mut now, mut made) = (begun(), 0, 2);
        for step in steps {
            let before = keys.clone();
            let mut run = succession(keys, made, now);
            let mut compromised = false;
            match step {
                Step::Wait(seconds) => {
                    now += seconds;
                    run = succession(run.keys, made, now);
                    run.advance().unwrap();
                }
                Step::Rotate(algorithm) => {
                    run.rotate(algorithm).unwrap();
                }
                Step::Retire(index) => {
                    let kid = run.keys[index % run.keys.len()].kid.clone();
                    compromised = true;
                    prop_assert!(run.retire(&kid).unwrap());
                }
            }
            keys = run.keys;
            made += 2;
            for state in [State::Active, State::Next] {
                prop_assert_eq!(keys.iter().filter(|key| key.state == state).count(), 1);
            }
            for key in &keys {
                let was = before.iter().find(|old| old.kid == key.kid).map(|old| old.state);
                if key.state == State::Active && was != Some(State::Active) && !compromised {
                    prop_assert!(key.created_at + 300_000_000 <= at(now).microseconds());
                }
                prop_assert_eq!(key.private_sealed.is_empty(), key.state == State::Retired);
                prop_assert_eq!(key.verifies_until.is_some(), key.state == State::Retired);
                // Nothing comes back.
                prop_assert!(was != Some(State::Retired) || key.state == State::Retired);
            }
        }
    }
}
