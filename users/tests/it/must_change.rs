//! Passwords that must be changed at the next sign-in, and the change of a password that is known.

use kit::on_both_databases;
use serde_json::{Value, json};

use crate::service::{Answer, PASSWORD, TestService, admin, anonymous, gateway, operator, user};

const NEW: &str = "zwölf Fässer Most im Keller";

async fn change(service: &TestService, email: &str, password: &str, new: &str) -> Answer {
    let body = json!({ "email": email, "password": password, "new_password": new });
    service.post(&gateway(), "/internal/credentials/change", body).await
}

async fn is_marked(service: &TestService, id: i64) -> Value {
    service.get(&operator(), &format!("/api_v1/users/{id}")).await.ok(200).body["must_change_password"]
        .clone()
}

on_both_databases! {
    async fn a_password_set_by_an_admin_for_somebody_else_must_be_changed_unless_the_admin_says_otherwise(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (root, ann) = (service.admin("root@example.com").await, service.user("ann@example.com").await);
        let path = format!("/api_v1/users/{ann}");
        for who in [admin(root), operator()] {
            for (body, marked) in [
                (json!({ "password": NEW }), true),
                (json!({ "first_name": "Ann" }), true),
                (json!({ "password": PASSWORD, "must_change_password": false }), false),
                (json!({ "password": NEW, "must_change_password": true }), true),
                (json!({ "must_change_password": false }), false),
            ] {
                service.put(&who, &path, body.clone()).await.ok(200);
                assert_eq!(is_marked(&service, ann).await, marked, "PUT {body}");
            }
            for (body, marked) in [(json!({ "password": NEW }), true), (json!({ "password": PASSWORD, "must_change_password": false }), false)] {
                service.patch(&who, &path, body.clone()).await.ok(200);
                assert_eq!(is_marked(&service, ann).await, marked, "PATCH {body}");
            }
        }
        // The gateway learns of it with the right password, and only then.
        service.put(&operator(), &path, json!({ "password": NEW })).await.ok(200);
        assert_eq!(service.sign_in("ann@example.com", NEW).await.ok(200).body["user"]["must_change_password"], true);
        service.sign_in("ann@example.com", "wrong").await.problem(400);
    }

    async fn ones_own_new_password_is_not_marked_an_admin_s_neither(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (root, ann) = (service.admin("root@example.com").await, service.user("ann@example.com").await);
        for (who, id) in [(user(ann), ann), (admin(root), root)] {
            let body = json!({ "password": NEW, "current_password": PASSWORD });
            service.put(&who, &format!("/api_v1/users/{id}"), body).await.ok(200);
            assert_eq!(is_marked(&service, id).await, false);
        }
    }

    async fn old_clients_who_set_a_password_mark_nothing(database: TestDatabase) {
        let service = TestService::start_with(database, |config| config.compat_fastapi = true).await;
        let ann = service.user("ann@example.com").await;
        let path = format!("/api_v1/users/{ann}");
        service.put(&operator(), &path, json!({ "password": NEW })).await.ok(200);
        assert_eq!(is_marked(&service, ann).await, false);
        service.put(&operator(), &path, json!({ "must_change_password": true })).await.ok(200);
        assert_eq!(is_marked(&service, ann).await, true);
    }

    async fn the_mark_is_for_admins_to_set(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let told = "You may not set: must_change_password";
        let body = json!({ "email": "x@example.com", "password": PASSWORD, "must_change_password": true });
        assert_eq!(service.post(&anonymous(), "/api_v1/users", body.clone()).await.problem(403), told);
        assert_eq!(service.put(&user(ann), "/api_v1/users/me", json!({ "must_change_password": true })).await.problem(403), told);
        // What would change nothing is no reason to refuse.
        service.put(&user(ann), "/api_v1/users/me", json!({ "must_change_password": false })).await.ok(200);
        assert_eq!(service.post(&operator(), "/api_v1/users", body).await.ok(201).body["must_change_password"], true);
    }

    async fn the_mark_ends_the_sessions_and_taking_it_away_does_not(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let path = format!("/api_v1/users/{ann}");
        let marked = service.put(&operator(), &path, json!({ "must_change_password": true })).await.ok(200);
        assert_eq!(marked.header("platform-sessions-ended"), Some(ann.to_string().as_str()));
        assert_eq!(service.sign_in("ann@example.com", PASSWORD).await.ok(200).body["epoch"], 2);
        let freed = service.put(&operator(), &path, json!({ "must_change_password": false })).await.ok(200);
        assert_eq!(freed.header("platform-sessions-ended"), None);
    }

    async fn a_known_password_is_changed_and_the_mark_goes_with_it(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        service.put(&operator(), &format!("/api_v1/users/{ann}"), json!({ "must_change_password": true })).await.ok(200);
        let changed = change(&service, " ANN@example.com", PASSWORD, NEW).await.ok(200);
        assert_eq!((&changed.body["user"]["must_change_password"], &changed.body["epoch"]), (&json!(false), &json!(3)));
        service.sign_in("ann@example.com", PASSWORD).await.problem(400);
        assert_eq!(service.sign_in("ann@example.com", NEW).await.ok(200).body["epoch"], 3);
    }

    async fn a_password_set_by_a_link_takes_the_mark_away(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        service.put(&operator(), &format!("/api_v1/users/{ann}"), json!({ "must_change_password": true })).await.ok(200);
        let reset = json!({ "email": "ann@example.com", "password": NEW });
        service.put(&gateway(), &format!("/internal/users/{ann}/password"), reset).await.ok(200);
        assert_eq!(is_marked(&service, ann).await, false);
    }

    async fn what_keeps_a_password_from_being_changed_is_told(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        for (email, password) in [("ann@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("x", PASSWORD)] {
            assert_eq!(change(&service, email, password, NEW).await.problem(400), "Incorrect email or password");
            // Nothing of the new password is told to whoever does not know the old one.
            assert_eq!(change(&service, email, password, "password").await.problem(400), "Incorrect email or password");
        }
        for (new, told) in [
            (PASSWORD, "must not be the password until now"),
            ("tra\u{308}umende Ku\u{308}he 42 und mehr", "must not be the password until now"),
            ("password", "too easily guessed"),
            ("ann@example.com", "must not be the e-mail address"),
        ] {
            let refused = change(&service, "ann@example.com", PASSWORD, new).await;
            assert_eq!(refused.pointers(), ["/new_password"]);
            assert!(refused.problem(422).contains(told), "{refused:?}");
        }
        assert_eq!(change(&service, "ann@example.com", PASSWORD, "short").await.pointers(), ["/new_password"]);
        service.put(&operator(), &format!("/api_v1/users/{ann}"), json!({ "is_active": false })).await.ok(200);
        assert_eq!(change(&service, "ann@example.com", PASSWORD, NEW).await.problem(400), "Inactive user");
        for (who, status) in [(anonymous(), 401), (user(ann), 403), (operator(), 403)] {
            let body = json!({ "email": "ann@example.com", "password": PASSWORD, "new_password": NEW });
            service.post(&who, "/internal/credentials/change", body).await.problem(status);
        }
    }

    async fn of_many_changes_of_one_password_at_once_one_wins(database: TestDatabase) {
        let service = std::sync::Arc::new(TestService::start(database).await);
        service.user("ann@example.com").await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..6 {
            let service = std::sync::Arc::clone(&service);
            tasks.spawn(async move {
                let new = format!("{NEW} {number}");
                (change(&service, "ann@example.com", PASSWORD, &new).await.status, new)
            });
        }
        let answers = tasks.join_all().await;
        let won: Vec<&String> = answers.iter().filter(|(status, _)| *status == 200).map(|(_, new)| new).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 400)), "{answers:?}");
        service.sign_in("ann@example.com", won[0]).await.ok(200);
    }
}
