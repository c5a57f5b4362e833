//! Who administers others must have signed in lately (RFC 9470); who minds their own account need not.

use gateway::Config;
use kit::{on_both_databases, testing::TestDatabase};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::{Gateway, Tokens, UsersDouble, config, problem};

/// Signs in, and lets that be thirteen hours ago.
async fn signed_in_long_ago(gateway: &Gateway, database: &TestDatabase, email: &str) -> String {
    let tokens = gateway.sign_in(email).await;
    let open = database.open().await;
    let transaction = open.begin_write().await.unwrap();
    let past = 13_i64 * 3_600 * 1_000_000;
    transaction
        .execute_unprepared(&format!("UPDATE sessions SET created_at = created_at - {past}"))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    Tokens::of(&gateway.refresh(&tokens.refresh).await.json().await.unwrap()).access
}

async fn start(database: &TestDatabase, change: impl FnOnce(&mut Config)) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let mut config = config(database, &users.url()).await;
    change(&mut config);
    let gateway = Gateway::start(config).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

on_both_databases! {
    async fn an_admin_whose_sign_in_is_long_ago_signs_in_anew_to_administer_others(database: TestDatabase) {
        let (gateway, _users) = start(&database, |_| {}).await;
        let old = signed_in_long_ago(&gateway, &database, "ann@example.com").await;
        let put = |id: i64, token: &str| {
            gateway.client.put(gateway.url(&format!("/api_v1/users/{id}"))).bearer_auth(token).json(&json!({ "first_name": "X" })).send()
        };
        let requests = |token: &str| [
            gateway.client.put(gateway.url("/api_v1/users/2")).bearer_auth(token).json(&json!({ "first_name": "X" })),
            gateway.post("/api_v1/keys/rotate").bearer_auth(token).json(&json!({ "purpose": "access" })),
            gateway.post("/api_v1/users/2/password-reset").bearer_auth(token).json(&json!({})),
            gateway.post("/api_v1/service-accounts").bearer_auth(token).json(&json!({ "name": "orders", "scopes": ["users:read"], "roles": ["user"] })),
            gateway.client.delete(gateway.url("/api_v1/users/2")).bearer_auth(token),
        ];
        for request in requests(&old) {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{}", answer.url());
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
            assert!(challenge.contains("error=\"insufficient_user_authentication\"") && challenge.contains("max_age=43200"), "{challenge}");
            assert_eq!(problem(answer).await["type"], "urn:platform:problem:recent-sign-in-required");
        }
        // Reading, and one's own account, need nothing anew.
        assert_eq!(gateway.me(&old).await, 200);
        assert_eq!(put(1, &old).await.unwrap().status(), 200);
        let audit = gateway.get("/api_v1/audit").bearer_auth(&old).send().await.unwrap();
        assert_eq!(audit.status(), 200);
        let fresh = gateway.sign_in("ann@example.com").await.access;
        for request in requests(&fresh) {
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success(), "{} {}", answer.url(), answer.status());
        }
    }
}

#[tokio::test]
async fn clients_of_the_replaced_system_are_not_asked_and_the_operator_s_token_is_always_recent() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database, |config| config.recent_sign_in = None).await;
    let old = signed_in_long_ago(&gateway, &database, "ann@example.com").await;
    let put = |token: String| {
        let body = json!({ "first_name": "X" });
        gateway.client.put(gateway.url("/api_v1/users/2")).bearer_auth(token).json(&body).send()
    };
    assert_eq!(put(old).await.unwrap().status(), 200);
    assert_eq!(put(gateway.operator().await).await.unwrap().status(), 200);
}
