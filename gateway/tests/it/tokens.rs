//! Which tokens open the public door: only our own access tokens, unspoilt.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::testing::TestDatabase;
use serde_json::{Value, json};

use crate::support::{Gateway, UsersDouble, config, problem, service_urls};

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let gateway = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

/// The token with another header or other claims, under the old signature.
fn bent(token: &str, part: usize, change: impl FnOnce(&mut Value)) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[part]).unwrap()).unwrap();
    change(&mut value);
    parts[part] = URL_SAFE_NO_PAD.encode(value.to_string());
    parts.join(".")
}

#[tokio::test]
async fn a_bent_token_is_401_with_a_challenge() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let token = gateway.sign_in("bob@example.com").await.access;
    let kids = ["../../dev/null", "' OR 1=1", &"k".repeat(5_000)];
    let mut bad: Vec<String> =
        kids.iter().map(|kid| bent(&token, 0, |header| header["kid"] = json!(kid))).collect();
    bad.extend([
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        "..".to_owned(),
        bent(&token, 0, |header| header["alg"] = json!("none")),
        bent(&token, 0, |header| header["alg"] = json!("HS256")),
        bent(&token, 0, |header| header["typ"] = json!("JWT")),
        bent(&token, 0, |header| header["crit"] = json!(["exp"])),
        bent(&token, 0, |header| header["jku"] = json!("http://127.0.0.1:1/")),
        bent(&token, 1, |claims| claims["sub"] = json!("1")),
        bent(&token, 1, |claims| claims["exp"] = json!(4_000_000_000_u64)),
        format!("{}.", token.rsplit_once('.').unwrap().0),
        "x".repeat(100_000).chars().take(20_000).collect(),
    ]);
    for token in bad {
        let answer = gateway.get("/api_v1/users/me").bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{token}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge} {token:.60}");
        problem(answer).await;
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case_and_other_schemes_are_no_credentials() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let token = gateway.sign_in("bob@example.com").await.access;
    let ask = |value: String| gateway.get("/api_v1/users/me").header("authorization", value).send();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(ask(format!("{scheme} {token}")).await.unwrap().status(), 200, "{scheme}");
    }
    for value in ["Basic dTpw".to_owned(), token.clone()] {
        let answer = ask(value).await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"platform\"");
    }
    for value in ["Bearer", "Bearer a b"] {
        assert_eq!(ask(value.to_owned()).await.unwrap().status(), 401, "{value}");
    }
    let twice = gateway.get("/api_v1/users/me").header("authorization", format!("Bearer {token}"));
    assert_eq!(twice.header("authorization", "Bearer x").send().await.unwrap().status(), 400);
    let query = gateway.get(&format!("/api_v1/users/me?access_token={token}")).send().await.unwrap();
    assert_eq!(query.status(), 401);
}

#[tokio::test]
async fn another_kind_of_token_is_refused() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let tokens = gateway.sign_in("bob@example.com").await;
    assert_eq!(gateway.me(&tokens.refresh).await, 401);
    // An internal token, made by the same gateway, is for services alone.
    let raw = crate::support::Raw::json("500 Internal Server Error", "{}").await;
    let spy =
        Gateway::start(gateway::Config { service_urls: service_urls(&raw.url()), ..gateway.config.clone() })
            .await;
    spy.get("/api_v1/users/me").bearer_auth(&tokens.access).send().await.unwrap();
    let request = raw.requests().await.remove(0);
    let internal = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap();
    assert_ne!(internal, tokens.access);
    assert_eq!(gateway.me(internal).await, 401);
}

#[tokio::test]
async fn an_operator_may_administer_and_has_no_account() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let operator = gateway.operator().await;
    assert_eq!(gateway.get("/api_v1/users").bearer_auth(&operator).send().await.unwrap().status(), 200);
    assert_eq!(gateway.me(&operator).await, 403);
}

#[tokio::test]
async fn the_key_sets_are_public_and_hold_no_private_member() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let token = gateway.sign_in("bob@example.com").await.access;
    let set: Value = gateway.get("/.well-known/jwks.json").send().await.unwrap().json().await.unwrap();
    let internal: Value =
        gateway.get("/.well-known/internal-jwks.json").send().await.unwrap().json().await.unwrap();
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
    assert_eq!(set["keys"][0]["kid"], header["kid"]);
    assert_ne!(internal["keys"][0]["kid"], header["kid"]);
    for key in [&set["keys"][0], &internal["keys"][0]] {
        let mut members: Vec<&String> = key.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
}
