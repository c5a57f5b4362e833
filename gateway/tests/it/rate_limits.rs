//! Rate limits: one count for all replicas while Valkey is there, one for each while it is not, and no request that fails for it.

use std::time::{Duration, Instant};

use gateway::{Config, RateRule, ValkeyUrl};
use kit::{
    client_address::TrustedProxies,
    testing::{TestDatabase, TestValkey},
};
use reqwest::Response;
use secrecy::SecretString;

use crate::support::{Gateway, UsersDouble, config, problem};

/// Two gateways over one database, with these rules.
async fn two(rules: &str, valkey: Option<&TestValkey>) -> (Gateway, Gateway, UsersDouble, TestDatabase) {
    let database = TestDatabase::sqlite();
    let users = UsersDouble::bind().await;
    let config = Config {
        rate_limit: RateRule::list(rules).unwrap(),
        valkey: valkey.map(|valkey| ValkeyUrl::new(&SecretString::from(valkey.url())).unwrap()),
        trusted_proxies: TrustedProxies::parse(["127.0.0.1"]).unwrap(),
        upstream_time: Duration::from_secs(10),
        ..config(&database, &users.url()).await
    };
    let first = Gateway::start(config.clone()).await;
    users.serve(&first.url(""));
    let second = Gateway::start(config).await;
    (first, second, users, database)
}

/// An operation that costs little: 401 where no limit stands before it.
async fn ask(gateway: &Gateway, client: &str) -> Response {
    gateway.get("/api_v1/users/me").header("x-forwarded-for", client).send().await.unwrap()
}

fn seconds(answer: &Response, name: &str) -> u64 {
    answer.headers()[name].to_str().unwrap().parse().unwrap()
}

/// `r` and `t` of `RateLimit`.
fn left(answer: &Response) -> (u64, u64) {
    let told = answer.headers()["ratelimit"].to_str().unwrap();
    let (rest, time) = told.split_once(";r=").unwrap().1.split_once(";t=").unwrap();
    (rest.parse().unwrap(), time.parse().unwrap())
}

/// How many of 30 calls to each at once are let through; every answer holds the fields.
async fn passed(first: &Gateway, second: &Gateway, client: &str) -> usize {
    let calls = (0..60).map(|number| ask(if number % 2 == 0 { first } else { second }, client));
    let answers = futures_util::future::join_all(calls).await;
    let mut passed = 0;
    for answer in answers {
        assert!(matches!(answer.status().as_u16(), 401 | 429), "{}", answer.status());
        assert_eq!(answer.headers()["ratelimit-policy"], "\"gateway-address\";q=10;w=3600");
        let (rest, time) = left(&answer);
        assert!(rest < 10 && time <= 3600);
        passed += usize::from(answer.status() == 401);
    }
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_let_a_quota_through_with_valkey_and_one_each_without() {
    let valkey = TestValkey::start();
    let (first, second, _users, _database) = two("10/h by address", Some(&valkey)).await;
    assert_eq!(passed(&first, &second, "192.0.2.1").await, 10);
    assert_eq!(passed(&first, &second, "192.0.2.2").await, 10);
    let (first, second, _users, _database) = two("10/h by address", None).await;
    assert_eq!(passed(&first, &second, "192.0.2.1").await, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey_that_crashes_costs_no_request_and_is_shared_again_once_it_is_back() {
    let mut valkey = TestValkey::start();
    let (first, second, _users, _database) = two("10/h by address", Some(&valkey)).await;
    for _ in 0..6 {
        assert_eq!(ask(&first, "192.0.2.1").await.status(), 401);
    }
    valkey.stop();
    // What this replica knows to be spent stays spent; the other counts alone.
    let mut through = 0;
    for _ in 0..10 {
        through += usize::from(ask(&first, "192.0.2.1").await.status() == 401);
    }
    assert_eq!(through, 4);
    assert_eq!(passed(&first, &second, "192.0.2.2").await, 20);
    valkey.start_again();
    // Each client address is a bucket of its own: the first that both count together shows that both are back.
    let begun = Instant::now();
    for number in 0_u32.. {
        let client = format!("198.51.{}.{}", number / 250, number % 250);
        ask(&first, &client).await;
        if left(&ask(&second, &client).await).0 == 8 && left(&ask(&first, &client).await).0 == 7 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "never shared again");
        tokio::task::yield_now().await;
    }
    assert_eq!(passed(&first, &second, "192.0.2.3").await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey_that_hangs_is_waited_for_once_and_no_longer_than_a_moment() {
    let valkey = TestValkey::start();
    let (first, second, _users, _database) = two("10/h by address", Some(&valkey)).await;
    assert_eq!(ask(&first, "192.0.2.1").await.status(), 401);
    valkey.hold(true);
    let begun = Instant::now();
    for number in 0..40 {
        let answer = ask(&first, &format!("192.0.2.{number}")).await;
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("ratelimit"));
    }
    // 40 waits of 250 ms would be ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(passed(&first, &second, "203.0.113.1").await, 20);
    valkey.hold(false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_starts_without_valkey_and_limits_by_itself() {
    let mut valkey = TestValkey::start();
    valkey.stop();
    let (first, second, _users, _database) = two("10/h by address", Some(&valkey)).await;
    assert_eq!(passed(&first, &second, "192.0.2.1").await, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_falls_call_by_call_and_a_refusal_says_when_to_come_back() {
    for valkey in [None, Some(TestValkey::start())] {
        let (gateway, _, _users, _database) = two("5/min by address", valkey.as_ref()).await;
        let mut before = 5;
        for _ in 0..5 {
            let answer = ask(&gateway, "192.0.2.1").await;
            assert_eq!(answer.status(), 401);
            let (rest, time) = left(&answer);
            assert!(rest + 1 == before && (1..=60).contains(&time), "{rest} {time}");
            before = rest;
        }
        let refused = ask(&gateway, "192.0.2.1").await;
        assert_eq!(refused.status(), 429);
        assert!((1..=12).contains(&seconds(&refused, "retry-after")));
        assert_eq!((left(&refused).0, left(&refused).1 > 40), (0, true));
        assert_eq!(problem(refused).await["title"], "Too many requests");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forged_forwarding_field_opens_a_fresh_bucket() {
    let database = TestDatabase::sqlite();
    let users = UsersDouble::bind().await;
    let rate_limit = RateRule::list("5/h by address").unwrap();
    let gateway = Gateway::start(Config { rate_limit, ..config(&database, &users.url()).await }).await;
    users.serve(&gateway.url(""));
    let mut statuses = Vec::new();
    for number in 0..10 {
        let address = format!("1.2.3.{number}");
        let answer = gateway
            .get("/api_v1/users/me")
            .header("x-forwarded-for", &address)
            .header("forwarded", format!("for={address}"))
            .header("x-real-ip", &address)
            .header("true-client-ip", &address);
        let answer = answer.send().await.unwrap();
        let (rest, _) = left(&answer);
        assert!(rest < 5);
        if answer.status() == 429 {
            assert!((1..=720).contains(&seconds(&answer, "retry-after")));
        }
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429, 429, 429]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_counted_over_addresses_and_replicas_and_hinders_nobody_else() {
    let valkey = TestValkey::start();
    let (first, second, _users, _database) = two("3/h by user", Some(&valkey)).await;
    // Signing in is public: it counts by address.
    let ann = first.sign_in("ann@example.com").await;
    let bob = first.sign_in("bob@example.com").await;
    let me = async |gateway: &Gateway, token: &str, client: &str| {
        let get = gateway.get("/api_v1/users/me").bearer_auth(token).header("x-forwarded-for", client);
        get.send().await.unwrap().status().as_u16()
    };
    let mut found = Vec::new();
    for number in 0..4 {
        let gateway = if number % 2 == 0 { &first } else { &second };
        found.push(me(gateway, &ann.access, &format!("192.0.2.{number}")).await);
    }
    assert_eq!(found, [200, 200, 200, 429]);
    assert_eq!(me(&second, &bob.access, "192.0.2.0").await, 200);
    // A token that is no good counts against its address.
    let mut found = Vec::new();
    for number in 0..4 {
        found.push(me(&first, &format!("made-up-{number}"), "192.0.2.77").await);
    }
    assert_eq!(found, [401, 401, 401, 429]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_s_limit_holds_for_that_route_alone_and_tells_oauth_clients_in_their_words() {
    let (gateway, _, _users, _database) = two("2/h by route", None).await;
    let token = async || gateway.post("/api_v1/auth/token").send().await.unwrap();
    assert_eq!(token().await.status(), 400);
    assert_eq!(token().await.status(), 400);
    let refused = token().await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["content-type"]),
        (429, &"application/json".parse().unwrap())
    );
    let body: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(body["error"], "temporarily_unavailable");
    assert_eq!(ask(&gateway, "192.0.2.1").await.status(), 401);
    // What is no operation is not counted, and tells of no limit.
    let answer = gateway.get("/healthz").send().await.unwrap();
    assert!(answer.status() == 200 && !answer.headers().contains_key("ratelimit"));
}
