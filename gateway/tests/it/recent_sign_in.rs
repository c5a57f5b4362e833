//! Who administers others must have signed in lately (RFC 9470); who minds their own account need not.

use gateway::Config;
use kit::{on_both_databases, testing::TestDatabase};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::{Gateway, Tokens, UsersDouble, config, problem};

const NEW: &str = "plum tree in winter";

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
            gateway.post("/api_v1/users").bearer_auth(token).json(&json!({ "email": "eve@example.com", "password": NEW, "roles": ["admin"] })),
            gateway.post("/api_v1/users/2/unlock").bearer_auth(token),
            gateway.client.delete(gateway.url("/api_v1/users/2/sessions")).bearer_auth(token),
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
async fn who_registers_is_not_asked_whether_signed_in_long_ago_or_not_at_all() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database, |_| {}).await;
    let bob = signed_in_long_ago(&gateway, &database, "bob@example.com").await;
    let register =
        |email: &str| gateway.post("/api_v1/users").json(&json!({ "email": email, "password": NEW }));
    assert_eq!(register("eve@example.com").send().await.unwrap().status(), 201);
    assert_eq!(register("kim@example.com").bearer_auth(&bob).send().await.unwrap().status(), 201);
}

/// Operations that change something and ask for no recent sign-in, and why they need none.
const REVIEWED: [(&str, &str); 19] = [
    ("create_access_token", "signs in"),
    ("refresh_access_token", "goes on with a session, by its token"),
    ("log_out", "ends one's own session"),
    ("change_password", "wants the password"),
    ("request_password_reset", "sends a letter to the owner"),
    ("confirm_password_reset", "wants the link"),
    ("request_address_verification", "sends a letter to oneself"),
    ("confirm_address", "wants the link"),
    ("propose_second_factor", "wants the password"),
    ("confirm_second_factor", "wants the password"),
    ("renew_recovery_codes", "wants the password"),
    ("remove_second_factor", "wants the password"),
    ("end_session", "ends one's own session"),
    ("end_other_sessions", "ends one's own sessions"),
    ("create_token", "wants the secret"),
    ("introspect_token", "changes nothing"),
    ("revoke_token", "ends the token that is shown, which whoever holds it may want to end at once"),
    ("update_me", "one's own account"),
    ("patch_me", "one's own account"),
];

#[test]
fn whatever_an_administrator_s_powers_change_asks_for_a_recent_sign_in() {
    let operations = gateway::operations().unwrap();
    let writing =
        operations.iter().map(|(_, operation)| operation).filter(|operation| operation.method != "GET");
    let mut unasked: Vec<&str> =
        writing.filter(|operation| !operation.recent).map(|operation| operation.id.as_str()).collect();
    let mut reviewed: Vec<&str> = REVIEWED.iter().map(|(id, _)| *id).collect();
    unasked.sort_unstable();
    reviewed.sort_unstable();
    assert_eq!(unasked, reviewed, "an operation needs `.recent()`, or a place on the list with a reason");
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
