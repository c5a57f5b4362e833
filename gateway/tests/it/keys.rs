//! Signing keys: published before they sign, followed by others without breaking a token, taken out of use at once.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use kit::{on_both_databases, testing::TestDatabase};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{Gateway, Tokens, UsersDouble, config, problem};

/// How long a replica may take to learn what another did.
const SECOND: Duration = Duration::from_secs(1);

/// Two gateways on one database.
async fn start(database: &TestDatabase, publish: Duration) -> (Gateway, Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let config = gateway::Config { key_publish_time: publish, ..config(database, &users.url()).await };
    let first = Gateway::start(config.clone()).await;
    let second = Gateway::start(config).await;
    users.serve(&first.url(""));
    (first, second, users)
}

async fn list(gateway: &Gateway, purpose: &str) -> Vec<Value> {
    let operator = gateway.operator().await;
    let answer = gateway.get("/api_v1/keys").bearer_auth(operator).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let keys: Vec<Value> = answer.json().await.unwrap();
    keys.into_iter().filter(|key| key["purpose"] == purpose).collect()
}

async fn change(gateway: &Gateway, path: &str, body: &Value) -> Value {
    let operator = gateway.operator().await;
    let answer =
        gateway.post(&format!("/api_v1/keys/{path}")).bearer_auth(operator).json(body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path} {body}");
    answer.json().await.unwrap()
}

async fn rotate(gateway: &Gateway, body: Value) -> Value {
    change(gateway, "rotate", &body).await
}

async fn retire(gateway: &Gateway, key: &Value) -> Value {
    change(gateway, &format!("{}/retire", key["kid"].as_str().unwrap()), &json!({})).await
}

/// The kids of a served set, in its order.
async fn served(gateway: &Gateway, path: &str) -> Vec<Value> {
    let set: Value = gateway.get(path).send().await.unwrap().json().await.unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

fn state<'k>(keys: &'k [Value], state: &str) -> Vec<&'k Value> {
    keys.iter().filter(|key| key["state"] == state).collect()
}

fn header(token: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

async fn within<F: Future>(time: Duration, what: &str, future: F) -> F::Output {
    tokio::time::timeout(time, future).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// One client: reads with its token, refreshes it, signs in again, at either gateway by turns.
async fn client(gateways: [&Gateway; 2], number: usize, stop: &AtomicBool, done: &AtomicUsize) {
    let mut tokens = gateways[0].sign_in("bob@example.com").await;
    let mut turn = number;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let gateway = gateways[turn % 2];
        match turn % 5 {
            0 => {
                let answer = gateway.refresh(&tokens.refresh).await;
                assert_eq!(answer.status(), 200);
                tokens = Tokens::of(&answer.json().await.unwrap());
            }
            1 if number == 0 => tokens = gateway.sign_in("bob@example.com").await,
            _ => assert_eq!(gateway.me(&tokens.access).await, 200),
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
}

on_both_databases! {
    async fn rotations_under_load_lose_no_request_over_two_gateways(database: TestDatabase) {
        let (first, second, _users) = start(&database, SECOND).await;
        let oldest = first.sign_in("ann@example.com").await;
        let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        let clients = (0..6).map(|number| client([&first, &second], number, &stop, &done));
        let rotations = async {
            for (number, algorithm) in ["ES256", "EdDSA", "ES256"].into_iter().enumerate() {
                let gateway = [&first, &second][number % 2];
                for purpose in ["access", "internal"] {
                    let next = rotate(gateway, json!({ "purpose": purpose, "algorithm": algorithm })).await;
                    let signs = async {
                        while state(&list(gateway, purpose).await, "active")[0]["kid"] != next["kid"] {}
                    };
                    within(20 * SECOND, "the next key signs", signs).await;
                }
                let before = done.load(Ordering::Relaxed);
                let used = async {
                    while done.load(Ordering::Relaxed) < before + 30 {
                        tokio::task::yield_now().await;
                    }
                };
                within(20 * SECOND, "the clients go on", used).await;
            }
            stop.store(true, Ordering::Relaxed);
        };
        tokio::join!(futures_util::future::join_all(clients), rotations);
        for gateway in [&first, &second] {
            assert_eq!(gateway.me(&oldest.access).await, 200);
            assert_eq!(header(&gateway.sign_in("ann@example.com").await.access)["alg"], "ES256");
        }
        assert_eq!(state(&list(&first, "access").await, "retired").len(), 3);
    }

    async fn the_served_set_holds_every_key_that_can_verify_and_a_restart_changes_nothing(database: TestDatabase) {
        let (first, second, _users) = start(&database, SECOND).await;
        let keys = list(&first, "access").await;
        let (active, next) = (state(&keys, "active")[0]["kid"].clone(), state(&keys, "next")[0]["kid"].clone());
        let path = "/.well-known/jwks.json";
        assert_eq!(served(&second, path).await, [active.clone(), next.clone()]);
        let old = first.sign_in("bob@example.com").await;
        assert_eq!(header(&old.access)["kid"], active);

        // The one that was published from the start signs at once, or as soon as it was published for a second.
        let rotated = rotate(&first, json!({ "purpose": "access" })).await;
        assert_eq!(rotated["kid"], next);
        let everywhere = async {
            while served(&first, path).await[0] != next || served(&second, path).await[0] != next {}
        };
        within(5 * SECOND, "the next key signs", everywhere).await;
        let new = second.sign_in("bob@example.com").await;
        assert_eq!(header(&new.access)["kid"], next);
        let keys = list(&second, "access").await;
        let third = state(&keys, "next")[0]["kid"].clone();
        let expected = [next, third, active];
        assert_eq!(served(&first, path).await, expected);
        let retired = state(&keys, "retired")[0];
        assert!(retired["verifies_until"].as_str() > retired["retired_at"].as_str(), "{retired}");

        let again = Gateway::start(first.config.clone()).await;
        assert_eq!(served(&again, path).await, expected);
        for gateway in [&first, &second, &again] {
            assert_eq!((gateway.me(&old.access).await, gateway.me(&new.access).await), (200, 200));
        }
        // Once its last token has expired a key is listed no more, and verifies nothing.
        let direct = database.open().await;
        let transaction = direct.begin_write().await.unwrap();
        let expired = "UPDATE signing_keys SET verifies_until = 1 WHERE state = 'retired'";
        transaction.execute_unprepared(expired).await.unwrap();
        transaction.commit().await.unwrap();
        let dropped = async { while served(&first, path).await.len() > 2 {} };
        within(SECOND, "the expired key is dropped", dropped).await;
        assert_eq!((first.me(&old.access).await, first.me(&new.access).await), (401, 200));
    }

    async fn a_key_retired_at_once_verifies_nothing_on_any_gateway_within_a_second(database: TestDatabase) {
        let (first, second, _users) = start(&database, Duration::from_mins(5)).await;
        let tokens = first.sign_in("bob@example.com").await;
        // Remembered as verified, on both.
        assert_eq!((first.me(&tokens.access).await, second.me(&tokens.access).await), (200, 200));
        let keys = list(&first, "access").await;
        let (active, next) = (state(&keys, "active")[0], state(&keys, "next")[0]);
        let retired = retire(&first, active).await;
        assert_eq!((&retired["state"], &retired["verifies_until"]), (&json!("retired"), &retired["retired_at"]));
        let answer = first.get("/api_v1/users/me").bearer_auth(&tokens.access).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"));
        problem(answer).await;
        let refused = async { while second.me(&tokens.access).await != 401 {} };
        within(SECOND, "the other gateway refuses it too", refused).await;
        for gateway in [&first, &second] {
            assert!(!served(gateway, "/.well-known/jwks.json").await.contains(&active["kid"]));
        }
        // The session goes on, with a token of the next key.
        let answer = second.refresh(&tokens.refresh).await;
        assert_eq!(answer.status(), 200);
        let renewed = Tokens::of(&answer.json().await.unwrap());
        assert_eq!(header(&renewed.access)["kid"], next["kid"]);
        let again = Gateway::start(first.config.clone()).await;
        for gateway in [&first, &second, &again] {
            assert_eq!((gateway.me(&tokens.access).await, gateway.me(&renewed.access).await), (401, 200));
        }
        assert_eq!(retire(&second, active).await["verifies_until"], retired["verifies_until"]);
    }

    async fn a_token_of_a_key_that_a_gateway_has_not_read_yet_is_taken(database: TestDatabase) {
        let (first, second, _users) = start(&database, Duration::from_mins(5)).await;
        for _ in 0..2 {
            // The key that signs after the second time did not exist before the first.
            retire(&first, state(&list(&first, "access").await, "active")[0]).await;
        }
        let tokens = first.sign_in("bob@example.com").await;
        assert_eq!(second.me(&tokens.access).await, 200);
    }

    async fn calls_to_services_go_on_under_another_internal_key_after_a_compromise(database: TestDatabase) {
        let (first, second, _users) = start(&database, Duration::from_mins(5)).await;
        let tokens = first.sign_in("bob@example.com").await;
        assert_eq!((first.me(&tokens.access).await, second.me(&tokens.access).await), (200, 200));
        let keys = list(&first, "internal").await;
        retire(&first, state(&keys, "active")[0]).await;
        assert_eq!(first.me(&tokens.access).await, 200);
        let learned = async { while served(&second, "/.well-known/internal-jwks.json").await != served(&first, "/.well-known/internal-jwks.json").await {} };
        within(SECOND, "the other gateway signs with the next key", learned).await;
        assert_eq!(second.me(&tokens.access).await, 200);
        assert!(!served(&second, "/.well-known/internal-jwks.json").await.contains(&state(&keys, "active")[0]["kid"]));
    }

    async fn every_change_of_keys_is_audited_and_for_admins_alone(database: TestDatabase) {
        let (gateway, _, _users) = start(&database, Duration::from_mins(5)).await;
        let (ann, bob) = (gateway.sign_in("ann@example.com").await, gateway.sign_in("bob@example.com").await);
        let keys = list(&gateway, "access").await;
        let kid = state(&keys, "next")[0]["kid"].as_str().unwrap();
        let retiring = format!("/api_v1/keys/{kid}/retire");
        let body = json!({ "purpose": "access", "algorithm": "ES256" });
        for (path, body) in [("/api_v1/keys/rotate", &body), (retiring.as_str(), &json!({}))] {
            assert_eq!(gateway.post(path).json(body).send().await.unwrap().status(), 401);
            assert_eq!(gateway.post(path).bearer_auth(&bob.access).json(body).send().await.unwrap().status(), 403);
        }
        assert_eq!(gateway.get("/api_v1/keys").bearer_auth(&bob.access).send().await.unwrap().status(), 403);
        assert_eq!(list(&gateway, "access").await, keys);
        assert_eq!(gateway.post(&retiring).bearer_auth(&ann.access).send().await.unwrap().status(), 200);
        let rotated = gateway.post("/api_v1/keys/rotate").bearer_auth(&ann.access).json(&body).send().await.unwrap();
        let rotated: Value = rotated.json().await.unwrap();
        assert_eq!((&rotated["state"], &rotated["algorithm"]), (&json!("next"), &json!("ES256")));
        assert!(rotated["signs_from"].as_str() > rotated["created_at"].as_str(), "{rotated}");
        let unknown = gateway.post("/api_v1/keys/nobody/retire").bearer_auth(&ann.access).send().await.unwrap();
        assert_eq!(unknown.status(), 404);
        problem(unknown).await;
        for body in [json!({}), json!({ "purpose": "x" }), json!({ "purpose": "access", "algorithm": "HS256" })] {
            let answer = gateway.post("/api_v1/keys/rotate").bearer_auth(&ann.access).json(&body).send().await.unwrap();
            assert_eq!(answer.status(), 422, "{body}");
        }
        let audited = gateway.get("/api_v1/audit?actor=1").bearer_auth(gateway.operator().await).send().await.unwrap();
        let audited: Vec<Value> = audited.json().await.unwrap();
        let told: Vec<(&str, &str, &str)> = audited[..2]
            .iter()
            .map(|entry| {
                let text = |name: &str| entry[name].as_str().unwrap();
                (text("action"), text("target").strip_prefix("keys/").unwrap(), text("detail"))
            })
            .collect();
        let next = rotated["kid"].as_str().unwrap();
        assert_eq!(told, [("rotate_key", next, "access, ES256"), ("retire_key", kid, "access, EdDSA")]);
    }
}

#[tokio::test]
async fn the_served_sets_hold_public_members_alone_and_may_be_kept_for_less_than_a_key_is_published_before() {
    let database = TestDatabase::sqlite();
    let (gateway, _, _users) = start(&database, Duration::from_mins(5)).await;
    rotate(&gateway, json!({ "purpose": "access", "algorithm": "ES256" })).await;
    for path in ["/.well-known/jwks.json", "/.well-known/internal-jwks.json"] {
        let answer = gateway.get(path).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/jwk-set+json");
        assert_eq!(answer.headers()["cache-control"], "public, max-age=240, stale-if-error=86400");
        let etag = answer.headers()["etag"].clone();
        let set: Value = answer.json().await.unwrap();
        for key in set["keys"].as_array().unwrap() {
            let mut members: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
            members.sort_unstable();
            match key["alg"].as_str().unwrap() {
                "EdDSA" => assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]),
                "ES256" => assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]),
                other => panic!("{other}"),
            }
        }
        let known = gateway.get(path).header("if-none-match", &etag).send().await.unwrap();
        assert_eq!((known.status().as_u16(), &known.headers()["etag"]), (304, &etag));
        assert!(known.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn private_halves_are_sealed_and_gone_once_a_key_is_retired() {
    let database = TestDatabase::sqlite();
    let (gateway, _, _users) = start(&database, Duration::from_mins(5)).await;
    retire(&gateway, state(&list(&gateway, "access").await, "active")[0]).await;
    let direct = database.open().await;
    let query = sea_orm::Statement::from_string(
        sea_orm::DbBackend::Sqlite,
        "SELECT state, private_sealed, public_jwk FROM signing_keys WHERE purpose = 'access'",
    );
    let rows = direct.reader().query_all_raw(query).await.unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let state: String = row.try_get("", "state").unwrap();
        let sealed: Vec<u8> = row.try_get("", "private_sealed").unwrap();
        // In clear it would begin as a PKCS #8 document does: a sequence that holds version 0 or 1.
        let clear = sealed.windows(4).any(|bytes| bytes[0] == 0x30 && bytes[2..] == [0x02, 0x01]);
        assert!(!clear && sealed.is_empty() == (state == "retired"), "{state} {}", sealed.len());
        let public: Value = serde_json::from_str(&row.try_get::<String>("", "public_jwk").unwrap()).unwrap();
        assert!(public.get("d").is_none());
    }
}
