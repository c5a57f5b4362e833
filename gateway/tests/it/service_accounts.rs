//! Service accounts: kept by admins, proved by secrets that overlap, ended on every replica at once.

use std::time::Duration;

use kit::{on_both_databases, testing::TestDatabase};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::support::{Gateway, UsersDouble, config};

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let gateway = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

/// Waits until the gateway refuses the token; a second at most.
async fn refused(gateway: &Gateway, token: &str) {
    let refused = async { while gateway.list_users(token).await != 401 {} };
    tokio::time::timeout(Duration::from_secs(1), refused).await.expect("refused within a second");
}

async fn execute(database: &TestDatabase, sql: &str) {
    let direct = database.open().await;
    let transaction = direct.begin_write().await.unwrap();
    transaction.execute_unprepared(sql).await.unwrap();
    transaction.commit().await.unwrap();
    direct.close().await.unwrap();
}

on_both_databases! {
    async fn an_account_is_created_shown_changed_and_deleted(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let body = json!({ "name": "orders", "description": "Takes orders", "roles": ["admin"], "scopes": ["users:read"], "audiences": ["users"] });
        let (status, created) = gateway.administer("POST", "", Some(body.clone())).await;
        assert_eq!(status, 201);
        for (name, value) in body.as_object().unwrap() {
            assert_eq!(created[name], *value);
        }
        assert_eq!((&created["is_active"], &created["secrets"]), (&json!(true), &json!([])));
        assert_eq!(gateway.administer("POST", "", Some(body)).await.0, 409);
        let (status, changed) =
            gateway.administer("PATCH", "/orders", Some(json!({ "description": null, "scopes": ["users:write", "users:read"] }))).await;
        assert_eq!((status, &changed["description"]), (200, &Value::Null));
        assert_eq!(changed["scopes"], json!(["users:read", "users:write"]));
        assert_eq!(changed["roles"], json!(["admin"]));
        let (_, shown) = gateway.administer("GET", "/orders", None).await;
        assert_eq!(shown, changed);
        gateway.account("billing", &["users:read"]).await;
        let (_, listed) = gateway.administer("GET", "", None).await;
        let names: Vec<&str> = listed.as_array().unwrap().iter().map(|account| account["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["billing", "orders"]);
        assert_eq!(gateway.administer("DELETE", "/orders", None).await.0, 204);
        for (method, path) in [("GET", "/orders"), ("DELETE", "/orders"), ("POST", "/orders/secrets"), ("DELETE", "/billing/secrets/999")] {
            assert_eq!(gateway.administer(method, path, None).await.0, 404, "{method} {path}");
        }
    }

    async fn a_secret_is_told_once_and_kept_as_a_hash_alone(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let account = gateway.account("orders", &["users:read"]).await;
        assert!(account.secret.starts_with("psk_") && account.secret.len() == 4 + 43);
        let (_, shown) = gateway.administer("GET", "/orders", None).await;
        assert_eq!(shown["secrets"][0]["id"], account.secret_id);
        assert!(!shown.to_string().contains(&account.secret));
        let direct = database.open().await;
        let sql = "SELECT secret_hash FROM service_account_secrets";
        let row = direct.reader().query_one_raw(Statement::from_string(direct.backend(), sql)).await.unwrap().unwrap();
        let hash: Vec<u8> = row.try_get_by_index(0).unwrap();
        let expected = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, account.secret.as_bytes());
        assert_eq!(hash, expected.as_ref());
    }

    async fn secrets_overlap_and_a_revoked_one_ends_its_own_tokens_alone(database: TestDatabase) {
        let (first, _users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        let old = first.account("orders", &["users:read"]).await;
        let new = first.secret("orders").await;
        let (with_old, with_new) = (first.token_of(&old).await, second.token_of(&new).await);
        assert_eq!((second.list_users(&with_old).await, first.list_users(&with_new).await), (200, 200));
        let (status, _) = first.administer("DELETE", &format!("/orders/secrets/{}", old.secret_id), None).await;
        assert_eq!(status, 204);
        assert_eq!(first.list_users(&with_old).await, 401);
        refused(&second, &with_old).await;
        assert_eq!((first.list_users(&with_new).await, second.list_users(&with_new).await), (200, 200));
        assert_eq!(second.grant(&old, &[]).await.status(), 401);
        assert_eq!(second.grant(&new, &[]).await.status(), 200);
    }

    async fn what_takes_something_away_ends_every_token_at_every_gateway(database: TestDatabase) {
        let (first, _users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        let account = first.account("orders", &["users:read", "audit:read"]).await;
        for change in [json!({ "is_active": false }), json!({ "is_active": true, "roles": [] }), json!({ "roles": ["admin"], "scopes": ["users:read"] })] {
            let token = if change["is_active"] == true { None } else { Some(second.token_of(&account).await) };
            if let Some(token) = &token {
                assert_eq!(second.list_users(token).await, 200, "{change}");
            }
            assert_eq!(first.administer("PATCH", "/orders", Some(change.clone())).await.0, 200);
            if let Some(token) = token {
                assert_eq!(first.list_users(&token).await, 401, "{change}");
                refused(&second, &token).await;
            }
            if change["is_active"] == false {
                assert_eq!(second.grant(&account, &[]).await.status(), 401);
            }
            if change["is_active"] == true {
                // It lives again, and may do what it may do now.
                let weak = second.token_of(&account).await;
                assert_eq!(second.get("/api_v1/audit").bearer_auth(&weak).send().await.unwrap().status(), 403);
                assert_eq!(first.administer("PATCH", "/orders", Some(json!({ "roles": ["admin"] }))).await.0, 200);
            }
        }
        let token = second.token_of(&account).await;
        assert_eq!(second.list_users(&token).await, 200);
        // A new description takes nothing away.
        assert_eq!(first.administer("PATCH", "/orders", Some(json!({ "description": "x" }))).await.0, 200);
        assert_eq!(first.list_users(&token).await, 200);
        assert_eq!(first.administer("DELETE", "/orders", None).await.0, 204);
        assert_eq!(first.list_users(&token).await, 401);
        refused(&second, &token).await;
        assert_eq!(second.grant(&account, &[]).await.status(), 401);
        // Another account of the same name does not wake the old one's tokens.
        let again = first.account("orders", &["users:read"]).await;
        assert_eq!(second.list_users(&second.token_of(&again).await).await, 200);
        assert_eq!((first.list_users(&token).await, second.list_users(&token).await), (401, 401));
    }

    async fn a_secret_that_has_expired_gives_no_token_and_no_token_outlives_its_secret(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        gateway.account("orders", &["users:read"]).await;
        let soon = contract::Timestamp::new(time::OffsetDateTime::now_utc() + Duration::from_secs(90));
        let (status, made) = gateway.administer("POST", "/orders/secrets", Some(json!({ "expires_at": soon }))).await;
        assert_eq!((status, &made["expires_at"]), (201, &json!(soon)));
        let account = crate::support::Account { name: "orders".to_owned(), secret: made["secret"].as_str().unwrap().to_owned(), secret_id: made["id"].as_i64().unwrap() };
        let granted: Value = gateway.grant(&account, &[]).await.json().await.unwrap();
        assert!((60..=90).contains(&granted["expires_in"].as_i64().unwrap()), "{granted}");
        execute(&database, &format!("UPDATE service_account_secrets SET expires_at = 1 WHERE id = {}", account.secret_id)).await;
        assert_eq!(gateway.grant(&account, &[]).await.status(), 401);
        let (status, fault) = gateway.administer("POST", "/orders/secrets", Some(json!({ "expires_at": "2020-01-01T00:00:00Z" }))).await;
        assert_eq!((status, &fault["errors"][0]["pointer"]), (422, &json!("/expires_at")));
    }
}

#[tokio::test]
async fn what_no_account_can_have_is_refused_by_name() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    for (body, pointer) in [
        (json!({ "name": "Orders" }), "/name"),
        (json!({ "name": "gateway" }), "/name"),
        (json!({ "name": "orders", "scopes": ["users:read", "users:wrote"] }), "/scopes/1"),
        (json!({ "name": "orders", "scopes": ["internal"] }), "/scopes/0"),
        (json!({ "name": "orders", "audiences": ["gateway"] }), "/audiences/0"),
        (json!({ "name": "orders", "roles": ["Admin"] }), "/roles/0"),
    ] {
        let (status, fault) = gateway.administer("POST", "", Some(body.clone())).await;
        assert_eq!((status, &fault["errors"][0]["pointer"]), (422, &json!(pointer)), "{body} {fault}");
    }
    gateway.account("orders", &[]).await;
    for _ in 1..10 {
        gateway.secret("orders").await;
    }
    assert_eq!(gateway.administer("POST", "/orders/secrets", None).await.0, 409);
}

#[tokio::test]
async fn only_an_admin_keeps_accounts_and_none_gives_out_more_than_its_token_holds() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let bob = gateway.sign_in("bob@example.com").await.access;
    for (method, path) in [
        ("GET", ""),
        ("POST", ""),
        ("GET", "/x"),
        ("PATCH", "/x"),
        ("DELETE", "/x"),
        ("POST", "/x/secrets"),
        ("DELETE", "/x/secrets/1"),
    ] {
        assert_eq!(
            gateway.administer_as(&bob, method, path, Some(json!({}))).await.0,
            403,
            "{method} {path}"
        );
        assert_eq!(gateway.administer_as("x", method, path, Some(json!({}))).await.0, 401, "{method} {path}");
    }
    let reader = gateway.account("reader", &["service-accounts:read"]).await;
    let reader = gateway.token_of(&reader).await;
    assert_eq!(gateway.administer_as(&reader, "GET", "", None).await.0, 200);
    assert_eq!(gateway.administer_as(&reader, "POST", "", Some(json!({ "name": "x" }))).await.0, 403);

    gateway.account("strong", &["users:write"]).await;
    let keeper = gateway.account("keeper", &["service-accounts:write", "users:read"]).await;
    let keeper = gateway.token_of(&keeper).await;
    let try_as_keeper = async |method: &str, path: &str, body: Value| {
        gateway.administer_as(&keeper, method, path, Some(body)).await.0
    };
    let new = |scopes: &[&str], roles: &[&str]| json!({ "name": "made", "scopes": scopes, "roles": roles });
    assert_eq!(try_as_keeper("POST", "", new(&["users:write"], &[])).await, 403);
    assert_eq!(try_as_keeper("POST", "", new(&["users:read"], &["auditor"])).await, 403);
    assert_eq!(try_as_keeper("POST", "/strong/secrets", json!({})).await, 403);
    assert_eq!(try_as_keeper("PATCH", "/strong", json!({ "is_active": true })).await, 403);
    assert_eq!(try_as_keeper("POST", "", new(&["users:read"], &["admin"])).await, 201);
    assert_eq!(try_as_keeper("PATCH", "/made", json!({ "scopes": ["audit:read"] })).await, 403);
    assert_eq!(try_as_keeper("POST", "/made/secrets", json!({})).await, 201);
}

#[tokio::test]
async fn a_limited_token_takes_nothing_away_from_the_stronger_and_gives_out_no_service_it_may_not_call() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let strong = gateway.account("strong", &["users:write"]).await;
    let keeper = gateway.account("keeper", &["service-accounts:write", "users:read"]).await;
    let token = gateway.token_of(&keeper).await;
    let secret = format!("/strong/secrets/{}", strong.secret_id);
    for path in ["/strong", secret.as_str()] {
        assert_eq!(gateway.administer_as(&token, "DELETE", path, None).await.0, 403, "{path}");
    }
    assert_eq!(gateway.list_users(&gateway.token_of(&strong).await).await, 403, "it is there still");
    let new = |name: &str| json!({ "name": name, "scopes": ["users:read"], "audiences": ["users"] });
    assert_eq!(gateway.administer_as(&token, "POST", "", Some(new("made"))).await.0, 201);
    assert_eq!(gateway.administer_as(&token, "DELETE", "/made", None).await.0, 204);

    assert_eq!(gateway.administer("PATCH", "/keeper", Some(json!({ "audiences": [] }))).await.0, 200);
    let token = gateway.token_of(&keeper).await;
    let plain = json!({ "name": "plain", "scopes": ["users:read"] });
    assert_eq!(gateway.administer_as(&token, "POST", "", Some(plain)).await.0, 201);
    let (status, refused) = gateway.administer_as(&token, "POST", "", Some(new("other"))).await;
    assert_eq!(status, 403);
    assert!(refused["detail"].as_str().unwrap().contains("the audience users"), "{refused}");
    let given = json!({ "audiences": ["users"] });
    assert_eq!(gateway.administer_as(&token, "PATCH", "/plain", Some(given)).await.0, 403);
}

#[tokio::test]
async fn what_is_done_to_accounts_and_by_them_is_audited() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let account = gateway.account("orders", &["users:read"]).await;
    gateway.token_of(&account).await;
    let wrong = crate::support::Account { secret: "psk_wrong".to_owned(), ..account.clone() };
    gateway.grant(&wrong, &[]).await;
    gateway.administer("PATCH", "/orders", Some(json!({ "is_active": false }))).await;
    gateway.administer("DELETE", &format!("/orders/secrets/{}", account.secret_id), None).await;
    gateway.administer("DELETE", "/orders", None).await;
    let operator = gateway.operator().await;
    let answer = gateway.get("/api_v1/audit").bearer_auth(&operator).send().await.unwrap();
    let entries: Vec<Value> = answer.json().await.unwrap();
    let told: Vec<[&str; 3]> = entries
        .iter()
        .rev()
        .map(|entry| ["actor", "action", "outcome"].map(|name| entry[name].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ["operator", "create_service_account", "done"],
            ["operator", "create_service_account_secret", "done"],
            ["service:orders", "create_token", "done"],
            ["anonymous", "create_token", "refused"],
            ["operator", "patch_service_account", "done"],
            ["operator", "revoke_service_account_secret", "done"],
            ["operator", "delete_service_account", "done"],
        ]
    );
    assert!(entries.iter().all(|entry| entry["target"] == "service-accounts/orders"));
    assert!(!serde_json::to_string(&entries).unwrap().contains("psk_"));
}
