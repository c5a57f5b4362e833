//! Creating users.

use kit::on_both_databases;
use serde_json::json;

use crate::service::{PASSWORD, TestService, admin, anonymous, operator, user};

on_both_databases! {
    async fn anybody_creates_an_account_and_finds_it_where_the_answer_says(database: TestDatabase) {
        let service = TestService::start(database).await;
        let body = json!({ "email": "Ann@Example.com", "password": PASSWORD, "first_name": "Ann", "unknown": 1 });
        let created = service.post(&anonymous(), "/api_v1/users", body).await.ok(201);
        assert_eq!(created.header("location"), Some("/api_v1/users/1"));
        let expected = json!({
            "id": 1, "email": "Ann@Example.com", "is_active": true, "email_verified": false, "first_name": "Ann", "last_name": null,
            "roles": ["user"], "created_at": created.body["created_at"], "updated_at": created.body["created_at"],
            "must_change_password": false,
        });
        assert_eq!(created.body, expected);
        let found = service.get(&user(1), "/api_v1/users/1").await.ok(200);
        assert_eq!(found.body, expected);
        assert_eq!(found.header("etag"), created.header("etag"));
        assert!(!created.body.to_string().contains("argon2"));
    }

    async fn an_address_is_taken_in_every_spelling(database: TestDatabase) {
        let service = TestService::start(database).await;
        service.user("jürgen@bücher.example").await;
        for spelling in ["jürgen@bücher.example", "JÜRGEN@Bücher.Example", " ju\u{308}rgen@xn--bcher-kva.example "] {
            let body = json!({ "email": spelling, "password": PASSWORD });
            let answer = service.post(&anonymous(), "/api_v1/users", body).await;
            assert_eq!(answer.problem(400), "The user with this username already exists in the system", "{spelling}");
        }
    }

    async fn of_many_that_race_for_one_address_one_wins(database: TestDatabase) {
        let service = TestService::start_with(database, |config| config.hash_queue = 100).await;
        let service = std::sync::Arc::new(service);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let service = std::sync::Arc::clone(&service);
            tasks.spawn(async move {
                let body = json!({ "email": "one@example.com", "password": PASSWORD });
                service.post(&anonymous(), "/api_v1/users", body).await.status
            });
        }
        let mut statuses = tasks.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 400, 400, 400, 400, 400, 400, 400]);
    }

    async fn who_registers_sets_neither_roles_nor_state_nor_id(database: TestDatabase) {
        let service = TestService::start(database).await;
        let body = json!({ "email": "a@example.com", "password": PASSWORD, "roles": ["admin"], "is_active": false, "id": 9 });
        let answer = service.post(&anonymous(), "/api_v1/users", body).await;
        assert_eq!(answer.problem(403), "You may not set: id, is_active, roles");
        // What would change nothing is no reason to refuse.
        let body = json!({ "email": "a@example.com", "password": PASSWORD, "roles": ["user"], "is_active": true });
        service.post(&anonymous(), "/api_v1/users", body).await.ok(201);
    }

    async fn an_admin_sets_roles_and_state(database: TestDatabase) {
        let service = TestService::start(database).await;
        let root = service.admin("root@example.com").await;
        service.role("editor").await;
        let body = json!({ "email": "a@example.com", "password": PASSWORD, "roles": ["editor"], "is_active": false });
        let created = service.post(&admin(root), "/api_v1/users", body).await.ok(201);
        assert_eq!(created.body["roles"], json!(["editor", "user"]));
        assert_eq!(created.body["is_active"], false);
        let body = json!({ "email": "b@example.com", "password": PASSWORD, "id": 77 });
        assert_eq!(service.post(&admin(root), "/api_v1/users", body).await.problem(403), "You may not set: id");
    }

    async fn closed_registration_is_for_admins(database: TestDatabase) {
        let service = TestService::start_with(database, |config| config.registration_open = false).await;
        let body = json!({ "email": "a@example.com", "password": PASSWORD });
        let refused = service.post(&anonymous(), "/api_v1/users", body.clone()).await;
        refused.problem(401);
        assert!(refused.header("www-authenticate").is_some());
        service.post(&user(1), "/api_v1/users", body.clone()).await.problem(403);
        service.post(&operator(), "/api_v1/users", body).await.ok(201);
    }

    async fn every_value_that_does_not_fit_is_pointed_at(database: TestDatabase) {
        let service = TestService::start(database).await;
        for (body, pointers) in [
            (json!({}), vec!["/email", "/password"]),
            (json!({ "email": "nope", "password": 5 }), vec!["/email", "/password"]),
            (json!({ "email": "a@localhost", "password": PASSWORD }), vec!["/email"]),
            (json!({ "email": "Bob <bob@example.com>", "password": PASSWORD }), vec!["/email"]),
            (json!({ "email": "a@example.com", "password": "short" }), vec!["/password"]),
            (json!({ "email": "a@example.com", "password": "password1" }), vec!["/password"]),
            (json!({ "email": "a@example.com", "password": "" }), vec!["/password"]),
            (json!({ "email": "a@example.com", "password": "x".repeat(1025) }), vec!["/password"]),
            (json!({ "email": "a@example.com", "password": PASSWORD, "last_name": "x".repeat(256) }), vec!["/last_name"]),
            (json!({ "email": "a@example.com", "password": PASSWORD, "first_name": { "a": 1 } }), vec!["/first_name"]),
            (json!({ "email": "a@example.com", "password": PASSWORD, "roles": ["Not A Role"] }), vec!["/roles/0"]),
        ] {
            let answer = service.post(&anonymous(), "/api_v1/users", body.clone()).await;
            let mut found = answer.pointers();
            found.sort_unstable();
            assert_eq!(found, pointers, "{body}");
        }
    }

    async fn a_full_queue_of_passwords_is_503_and_stops_nobody_else(database: TestDatabase) {
        let service = TestService::start_with(database, |config| (config.hash_workers, config.hash_queue) = (1, 1)).await;
        let service = std::sync::Arc::new(service);
        let id = service.user("a@example.com").await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..12 {
            let service = std::sync::Arc::clone(&service);
            tasks.spawn(async move {
                let body = json!({ "email": format!("b{number}@example.com"), "password": PASSWORD });
                service.post(&anonymous(), "/api_v1/users", body).await
            });
        }
        service.get(&user(id), "/api_v1/users/me").await.ok(200);
        let answers = tasks.join_all().await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 201).collect();
        assert!(!refused.is_empty() && refused.len() < 12);
        for answer in refused {
            answer.problem(503);
            assert_eq!(answer.header("retry-after"), Some("2"));
        }
    }

    async fn a_nul_is_refused_wherever_it_stands(database: TestDatabase) {
        let service = TestService::start(database).await;
        for body in [
            json!({ "email": "a\u{0}@example.com", "password": PASSWORD }),
            json!({ "email": "a@example.com", "password": "a\u{0}bcdefghijk lmnop" }),
            json!({ "email": "a@example.com", "password": PASSWORD, "first_name": "a\u{0}b" }),
        ] {
            service.post(&anonymous(), "/api_v1/users", body).await.problem(400);
        }
    }
}
