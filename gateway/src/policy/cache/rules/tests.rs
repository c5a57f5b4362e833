//! The rules, one by one, at a fixed time.

use http::HeaderName;
use proptest::prelude::*;

use super::*;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

fn request(fields: &[(&str, &str)]) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.headers = map(fields);
    parts
}

fn stored(rule: &str) -> Stored {
    Stored::new(StatusCode::OK, map(&[("cache-control", rule)]), bytes::Bytes::new(), now())
}

fn storable(identity: &Identity, asked: &[(&str, &str)], answer: &[(&str, &str)]) -> bool {
    is_storable(identity, &request(asked), StatusCode::OK, &map(answer), now())
}

#[test]
fn an_answer_to_a_request_with_authorization_is_stored_where_the_service_shares_it_or_for_its_caller_alone() {
    let authorized = [("authorization", "Bearer x")];
    let nobody = Identity::Nobody;
    assert!(storable(&nobody, &[], &[("cache-control", "max-age=60")]));
    assert!(!storable(&nobody, &authorized, &[("cache-control", "max-age=60")]));
    for rule in ["public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate"] {
        assert!(storable(&nobody, &authorized, &[("cache-control", rule)]), "{rule}");
    }
    let user = Identity::User("7".into());
    assert!(storable(&user, &authorized, &[("cache-control", "max-age=60")]));
}

#[test]
fn what_is_private_sets_a_cookie_or_varies_by_everything_is_never_stored() {
    for identity in [Identity::Nobody, Identity::User("7".into())] {
        let fresh = ("cache-control", "public, max-age=60");
        for with in [
            ("set-cookie", "a=b"),
            ("vary", "accept, *"),
            ("cache-control", "Private"),
            ("cache-control", "NO-STORE"),
        ] {
            assert!(!storable(&identity, &[], &[fresh, with]), "{with:?}");
        }
        assert!(!storable(&identity, &[("cache-control", "no-store")], &[fresh]));
    }
}

#[test]
fn a_told_lifetime_holds_for_any_status_and_a_guessed_one_for_few() {
    let of = |status: u16, fields: &[(&str, &str)]| {
        is_storable(
            &Identity::Nobody,
            &request(&[]),
            StatusCode::from_u16(status).unwrap(),
            &map(fields),
            now(),
        )
    };
    let modified = ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT");
    assert!(of(404, &[modified]));
    assert!(!of(503, &[modified]));
    assert!(of(599, &[("cache-control", "max-age=60")]));
    assert!(!of(599, &[("cache-control", "max-age=60, must-understand")]));
    assert!(of(200, &[("cache-control", "max-age=60, must-understand, no-store")]));
    assert!(!of(206, &[("cache-control", "max-age=60")]));
    assert!(!of(304, &[("cache-control", "max-age=60")]));
}

#[test]
fn a_stale_answer_is_given_out_only_within_the_windows_its_service_opened() {
    let after = |rule: &str, seconds: u64| {
        let later = now() + Duration::from_secs(seconds);
        let kept = stored(rule);
        let judged = Judged::at(&kept, later);
        (judged.reuse(&HeaderMap::new(), later), judged.stands_in(&request(&[])))
    };
    assert_eq!(after("max-age=10", 5), (Reuse::Fresh, false));
    assert_eq!(after("max-age=10", 15), (Reuse::Ask, false));
    assert_eq!(after("max-age=10, stale-while-revalidate=10", 15), (Reuse::WhileRevalidating, false));
    assert_eq!(after("max-age=10, stale-while-revalidate=10", 25), (Reuse::Ask, false));
    assert_eq!(after("max-age=10, stale-if-error=10", 15), (Reuse::Ask, true));
    assert_eq!(after("max-age=10, stale-if-error=10, must-revalidate", 15), (Reuse::Ask, false));
    assert_eq!(after("s-maxage=10, stale-if-error=10", 15), (Reuse::Ask, true));
    assert_eq!(after("s-maxage=10, proxy-revalidate, stale-while-revalidate=10", 15), (Reuse::Ask, false));
}

#[test]
fn a_stand_in_is_allowed_by_the_settings_where_the_service_neither_says_nor_forbids_it() {
    let mut asked = request(&[]);
    asked.extensions.insert(StandIn(Duration::from_secs(30)));
    let stands_in = |rule: &str, after: u64| {
        Judged::at(&stored(rule), now() + Duration::from_secs(after)).stands_in(&asked)
    };
    assert!(stands_in("max-age=2", 31) && !stands_in("max-age=2", 32));
    assert!(stands_in("max-age=2, stale-if-error=5", 6) && !stands_in("max-age=2, stale-if-error=5", 7));
    for forbidden in ["max-age=2, must-revalidate", "max-age=2, proxy-revalidate", "s-maxage=2", "no-cache"] {
        assert!(!stands_in(forbidden, 3), "{forbidden}");
    }
    asked = request(&[("cache-control", "no-cache")]);
    asked.extensions.insert(StandIn(Duration::from_secs(30)));
    assert!(!Judged::at(&stored("max-age=2"), now() + Duration::from_secs(3)).stands_in(&asked));
}

#[test]
fn an_age_that_can_t_be_believed_makes_an_answer_stale() {
    for (age, fresh) in [
        ("30", true),
        ("0,7200", true),
        ("abc", false),
        ("-1", false),
        ("0, 0", false),
        ("7200;a=1", false),
        ("7200.0", false),
    ] {
        let mut stored = stored("max-age=3600");
        stored.headers.insert(header::AGE, age.parse().unwrap());
        let reuse = Judged::at(&stored, now()).reuse(&HeaderMap::new(), now());
        assert_eq!(reuse == Reuse::Fresh, fresh, "{age}");
    }
}

#[test]
fn a_client_may_ask_for_fresher_and_the_service_decides_how_stale() {
    let later = now() + Duration::from_secs(50);
    let answer = stored("max-age=60");
    let judged = Judged::at(&answer, later);
    let reuse = |rule: &str| judged.reuse(&map(&[("cache-control", rule)]), later);
    assert_eq!(reuse("max-age=60"), Reuse::Fresh);
    assert_eq!(reuse("max-age=40"), Reuse::Ask);
    assert_eq!(reuse("min-fresh=20"), Reuse::Ask);
    assert_eq!(reuse("no-cache"), Reuse::Ask);
    let later = now() + Duration::from_secs(70);
    let answer = stored("max-age=60, must-revalidate");
    let judged = Judged::at(&answer, later);
    assert_eq!(judged.reuse(&map(&[("cache-control", "max-stale=100")]), later), Reuse::Ask);
    assert_eq!(judged.time_to_live(), -10);
}

proptest! {
    #[test]
    fn a_request_that_says_nothing_of_caching_is_judged_as_by_the_whole_rules(
        rules in prop::sample::subsequence(
            vec!["max-age=60", "s-maxage=30", "public", "private", "no-cache", "no-store", "must-revalidate", "proxy-revalidate", "immutable"],
            0..5,
        ),
        age in prop::option::of(0..90_u32),
        after in 0..120_u64,
    ) {
        let mut answer = stored(&rules.join(", "));
        if let Some(age) = age {
            answer.headers.insert(header::AGE, age.into());
        }
        let later = now() + Duration::from_secs(after);
        let judged = Judged::at(&answer, later);
        let whole = matches!(
            judged.policy.before_request(&plain_request(&Directives::default()), later),
            BeforeRequest::Fresh(_)
        );
        prop_assert_eq!(judged.is_fresh_for(&Directives::default(), later), whole);
    }
}
