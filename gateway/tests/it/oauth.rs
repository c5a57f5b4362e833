//! Introspection, revocation and metadata: what a token is worth now, how it ends, and what is offered.

use kit::{on_both_databases, testing::TestDatabase};
use serde_json::{Value, json};

use crate::support::{Account, Gateway, UsersDouble, config, form};

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let gateway = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

async fn ask(gateway: &Gateway, account: &Account, path: &str, token: &str) -> reqwest::Response {
    let request = gateway.post(path).basic_auth(&account.name, Some(&account.secret));
    form(request, &[("token", token)]).await
}

async fn introspect(gateway: &Gateway, account: &Account, token: &str) -> Value {
    let answer = ask(gateway, account, "/api_v1/auth/introspect", token).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.json().await.unwrap()
}

async fn revoke(gateway: &Gateway, account: Option<&Account>, token: &str) -> reqwest::Response {
    match account {
        Some(account) => ask(gateway, account, "/api_v1/auth/revoke", token).await,
        None => form(gateway.post("/api_v1/auth/revoke"), &[("token", token)]).await,
    }
}

/// Nothing is told of a token that is not good.
fn inactive() -> Value {
    json!({ "active": false })
}

on_both_databases! {
    async fn a_good_token_is_told_with_what_it_says(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let auditor = gateway.account("auditor", &["tokens:introspect", "users:read"]).await;
        let bob = gateway.sign_in("bob@example.com").await;
        let access = introspect(&gateway, &auditor, &bob.access).await;
        assert_eq!((&access["active"], &access["sub"], &access["token_type"]), (&json!(true), &json!("2"), &json!("Bearer")));
        assert_eq!((&access["iss"], &access["aud"], &access["roles"]), (&json!("http://platform.test"), &json!("platform"), &json!(["user"])));
        assert!(access["exp"].is_i64() && access["sid"].is_string() && access.get("scope").is_none());
        let refresh = introspect(&gateway, &auditor, &bob.refresh).await;
        assert_eq!((&refresh["active"], &refresh["sub"], &refresh["sid"]), (&json!(true), &json!("2"), &access["sid"]));
        // To be asked about it uses no refresh token up.
        assert_eq!(gateway.refresh(&bob.refresh).await.status(), 200);
        let own = gateway.token_of(&auditor).await;
        let told = introspect(&gateway, &auditor, &own).await;
        assert_eq!((&told["client_id"], &told["sub"], &told["scope"]), (&json!("auditor"), &json!("service:auditor"), &json!("tokens:introspect users:read")));
        for bad in ["garbage", "a.b.c", "prt_x", &format!("{own}x")] {
            assert_eq!(introspect(&gateway, &auditor, bad).await, inactive(), "{bad}");
        }
        let internal: Value = gateway.grant(&auditor, &[("audience", "users")]).await.json().await.unwrap();
        assert_eq!(introspect(&gateway, &auditor, internal["access_token"].as_str().unwrap()).await, inactive());
    }

    async fn a_token_whose_user_session_or_account_does_not_stand_is_not_active(database: TestDatabase) {
        let (gateway, users) = start(&database).await;
        let auditor = gateway.account("auditor", &["tokens:introspect"]).await;
        // Disabled, deleted and changed behind the gateway's back, where no revocation tells of it.
        let (bob, ann) = (gateway.sign_in("bob@example.com").await, gateway.sign_in("ann@example.com").await);
        users.change(2, |user, _| user.is_active = false);
        users.change(1, |_, epoch| *epoch += 1);
        for token in [&bob.access, &bob.refresh, &ann.access, &ann.refresh] {
            assert_eq!(introspect(&gateway, &auditor, token).await, inactive());
        }
        users.change(2, |user, _| user.is_active = true);
        assert_eq!(introspect(&gateway, &auditor, &bob.access).await["active"], true);
        users.remove(2);
        for token in [&bob.access, &bob.refresh] {
            assert_eq!(introspect(&gateway, &auditor, token).await, inactive());
        }
        let ann = gateway.sign_in("ann@example.com").await;
        gateway.post("/api_v1/auth/logout").bearer_auth(&ann.access).send().await.unwrap();
        for token in [&ann.access, &ann.refresh] {
            assert_eq!(introspect(&gateway, &auditor, token).await, inactive());
        }
        let orders = gateway.account("orders", &["users:read"]).await;
        let token = gateway.token_of(&orders).await;
        assert_eq!(introspect(&gateway, &auditor, &token).await["active"], true);
        gateway.administer("PATCH", "/orders", Some(json!({ "is_active": false }))).await;
        assert_eq!(introspect(&gateway, &auditor, &token).await, inactive());
    }

    async fn a_token_of_a_user_ends_its_session_for_whoever_holds_it(database: TestDatabase) {
        let (first, _users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        for by_refresh in [true, false] {
            let (bob, other) = (first.sign_in("bob@example.com").await, first.sign_in("bob@example.com").await);
            let token = if by_refresh { &bob.refresh } else { &bob.access };
            let answer = revoke(&first, None, token).await;
            assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, ""));
            assert_eq!((first.me(&bob.access).await, first.refresh(&bob.refresh).await.status().as_u16()), (401, 401));
            let ended = async { while second.me(&bob.access).await != 401 {} };
            tokio::time::timeout(std::time::Duration::from_secs(1), ended).await.expect("revoked within a second");
            assert_eq!(first.me(&other.access).await, 200);
            // Once more, and whatever is no token: done is done.
            for token in [token.as_str(), "garbage", "prt_x"] {
                assert_eq!(revoke(&first, None, token).await.status(), 200);
            }
        }
    }

    async fn an_account_ends_its_own_tokens_and_nobody_else_s(database: TestDatabase) {
        let (first, _users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        let orders = first.account("orders", &["users:read"]).await;
        let billing = first.account("billing", &["users:read"]).await;
        let (one, other) = (first.token_of(&orders).await, first.token_of(&orders).await);
        let refused = revoke(&first, Some(&billing), &one).await;
        assert_eq!((refused.status().as_u16(), refused.json::<Value>().await.unwrap()["error"].clone()), (400, json!("invalid_grant")));
        assert_eq!(revoke(&first, None, &one).await.status(), 401);
        let bob = first.sign_in("bob@example.com").await;
        for token in [&bob.access, &bob.refresh] {
            assert_eq!(revoke(&first, Some(&orders), token).await.status(), 400);
        }
        assert_eq!((first.list_users(&one).await, first.me(&bob.access).await), (200, 200));
        assert_eq!(revoke(&first, Some(&orders), &one).await.status(), 200);
        assert_eq!(first.list_users(&one).await, 401);
        let ended = async { while second.list_users(&one).await != 401 {} };
        tokio::time::timeout(std::time::Duration::from_secs(1), ended).await.expect("revoked within a second");
        assert_eq!((first.list_users(&other).await, second.list_users(&other).await), (200, 200));
    }
}

#[tokio::test]
async fn only_who_may_looks_at_tokens() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let bob = gateway.sign_in("bob@example.com").await;
    let ann = gateway.sign_in("ann@example.com").await;
    let auditor = gateway.account("auditor", &["tokens:introspect"]).await;
    let orders = gateway.account("orders", &["users:read"]).await;
    let path = "/api_v1/auth/introspect";
    let as_bearer = async |token: &str| {
        form(gateway.post(path).bearer_auth(token), &[("token", &bob.access)]).await.status().as_u16()
    };
    assert_eq!(
        (as_bearer(&ann.access).await, as_bearer(&bob.access).await, as_bearer("x").await),
        (200, 403, 401)
    );
    assert_eq!(as_bearer(&gateway.operator().await).await, 200);
    assert_eq!(as_bearer(&gateway.token_of(&auditor).await).await, 200);
    assert_eq!(as_bearer(&gateway.token_of(&orders).await).await, 403);
    let refused = ask(&gateway, &orders, path, &bob.access).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "insufficient_scope");
    let none = form(gateway.post(path), &[("token", &bob.access)]).await;
    assert_eq!(none.status(), 401);
    assert!(none.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    let missing = form(gateway.post(path).basic_auth("auditor", Some(&auditor.secret)), &[]).await;
    assert_eq!(
        (missing.status().as_u16(), missing.json::<Value>().await.unwrap()["error"].clone()),
        (400, json!("invalid_request"))
    );
}

#[tokio::test]
async fn a_replayed_refresh_token_is_not_active_and_to_ask_about_it_ends_nothing() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let auditor = gateway.account("auditor", &["tokens:introspect"]).await;
    let first = gateway.sign_in("bob@example.com").await;
    let mut newest = first.refresh.clone();
    for _ in 0..20 {
        let answer: Value = gateway.refresh(&newest).await.json().await.unwrap();
        newest = answer["refresh_token"].as_str().unwrap().to_owned();
    }
    assert_eq!(introspect(&gateway, &auditor, &first.refresh).await, inactive());
    assert_eq!(introspect(&gateway, &auditor, &newest).await["active"], true);
    assert_eq!(gateway.refresh(&newest).await.status(), 200);
}

#[tokio::test]
async fn the_metadata_is_true_to_what_is_offered() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let answer = gateway.get("/.well-known/oauth-authorization-server").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert!(answer.headers()["cache-control"].to_str().unwrap().starts_with("public, max-age="));
    let etag = answer.headers()["etag"].clone();
    let metadata: Value = answer.json().await.unwrap();
    assert_eq!(metadata["issuer"], "http://platform.test");
    assert_eq!(metadata["grant_types_supported"], json!(["client_credentials"]));
    assert_eq!(metadata["response_types_supported"], json!([]));
    // Every endpoint named is there, every scope named is one of an operation, and the password login is not mentioned.
    for name in ["token_endpoint", "introspection_endpoint", "revocation_endpoint"] {
        let path = metadata[name].as_str().unwrap().strip_prefix("http://platform.test").unwrap();
        assert_eq!(form(gateway.post(path), &[]).await.status(), 400, "{name}");
    }
    let jwks = metadata["jwks_uri"].as_str().unwrap().strip_prefix("http://platform.test").unwrap();
    assert_eq!(gateway.get(jwks).send().await.unwrap().status(), 200);
    let operations = gateway::operations().unwrap();
    for scope in metadata["scopes_supported"].as_array().unwrap() {
        let needed = |operation: &contract::operation::Operation| {
            operation.scope.as_ref().is_some_and(|own| scope == own.as_str())
        };
        assert!(operations.iter().any(|(_, operation)| needed(operation)), "{scope}");
    }
    assert!(!metadata.to_string().contains("password") && !metadata.to_string().contains("/access"));
    let path = "/.well-known/oauth-authorization-server";
    let again = gateway.get(path).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
}
