//! What admins do to others' sessions, and to counts that hold somebody back.

use kit::{on_both_databases, testing::TestDatabase};
use serde_json::{Value, json};

use crate::support::{Gateway, PASSWORD, UsersDouble, config, problem};

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let gateway = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

async fn send(gateway: &Gateway, method: &str, path: &str, token: &str) -> u16 {
    let request = gateway.client.request(method.parse().unwrap(), gateway.url(path)).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

on_both_databases! {
    async fn an_admin_sees_and_ends_a_user_s_sessions_at_every_gateway(database: TestDatabase) {
        let (first, _users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        let operator = first.operator().await;
        let (one, two) = (first.sign_in("bob@example.com").await, first.sign_in("bob@example.com").await);
        let ann = first.sign_in("ann@example.com").await;
        let list = async || -> Vec<Value> {
            let answer = first.get("/api_v1/users/2/sessions").bearer_auth(&operator).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.json().await.unwrap()
        };
        let listed = list().await;
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|session| session["current"] == false && session["address"] == "127.0.0.1"));
        let id = listed[1]["id"].as_str().unwrap();
        // A session is found below its own user alone.
        assert_eq!(send(&first, "DELETE", &format!("/api_v1/users/1/sessions/{id}"), &operator).await, 404);
        assert_eq!(send(&first, "DELETE", &format!("/api_v1/users/2/sessions/{id}"), &operator).await, 204);
        assert_eq!((first.me(&one.access).await, first.me(&two.access).await), (401, 200));
        assert_eq!(list().await.len(), 1);
        assert_eq!(send(&first, "DELETE", "/api_v1/users/2/sessions", &operator).await, 204);
        assert_eq!((first.me(&two.access).await, first.refresh(&two.refresh).await.status().as_u16()), (401, 401));
        let ended = async { while second.me(&two.access).await != 401 {} };
        tokio::time::timeout(std::time::Duration::from_secs(1), ended).await.expect("revoked within a second");
        assert_eq!((list().await.len(), first.me(&ann.access).await), (0, 200));
        assert_eq!(send(&first, "GET", "/api_v1/users/99/sessions", &operator).await, 404);
        let again = first.sign_in("bob@example.com").await;
        assert_eq!(second.me(&again.access).await, 200);
    }

    async fn an_account_that_was_guessed_at_is_unlocked(database: TestDatabase) {
        let (gateway, users) = start(&database).await;
        let attempt = async |email: &str, password: &str| {
            let body = json!({ "email": email, "password": password });
            gateway.post("/api_v1/auth/access").json(&body).send().await.unwrap().status().as_u16()
        };
        for email in ["bob@example.com", "ann@example.com"] {
            for _ in 0..5 {
                assert_eq!(attempt(email, "wrong").await, 400);
            }
            assert_eq!(attempt(email, PASSWORD).await, 429);
        }
        let checks = users.checks();
        let operator = gateway.operator().await;
        assert_eq!(send(&gateway, "POST", "/api_v1/users/2/unlock", &operator).await, 204);
        assert_eq!(attempt("bob@example.com", PASSWORD).await, 200);
        // Only that account: the other still waits, and its password was not looked at.
        assert_eq!(attempt("ann@example.com", PASSWORD).await, 429);
        assert_eq!(users.checks(), checks + 1);
        assert_eq!(send(&gateway, "POST", "/api_v1/users/99/unlock", &operator).await, 404);
    }

    async fn the_log_tells_what_came_after_an_entry(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let operator = gateway.operator().await;
        for _ in 0..5 {
            gateway.sign_in("bob@example.com").await;
        }
        let list = async |query: &str| -> Vec<i64> {
            let answer = gateway.get(&format!("/api_v1/audit{query}")).bearer_auth(&operator).send().await.unwrap();
            let entries: Vec<Value> = answer.json().await.unwrap();
            entries.iter().map(|entry| entry["id"].as_i64().unwrap()).collect()
        };
        let all = list("").await;
        assert_eq!(list(&format!("?after={}", all[2])).await, all[..2]);
        assert_eq!(list(&format!("?after={}&before={}", all[4], all[1])).await, all[2..4]);
        assert_eq!(list(&format!("?after={}", all[0])).await, [] as [i64; 0]);
    }
}

#[tokio::test]
async fn only_an_admin_touches_the_sessions_of_others() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let (bob, ann) = (gateway.sign_in("bob@example.com").await, gateway.sign_in("ann@example.com").await);
    for (method, path) in [
        ("GET", "/api_v1/users/1/sessions"),
        ("DELETE", "/api_v1/users/1/sessions"),
        ("DELETE", "/api_v1/users/1/sessions/x"),
        ("POST", "/api_v1/users/1/unlock"),
    ] {
        assert_eq!(send(&gateway, method, path, &bob.access).await, 403, "{method} {path}");
        let request = gateway.client.request(method.parse().unwrap(), gateway.url(path));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        problem(answer).await;
    }
    assert_eq!(gateway.me(&ann.access).await, 200);
    let reader = gateway.account("reader", &["sessions:read"]).await;
    let reader = gateway.token_of(&reader).await;
    assert_eq!(send(&gateway, "GET", "/api_v1/users/1/sessions", &reader).await, 200);
    assert_eq!(send(&gateway, "DELETE", "/api_v1/users/1/sessions", &reader).await, 403);
    assert_eq!(gateway.me(&ann.access).await, 200);
}
