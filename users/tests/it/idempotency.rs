//! `Idempotency-Key` on the creation of a user.

use std::sync::Arc;

use kit::on_both_databases;
use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::service::{Answer, As, PASSWORD, TestService, admin, anonymous, operator};

const USERS: &str = "/api_v1/users";

async fn create(service: &TestService, who: &As, key: &str, body: &Value) -> Answer {
    let request = service.request(who, Method::POST, USERS).header("Idempotency-Key", key);
    service.send(request.json(body)).await
}

async fn count(service: &TestService) -> usize {
    service.get(&operator(), USERS).await.ok(200).body.as_array().unwrap().len()
}

async fn execute(service: &TestService, sql: &str) {
    let direct = service.database.open().await;
    let transaction = direct.begin_write().await.unwrap();
    transaction.execute_unprepared(sql).await.unwrap();
    transaction.commit().await.unwrap();
    direct.close().await.unwrap();
}

async fn kept(service: &TestService) -> Vec<(String, Option<String>, Option<String>)> {
    let direct = service.database.open().await;
    let sql = "SELECT caller, password_hash, answer FROM idempotency_keys ORDER BY caller, key";
    let rows = direct.reader().query_all_raw(Statement::from_string(direct.backend(), sql)).await.unwrap();
    let text = |row: &sea_orm::QueryResult, name: &str| row.try_get("", name).unwrap();
    let rows = rows
        .iter()
        .map(|row| (row.try_get("", "caller").unwrap(), text(row, "password_hash"), text(row, "answer")));
    let rows = rows.collect();
    direct.close().await.unwrap();
    rows
}

on_both_databases! {
    async fn the_same_request_again_answers_the_same_and_creates_nobody(database: TestDatabase) {
        let service = TestService::start(database).await;
        let body = json!({ "email": "ann@example.com", "password": PASSWORD, "first_name": "Ann" });
        let first = create(&service, &anonymous(), "8e03978e", &body).await.ok(201);
        // The user is another by now; the answer is the one that was lost.
        service.put(&operator(), "/api_v1/users/1", json!({ "first_name": "Anna" })).await.ok(200);
        let other_order = json!({ "first_name": "Ann", "last_name": null, "password": PASSWORD, "email": "ann@example.com" });
        for (key, body) in [("8e03978e", &body), ("\"8e03978e\"", &body), ("8e03978e", &other_order)] {
            let again = create(&service, &anonymous(), key, body).await.ok(201);
            assert_eq!(again.body, first.body);
            for header in ["location", "etag"] {
                assert_eq!(again.header(header), first.header(header));
            }
        }
        assert_eq!(count(&service).await, 1);
        assert_eq!(create(&service, &anonymous(), "another", &body).await.problem(400), "The user with this username already exists in the system");
        assert_eq!(service.post(&anonymous(), USERS, body).await.problem(400), "The user with this username already exists in the system");
    }

    async fn another_request_under_the_same_key_is_refused(database: TestDatabase) {
        let service = TestService::start(database).await;
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        create(&service, &anonymous(), "key", &body).await.ok(201);
        for (field, value) in [("email", json!("bob@example.com")), ("password", json!("zwölf Fässer Most")), ("first_name", json!("Ann"))] {
            let mut other = body.clone();
            other[field] = value;
            let refused = create(&service, &anonymous(), "key", &other).await;
            assert_eq!(refused.pointers(), ["/Idempotency-Key"], "{field}");
            assert_eq!(refused.body["errors"][0]["in"], "header");
        }
        assert_eq!(count(&service).await, 1);
        create(&service, &anonymous(), "key", &body).await.ok(201);
    }

    async fn a_key_belongs_to_its_caller(database: TestDatabase) {
        let service = TestService::start(database).await;
        let root = service.admin("root@example.com").await;
        for (number, who) in [anonymous(), admin(root), operator()].into_iter().enumerate() {
            let body = json!({ "email": format!("u{number}@example.com"), "password": PASSWORD });
            create(&service, &who, "key", &body).await.ok(201);
            create(&service, &who, "key", &body).await.ok(201);
        }
        assert_eq!(count(&service).await, 4);
        let callers: Vec<String> = kept(&service).await.into_iter().map(|(caller, ..)| caller).collect();
        assert_eq!(callers, [root.to_string().as_str(), "anonymous", "operator"]);
    }

    async fn a_request_that_failed_leaves_its_key_free(database: TestDatabase) {
        let service = TestService::start(database).await;
        service.user("ann@example.com").await;
        let mut body = json!({ "email": "ann@example.com", "password": PASSWORD });
        create(&service, &anonymous(), "key", &body).await.problem(400);
        body["email"] = json!("bob@example.com");
        body["password"] = json!("password1");
        create(&service, &anonymous(), "key", &body).await.problem(422);
        body["password"] = json!(PASSWORD);
        create(&service, &anonymous(), "key", &body).await.ok(201);
    }

    async fn of_many_at_once_one_creates_and_all_get_the_same_answer(database: TestDatabase) {
        let service = Arc::new(TestService::start(database).await);
        for round in 0..5 {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let service = Arc::clone(&service);
                tasks.spawn(async move {
                    let body = json!({ "email": format!("u{round}@example.com"), "password": PASSWORD });
                    create(&service, &anonymous(), &format!("key{round}"), &body).await
                });
            }
            let answers = tasks.join_all().await;
            for answer in &answers {
                assert_eq!((answer.status, &answer.body), (201, &answers[0].body));
            }
            assert_eq!(count(&service).await, round + 1);
        }
    }

    async fn a_key_is_forgotten_after_a_day(database: TestDatabase) {
        let service = TestService::start(database).await;
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        create(&service, &anonymous(), "key", &body).await.ok(201);
        execute(&service, "UPDATE idempotency_keys SET created_at = created_at - 86399000000").await;
        create(&service, &anonymous(), "key", &body).await.ok(201);
        execute(&service, "UPDATE idempotency_keys SET created_at = created_at - 1000000").await;
        create(&service, &anonymous(), "key", &body).await.problem(400);
        let other = json!({ "email": "bob@example.com", "password": PASSWORD });
        create(&service, &anonymous(), "key", &other).await.ok(201);
        assert_eq!(kept(&service).await.len(), 1);
        // What nobody asks for again goes by itself: a service purges when it starts, and every ten minutes.
        execute(&service, "UPDATE idempotency_keys SET created_at = created_at - 86400000000").await;
        let TestService { database, shutdown, running, .. } = service;
        shutdown.cancel();
        running.await.unwrap().unwrap();
        let service = TestService::start(database).await;
        let begun = std::time::Instant::now();
        while !kept(&service).await.is_empty() {
            assert!(begun.elapsed() < std::time::Duration::from_secs(10), "it was not purged");
        }
    }

    async fn nothing_of_a_deleted_user_is_kept_with_the_key(database: TestDatabase) {
        let service = TestService::start(database).await;
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        let created = create(&service, &anonymous(), "key", &body).await.ok(201);
        assert!(kept(&service).await[0].2.as_ref().unwrap().contains("ann@example.com"));
        service.delete(&operator(), &format!("{USERS}/{}", created.body["id"])).await.ok(204);
        assert_eq!(kept(&service).await, [("anonymous".to_owned(), None, None)]);
        let gone = create(&service, &anonymous(), "key", &body).await;
        assert_eq!(gone.problem(409), "The user that was created with this Idempotency-Key is deleted");
    }

    async fn a_key_tells_no_password_by_being_tried(database: TestDatabase) {
        let service = TestService::start(database).await;
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        create(&service, &anonymous(), "key", &body).await.ok(201);
        // The password stands in the table as the slow hash alone.
        let (_, hash, answer) = kept(&service).await.remove(0);
        assert!(hash.unwrap().starts_with("$argon2id$") && !answer.unwrap().contains("argon2"));
        let mut guess = body.clone();
        for number in 0..20 {
            guess["password"] = json!(format!("zwölf Fässer Most {number}"));
            create(&service, &anonymous(), "key", &guess).await.problem(422);
        }
        // From now on a right one looks like a wrong one.
        for body in [&guess, &body] {
            assert_eq!(create(&service, &anonymous(), "key", body).await.problem(409), "The request of this Idempotency-Key was repeated too often");
        }
    }

    async fn what_is_no_key_is_refused(database: TestDatabase) {
        let service = TestService::start(database).await;
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        for key in ["", "a b", &"k".repeat(131), "\"a"] {
            let refused = create(&service, &anonymous(), key, &body).await;
            assert_eq!(refused.pointers(), ["/Idempotency-Key"], "{key:?}");
        }
        let twice = service.request(&anonymous(), Method::POST, USERS).header("Idempotency-Key", "a").header("Idempotency-Key", "b");
        service.send(twice.json(&body)).await.problem(400);
        assert_eq!(count(&service).await, 0);
    }
}
