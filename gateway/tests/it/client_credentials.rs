//! Tokens for service accounts: who proves itself gets what it may have, for the gateway or for one service.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::{
    client_address::TrustedProxies,
    health::Live,
    internal_token::{InternalTokens, RequireInternalToken},
    on_both_databases,
    server::{Limits, Server},
    testing::TestDatabase,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Account, Gateway, UsersDouble, config, form};

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let gateway = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

fn part(token: &str, index: usize) -> Value {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

/// A problem answer of an OAuth operation: `error` beside the members of every problem, in plain JSON.
async fn oauth_error(answer: reqwest::Response, status: u16, error: &str) -> Value {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["content-type"], "application/json");
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(challenge.is_some_and(|text| text.starts_with("Basic ")), status == 401);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"], error, "{body}");
    assert_eq!(body["error_description"], body["detail"]);
    assert_eq!(body["status"], status);
    body
}

on_both_databases! {
    async fn an_account_gets_a_token_by_its_secret_in_the_header_or_in_the_form(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let account = gateway.account("orders", &["users:read", "audit:read"]).await;
        let by_header = gateway.grant(&account, &[("scope", "users:read")]).await;
        assert_eq!(by_header.status(), 200);
        assert_eq!((&by_header.headers()["cache-control"], &by_header.headers()["pragma"]), (&"no-store".parse().unwrap(), &"no-cache".parse().unwrap()));
        let body: Value = by_header.json().await.unwrap();
        assert_eq!((&body["token_type"], &body["scope"], &body["expires_in"]), (&json!("Bearer"), &json!("users:read"), &json!(900)));
        assert!(body.get("refresh_token").is_none());
        let token = body["access_token"].as_str().unwrap();
        assert_eq!(part(token, 0)["typ"], "at+jwt");
        let claims = part(token, 1);
        assert_eq!((&claims["sub"], &claims["client_id"], &claims["aud"]), (&json!("service:orders"), &json!("orders"), &json!("platform")));
        assert_eq!((&claims["scope"], &claims["roles"], claims.get("sid")), (&json!("users:read"), &json!(["admin"]), None));
        let fields = [("grant_type", "client_credentials"), ("client_id", "orders"), ("client_secret", &account.secret), ("scope", "")];
        let by_form: Value = form(gateway.post("/api_v1/auth/token"), &fields).await.json().await.unwrap();
        assert_eq!(by_form["scope"], "audit:read users:read");
        for body in [&body, &by_form] {
            assert_eq!(gateway.list_users(body["access_token"].as_str().unwrap()).await, 200);
        }
    }

    async fn who_guesses_is_throttled_and_the_account_is_not_locked_out(database: TestDatabase) {
        let users = UsersDouble::bind().await;
        let config = gateway::Config { trusted_proxies: TrustedProxies::parse(["127.0.0.1"]).unwrap(), ..config(&database, &users.url()).await };
        let gateway = Gateway::start(config).await;
        let account = gateway.account("orders", &["users:read"]).await;
        let ask = async |secret: &str| {
            let request = gateway.post("/api_v1/auth/token").basic_auth("orders", Some(secret)).header("x-forwarded-for", "192.0.2.1");
            form(request, &[("grant_type", "client_credentials")]).await
        };
        for _ in 0..5 {
            oauth_error(ask("psk_wrong").await, 401, "invalid_client").await;
        }
        let refused = ask("psk_wrong").await;
        assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
        oauth_error(refused, 429, "temporarily_unavailable").await;
        // From that very address the account goes on, and so do people.
        assert_eq!(ask(&account.secret).await.status(), 200);
        assert_eq!(ask("psk_wrong").await.status(), 429);
        assert_eq!(ask(&account.secret).await.status(), 200);
    }
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let account = gateway.account("orders", &["users:read"]).await;
    gateway.account("billing", &["users:read"]).await;
    let grant = async |fields: &[(&str, &str)]| gateway.grant(&account, fields).await;
    oauth_error(grant(&[("scope", "users:write")]).await, 400, "invalid_scope").await;
    oauth_error(grant(&[("scope", "Users!")]).await, 400, "invalid_scope").await;
    oauth_error(grant(&[("audience", "billing")]).await, 400, "invalid_target").await;
    oauth_error(grant(&[("scope", "users:read"), ("scope", "users:read")]).await, 400, "invalid_request")
        .await;
    oauth_error(grant(&[("client_secret", &account.secret)]).await, 400, "invalid_request").await;
    oauth_error(grant(&[("client_id", "billing")]).await, 400, "invalid_request").await;
    let ask = async |fields: &[(&str, &str)]| form(gateway.post("/api_v1/auth/token"), fields).await;
    oauth_error(ask(&[]).await, 400, "invalid_request").await;
    oauth_error(ask(&[("scope", "users:read")]).await, 400, "invalid_request").await;
    for other in ["password", "refresh_token", "authorization_code"] {
        oauth_error(ask(&[("grant_type", other)]).await, 400, "unsupported_grant_type").await;
    }
    let proved_by = async |id: &str, secret: &str| {
        ask(&[("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)]).await
    };
    // Another's secret, none of anybody's, and nobody's name are answered alike.
    let alike = [
        oauth_error(proved_by("billing", &account.secret).await, 401, "invalid_client").await,
        oauth_error(proved_by("orders", "psk_x").await, 401, "invalid_client").await,
        oauth_error(proved_by("nobody", &account.secret).await, 401, "invalid_client").await,
        oauth_error(proved_by("Not a name", "x").await, 401, "invalid_client").await,
    ];
    assert!(alike.iter().all(|body| body["detail"] == alike[0]["detail"]));
    oauth_error(ask(&[("grant_type", "client_credentials")]).await, 401, "invalid_client").await;
    let json = gateway.post("/api_v1/auth/token").json(&json!({ "grant_type": "client_credentials" }));
    oauth_error(json.send().await.unwrap(), 415, "invalid_request").await;
}

#[tokio::test]
async fn a_token_of_an_account_is_good_for_its_scopes_and_its_roles_both() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let account = gateway.account("orders", &["users:read"]).await;
    let token = gateway.token_of(&account).await;
    assert_eq!(gateway.list_users(&token).await, 200);
    for (method, path, scope) in [
        ("GET", "/api_v1/audit", "audit:read"),
        ("DELETE", "/api_v1/users/2", "users:write"),
        ("POST", "/api_v1/users", "users:write"),
        ("GET", "/api_v1/service-accounts", "service-accounts:read"),
    ] {
        let request = gateway.client.request(method.parse().unwrap(), gateway.url(path)).bearer_auth(&token);
        let answer = request.json(&json!({})).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(
            challenge.ends_with(&format!("error=\"insufficient_scope\", scope=\"{scope}\"")),
            "{challenge}"
        );
    }
    // A scope without the role is not enough.
    let body = json!({ "name": "weak", "roles": [], "scopes": ["audit:read"] });
    assert_eq!(gateway.administer("POST", "", Some(body)).await.0, 201);
    let weak = gateway.token_of(&gateway.secret("weak").await).await;
    let answer = gateway.get("/api_v1/audit").bearer_auth(&weak).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(!answer.headers()["www-authenticate"].to_str().unwrap().contains("scope=\"audit"));
}

/// A service that takes internal tokens for `name`; where it is.
async fn service(name: &str, gateway: &Gateway, shutdown: &CancellationToken) -> String {
    let tokens = Arc::new(InternalTokens::new(name, &gateway.url("")).unwrap());
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let url = format!("http://{}/healthz", server.address());
    tokio::spawn(server.run(RequireInternalToken::new(Live, tokens), shutdown.clone()));
    url
}

#[tokio::test]
async fn each_door_takes_its_own_tokens_alone() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let (shutdown, _stop) = {
        let token = CancellationToken::new();
        (token.clone(), token.drop_guard())
    };
    let account = gateway.account("orders", &["users:read"]).await;
    let access = gateway.token_of(&account).await;
    let answer: Value = gateway.grant(&account, &[("audience", "users")]).await.json().await.unwrap();
    let internal = answer["access_token"].as_str().unwrap();
    assert_eq!((&part(internal, 0)["typ"], &answer["expires_in"]), (&json!("int+jwt"), &json!(60)));
    let claims = part(internal, 1);
    assert_eq!(
        (&claims["aud"], &claims["sub"], &claims["act"]["sub"]),
        (&json!("users"), &json!("service:orders"), &json!("service:orders"))
    );
    assert_eq!(claims["scope"], "users:read");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    let person = gateway.sign_in("ann@example.com").await.access;
    let (users, billing) =
        (service("users", &gateway, &shutdown).await, service("billing", &gateway, &shutdown).await);
    let ask = async |url: &str, token: &str| {
        gateway.client.get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(&users, internal).await, 200);
    assert_eq!(ask(&billing, internal).await, 401);
    assert_eq!(gateway.list_users(internal).await, 401);
    assert_eq!(gateway.list_users(&access).await, 200);
    for token in [&access, &person] {
        assert_eq!((ask(&users, token).await, ask(&billing, token).await), (401, 401));
    }
    // For the gateway by its own name it is an access token again.
    let named: Value = gateway.grant(&account, &[("audience", "platform")]).await.json().await.unwrap();
    assert_eq!(part(named["access_token"].as_str().unwrap(), 0)["typ"], "at+jwt");
}

#[tokio::test]
async fn an_account_that_may_call_no_service_gets_no_internal_token() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let body = json!({ "name": "alone", "roles": ["admin"], "scopes": ["users:read"] });
    assert_eq!(gateway.administer("POST", "", Some(body)).await.0, 201);
    let alone: Account = gateway.secret("alone").await;
    oauth_error(gateway.grant(&alone, &[("audience", "users")]).await, 400, "invalid_target").await;
    assert_eq!(gateway.grant(&alone, &[]).await.status(), 200);
}
