//! A password that must be changed gets no tokens; the change takes the password and gives them.

use kit::{on_both_databases, testing::TestDatabase};
use serde_json::{Value, json};

use crate::support::{Gateway, PASSWORD, Tokens, UsersDouble, config, problem};

const NEW: &str = "seven green bicycles 42";

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let gateway = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

async fn sign_in(gateway: &Gateway, email: &str, password: &str) -> reqwest::Response {
    let body = json!({ "email": email, "password": password });
    gateway.post("/api_v1/auth/access").json(&body).send().await.unwrap()
}

async fn change(gateway: &Gateway, email: &str, password: &str) -> reqwest::Response {
    let body = json!({ "email": email, "password": password, "new_password": NEW });
    gateway.post("/api_v1/auth/password").json(&body).send().await.unwrap()
}

on_both_databases! {
    async fn who_must_change_the_password_gets_tokens_only_from_the_change(database: TestDatabase) {
        let (gateway, users) = start(&database).await;
        let before = gateway.sign_in("bob@example.com").await;
        users.change(2, |user, epoch| {
            user.must_change_password = true;
            *epoch += 1;
        });
        let refused = problem(sign_in(&gateway, "bob@example.com", PASSWORD).await).await;
        assert_eq!((&refused["status"], &refused["type"]), (&json!(403), &json!("urn:platform:problem:password-change-required")));
        assert!(!refused.to_string().contains("token\":"), "{refused}");
        assert_eq!(sign_in(&gateway, "bob@example.com", "wrong").await.status(), 400);
        // No session goes on either: its epoch is another.
        assert_eq!(gateway.refresh(&before.refresh).await.status(), 401);

        let answer = change(&gateway, "bob@example.com", PASSWORD).await;
        assert_eq!((answer.status().as_u16(), answer.headers()["cache-control"].to_str().unwrap()), (200, "no-store"));
        let tokens = Tokens::of(&answer.json::<Value>().await.unwrap());
        assert_eq!(gateway.me(&tokens.access).await, 200);
        assert_eq!(gateway.refresh(&tokens.refresh).await.status(), 200);
        assert_eq!(gateway.me(&before.access).await, 401);
    }

    async fn a_change_ends_all_other_sessions_and_none_of_the_new_tokens(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        for _ in 0..10 {
            let others = [gateway.sign_in("bob@example.com").await, gateway.sign_in("bob@example.com").await];
            let ann = gateway.sign_in("ann@example.com").await;
            let tokens = Tokens::of(&change(&gateway, "bob@example.com", PASSWORD).await.json::<Value>().await.unwrap());
            for other in others {
                assert_eq!(gateway.me(&other.access).await, 401);
                assert_eq!(gateway.refresh(&other.refresh).await.status(), 401);
            }
            assert_eq!((gateway.me(&tokens.access).await, gateway.me(&ann.access).await), (200, 200));
        }
    }

    async fn guesses_at_the_change_are_throttled_with_those_at_the_sign_in_and_audited(database: TestDatabase) {
        let (gateway, users) = start(&database).await;
        for number in 0..5 {
            let answer = if number % 2 == 0 { change(&gateway, "bob@example.com", "wrong").await } else { sign_in(&gateway, "bob@example.com", "wrong").await };
            assert_eq!(problem(answer).await["detail"], "Incorrect email or password");
        }
        let checks = users.checks();
        for answer in [change(&gateway, "bob@example.com", PASSWORD).await, sign_in(&gateway, "bob@example.com", PASSWORD).await] {
            assert_eq!(answer.status(), 429);
            problem(answer).await;
        }
        assert_eq!(users.checks(), checks, "no password was looked at");
        assert_eq!(change(&gateway, "ann@example.com", PASSWORD).await.status(), 200);
        users.change(1, |user, _| user.must_change_password = true);
        assert_eq!(sign_in(&gateway, "ann@example.com", PASSWORD).await.status(), 403);

        let operator = gateway.operator().await;
        let entries: Vec<Value> = gateway.get("/api_v1/audit").bearer_auth(&operator).send().await.unwrap().json().await.unwrap();
        let told: Vec<_> = entries.iter().map(|entry| (entry["action"].as_str().unwrap(), entry["outcome"].as_str().unwrap(), entry["target"].as_str())).collect();
        let expected = [
            ("create_access_token", "refused", None),
            ("change_password", "done", Some("users/1")),
            ("change_password", "refused", None),
            ("create_access_token", "refused", None),
            ("change_password", "refused", None),
            ("create_access_token", "refused", None),
            ("change_password", "refused", None),
        ];
        assert_eq!(told, expected);
        let text = serde_json::to_string(&entries).unwrap();
        assert!(!text.contains(PASSWORD) && !text.contains(NEW) && !text.contains("example.com"), "{text}");
    }
}

#[tokio::test]
async fn a_change_is_no_way_around_the_proof_of_the_address() {
    let database = TestDatabase::sqlite();
    let users = UsersDouble::bind().await;
    let mut config = config(&database, &users.url()).await;
    config.mail.require_verified_address = true;
    let gateway = Gateway::start(config).await;
    users.serve(&gateway.url(""));
    users.change(2, |user, _| user.email_verified = false);
    let refused = problem(change(&gateway, "bob@example.com", PASSWORD).await).await;
    assert_eq!(refused["status"], 403);
    assert!(refused["detail"].as_str().unwrap().contains("not confirmed"), "{refused}");
    assert!(refused.get("access_token").is_none());
}

#[tokio::test]
async fn every_value_of_a_change_that_does_not_fit_is_pointed_at() {
    let database = TestDatabase::sqlite();
    let (gateway, users) = start(&database).await;
    let answer =
        gateway.post("/api_v1/auth/password").json(&json!({ "email": 5, "new_password": "short" })).send();
    let body = problem(answer.await.unwrap()).await;
    let pointers: Vec<&str> =
        body["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    assert_eq!((&body["status"], pointers), (&json!(422), vec!["/email", "/new_password", "/password"]));
    assert_eq!(users.checks(), 0);
}
