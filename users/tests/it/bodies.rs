//! Bodies that two readers could read differently, or that want to set what nobody sets (cases C35, C37, C40, R10).

use kit::on_both_databases;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Answer, PASSWORD, TestService, admin, anonymous, operator, user};

const USERS: &str = "/api_v1/users";

async fn send(service: &TestService, content_type: Option<&str>, body: impl Into<reqwest::Body>) -> Answer {
    let request = service.request(&anonymous(), Method::POST, USERS).body(body);
    let request = match content_type {
        Some(content_type) => request.header("content-type", content_type),
        None => request,
    };
    service.send(request).await
}

on_both_databases! {
    async fn what_is_no_json_is_400_and_never_500(database: TestDatabase) {
        let service = TestService::start(database).await;
        let good = json!({ "email": "a@example.com", "password": PASSWORD }).to_string();
        let named = |name: &str| good.replace('}', &format!(", \"first_name\": {name}}}")).into_bytes();
        let utf_16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (what, body) in [
            ("a NUL", named(r#""a\u0000b""#)),
            ("a lone surrogate", named(r#""\ud800""#)),
            ("bad UTF-8", [&named("\"")[..], &[0xff, 0xfe], b"\"}"].concat()),
            ("UTF-16", utf_16),
            ("NaN", named("NaN")),
            ("too large a number", named("1e400")),
            ("deep nesting", "[".repeat(100_000).into_bytes()),
            ("more after the end", format!("{good}x").into_bytes()),
            ("nothing", Vec::new()),
            ("a broken escape", named(r#""\x""#)),
        ] {
            let begun = std::time::Instant::now();
            let refused = send(&service, Some("application/json"), body).await;
            refused.problem(400);
            assert!(begun.elapsed().as_secs() < 2, "{what}");
        }
        // A mark of the byte order is no part of JSON (RFC 8259 §8.1): it may be ignored or refused; it is refused.
        send(&service, Some("application/json"), format!("\u{feff}{good}")).await.problem(400);
        for content_type in [Some("application/json; charset=latin1"), Some("text/plain"), Some("application/xml")] {
            send(&service, content_type, good.clone()).await.problem(415);
        }
        for path in ["/api_v1/users?q=%00", "/api_v1/users/%00"] {
            let refused = service.get(&operator(), path).await;
            assert!(matches!(refused.status, 400 | 422), "{path}: {refused:?}");
        }
        assert_eq!(service.get(&operator(), USERS).await.ok(200).body, json!([]));
        send(&service, Some("application/json; charset=utf-8"), good).await.ok(201);
    }

    async fn a_member_that_stands_twice_is_400_in_every_spelling(database: TestDatabase) {
        let service = TestService::start(database).await;
        let start = format!("{{\"email\": \"a@example.com\", \"password\": {}", json!(PASSWORD));
        for twice in [
            r#", "is_active": true, "is_active": false}"#,
            r#", "is_active": false, "is_active": true}"#,
            r#", "roles": [], "r\u006fles": ["admin"]}"#,
            r#", "password": "another good password"}"#,
            r#", "unknown": {"a": 1, "a": 2}}"#,
        ] {
            send(&service, Some("application/json"), format!("{start}{twice}")).await.problem(400);
        }
        for query in ["role=user&role=admin", "limit=1&limit=2", "r%6fle=user&role=admin"] {
            service.get(&operator(), &format!("{USERS}?{query}")).await.problem(400);
        }
        assert_eq!(service.get(&operator(), USERS).await.ok(200).body, json!([]));
    }

    async fn what_is_no_field_of_a_user_sets_nothing(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (ann, bob) = (service.user("ann@example.com").await, service.user("bob@example.com").await);
        let before = service.get(&operator(), &format!("{USERS}/{ann}")).await.ok(200).body;
        for (body, status) in [
            (json!({ "roles": ["admin"] }), 403),
            (json!({ "id": 1_000 }), 403),
            (json!({ "is_active": false }), 403),
            (json!({ "must_change_password": true }), 403),
            (json!({ "role": "admin", "is_admin": true, "is_superuser": true }), 200),
            (json!({ "password_hash": "x", "hashed_password": "x", "epoch": 99, "version": 99 }), 200),
            (json!({ "created_at": "2000-01-01T00:00:00Z", "updated_at": 0, "verified_email": "x", "email_verified": true }), 200),
        ] {
            for (answer, how) in [
                (service.put(&user(ann), "/api_v1/users/me", body.clone()).await, "PUT"),
                (service.patch(&user(ann), "/api_v1/users/me", body.clone()).await, "PATCH"),
            ] {
                assert_eq!(answer.status, status, "{how} {body}");
            }
            assert_eq!(service.get(&operator(), &format!("{USERS}/{ann}")).await.ok(200).body, before, "{body}");
        }
        let new = json!({ "email": "c@example.com", "password": PASSWORD, "role": "admin", "password_hash": "x", "email_verified": true });
        let created = service.post(&anonymous(), USERS, new).await.ok(201).body;
        assert_eq!((&created["roles"], &created["email_verified"]), (&json!(["user"]), &json!(false)));
        service.put(&user(ann), &format!("{USERS}/{bob}"), json!({ "first_name": "x" })).await.problem(403);
        service.sign_in("ann@example.com", PASSWORD).await.ok(200);
        for who in [user(ann), admin(ann), operator()] {
            let shown = service.get(&who, &format!("{USERS}/{ann}")).await.ok(200).body;
            let members: Vec<&String> = shown.as_object().unwrap().keys().collect();
            assert!(members.iter().all(|name| !name.contains("hash") && !name.contains("salt") && *name != "password"), "{members:?}");
        }
    }

    async fn a_user_is_deleted_once_and_a_change_of_nobody_is_404(database: TestDatabase) {
        let service = TestService::start(database).await;
        let path = format!("{USERS}/{}", service.user("ann@example.com").await);
        let refused = service.request(&operator(), Method::PUT, &path).header("if-none-match", "*").json(&json!({}));
        service.send(refused).await.problem(412);
        let nonsense = service.request(&operator(), Method::DELETE, &path).header("if-match", "nonsense");
        service.send(nonsense).await.problem(412);
        service.delete(&operator(), &path).await.ok(204);
        service.delete(&operator(), &path).await.problem(404);
        service.put(&operator(), &path, json!({ "first_name": "Ann" })).await.problem(404);
    }

    async fn of_two_spellings_that_race_one_is_created_and_one_refused(database: TestDatabase) {
        let service = std::sync::Arc::new(TestService::start(database).await);
        for round in 0..20 {
            let tasks = [format!("User{round}@example.com"), format!("user{round}@EXAMPLE.com")].map(|email| {
                let service = std::sync::Arc::clone(&service);
                tokio::spawn(async move {
                    service.post(&anonymous(), USERS, json!({ "email": email, "password": PASSWORD })).await
                })
            });
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.unwrap());
            }
            answers.sort_by_key(|answer| answer.status);
            assert_eq!(answers[0].status, 201, "{answers:?}");
            assert_eq!(answers[1].problem(400), "The user with this username already exists in the system");
        }
        let listed: Value = service.get(&operator(), USERS).await.ok(200).body;
        assert_eq!(listed.as_array().unwrap().len(), 20);
    }
}
