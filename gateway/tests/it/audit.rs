//! The audit log: everything that matters is in it, nobody fills it from outside, and a change of it is found.

use kit::{on_both_databases, testing::TestDatabase};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{Gateway, UsersDouble, config};

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let gateway = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

async fn list(gateway: &Gateway, token: &str, query: &str) -> Vec<Value> {
    let answer = gateway.get(&format!("/api_v1/audit{query}")).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

async fn check(gateway: &Gateway, token: &str) -> Value {
    gateway.get("/api_v1/audit/check").bearer_auth(token).send().await.unwrap().json().await.unwrap()
}

/// Actor, action, target and outcome of each entry, oldest first.
fn told(entries: &[Value]) -> Vec<(String, String, String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or("-").to_owned();
    let of = |entry: &Value| {
        let target = text(entry, "target");
        let target = target.split_once("sessions/").map_or(target.clone(), |_| "sessions/…".to_owned());
        (text(entry, "actor"), text(entry, "action"), target, text(entry, "outcome"))
    };
    entries.iter().rev().map(of).collect()
}

on_both_databases! {
    async fn what_matters_is_written_with_who_on_whom_and_how_it_ended(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let operator = gateway.operator().await;
        let bob = gateway.sign_in("bob@example.com").await;
        let wrong = json!({ "email": "bob@example.com", "password": "wrong" });
        gateway.post("/api_v1/auth/access").json(&wrong).send().await.unwrap();
        let new = json!({ "email": "new@example.com", "password": "correct horse battery" });
        gateway.post("/api_v1/users").json(&new).send().await.unwrap();
        let change = json!({ "first_name": "Bob" });
        gateway.client.put(gateway.url("/api_v1/users/me")).bearer_auth(&bob.access).json(&change).send().await.unwrap();
        let nobody = gateway.client.delete(gateway.url("/api_v1/users/99")).bearer_auth(&operator);
        assert_eq!(nobody.send().await.unwrap().status(), 404);
        gateway.get("/api_v1/users/me").bearer_auth(&bob.access).send().await.unwrap();
        gateway.post("/api_v1/auth/logout").bearer_auth(&bob.access).send().await.unwrap();
        // What a stranger is refused is not written.
        gateway.post("/api_v1/users").json(&json!({ "email": "x" })).send().await.unwrap();
        gateway.client.delete(gateway.url("/api_v1/users/1")).send().await.unwrap();

        let entries = list(&gateway, &operator, "").await;
        let expected = [
            ("2", "create_access_token", "users/2", "done"),
            ("anonymous", "create_access_token", "-", "refused"),
            ("anonymous", "create_user", "users/3", "done"),
            ("2", "update_me", "users/2", "done"),
            ("operator", "delete_user", "users/99", "refused"),
            ("2", "log_out", "sessions/…", "done"),
        ];
        let expected = expected.map(|(actor, action, target, outcome)| (actor.into(), action.into(), target.into(), outcome.into()));
        assert_eq!(told(&entries), expected);
        let text = serde_json::to_string(&entries).unwrap();
        assert!(!text.contains("wrong") && !text.contains("example.com") && !text.contains(&bob.refresh), "{text}");
        assert_eq!(entries[0]["address"], "127.0.0.1");
        assert_eq!(check(&gateway, &operator).await, json!({ "intact": true, "entries": 6, "broken_at": null }));

        assert_eq!(list(&gateway, &operator, "?actor=2").await.len(), 3);
        assert_eq!(list(&gateway, &operator, "?action=delete_user&target=users/99").await.len(), 1);
        assert_eq!(list(&gateway, &operator, "?since=2100-01-01T00:00:00Z").await.len(), 0);
        let page = gateway.get("/api_v1/audit?limit=4").bearer_auth(&operator).send().await.unwrap();
        let link = page.headers()["link"].to_str().unwrap().to_owned();
        let next = link.strip_prefix('<').unwrap().split_once('>').unwrap().0.strip_prefix("/api_v1/audit").unwrap().to_owned();
        assert_eq!(list(&gateway, &operator, &next).await.len(), 2);
    }

    async fn a_changed_or_missing_entry_is_found(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let operator = gateway.operator().await;
        for _ in 0..5 {
            gateway.sign_in("bob@example.com").await;
        }
        let direct = database.open().await;
        let change = async |sql: &str| {
            let transaction = direct.begin_write().await.unwrap();
            transaction.execute_unprepared(sql).await.unwrap();
            transaction.commit().await.unwrap();
        };
        assert_eq!(check(&gateway, &operator).await["intact"], true);
        change("UPDATE audit SET actor = '1' WHERE id = 3").await;
        assert_eq!(check(&gateway, &operator).await, json!({ "intact": false, "entries": null, "broken_at": 3 }));
        change("UPDATE audit SET actor = '2' WHERE id = 3").await;
        assert_eq!(check(&gateway, &operator).await["intact"], true);
        change("DELETE FROM audit WHERE id = 2").await;
        assert_eq!(check(&gateway, &operator).await["broken_at"], 3);
    }

    async fn two_gateways_that_write_at_once_make_one_chain(database: TestDatabase) {
        let (first, _users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        let token = first.sign_in("bob@example.com").await.access;
        let change = json!({ "first_name": "Bob" });
        let changes = (0..40).map(|number| {
            let gateway = if number % 2 == 0 { &first } else { &second };
            gateway.client.put(gateway.url("/api_v1/users/me")).bearer_auth(&token).json(&change).send()
        });
        for answer in futures_util::future::join_all(changes).await {
            assert_eq!(answer.unwrap().status(), 200);
        }
        let operator = first.operator().await;
        assert_eq!(check(&first, &operator).await, json!({ "intact": true, "entries": 41, "broken_at": null }));
    }
}

#[tokio::test]
async fn only_an_admin_reads_the_log() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let (bob, ann) = (gateway.sign_in("bob@example.com").await, gateway.sign_in("ann@example.com").await);
    for path in ["/api_v1/audit", "/api_v1/audit/check"] {
        let status = async |token: &str| gateway.get(path).bearer_auth(token).send().await.unwrap().status();
        assert_eq!((status(&bob.access).await.as_u16(), status(&ann.access).await.as_u16()), (403, 200));
        assert_eq!(gateway.get(path).send().await.unwrap().status(), 401);
    }
}
