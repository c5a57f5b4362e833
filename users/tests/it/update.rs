//! Changing users.

use kit::on_both_databases;
use reqwest::Method;
use serde_json::json;

use crate::service::{PASSWORD, TestService, admin, anonymous, operator, user};

const NEW: &str = "andere Kühe schlafen 43";
const ME: &str = "/api_v1/users/me";

on_both_databases! {
    async fn put_leaves_what_is_left_out_or_null(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let before = service.put(&user(ann), ME, json!({ "first_name": "Ann", "last_name": "Lee" })).await.ok(200);
        let after = service.put(&user(ann), ME, json!({ "first_name": null, "last_name": "Li", "email": null,
            "password": null, "is_active": null, "unknown": 1 })).await.ok(200);
        assert_eq!((&after.body["first_name"], &after.body["last_name"]), (&json!("Ann"), &json!("Li")));
        assert_ne!(before.header("etag"), after.header("etag"));
        // No body at all, and a body that changes nothing, leave the version as it is.
        for request in [service.request(&user(ann), Method::PUT, ME), service.request(&user(ann), Method::PUT, ME).json(&json!({ "id": ann }))] {
            assert_eq!(service.send(request).await.ok(200).header("etag"), after.header("etag"));
        }
    }

    async fn patch_clears_what_is_null_and_leaves_what_is_left_out(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        service.put(&user(ann), ME, json!({ "first_name": "Ann", "last_name": "Lee" })).await.ok(200);
        let after = service.patch(&user(ann), ME, json!({ "first_name": null })).await.ok(200);
        assert_eq!((&after.body["first_name"], &after.body["last_name"]), (&json!(null), &json!("Lee")));
        let refused = service.patch(&user(ann), ME, json!({ "email": null, "password": null, "is_active": null })).await;
        assert_eq!(refused.pointers(), ["/email", "/password", "/is_active"]);
        let plain = service.request(&user(ann), Method::PATCH, ME).header("content-type", "text/plain").body("{}");
        service.send(plain).await.problem(415);
    }

    async fn one_changes_oneself_only_and_an_admin_everybody(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (ann, bob) = (service.user("ann@example.com").await, service.user("bob@example.com").await);
        let root = service.admin("root@example.com").await;
        let path = format!("/api_v1/users/{ann}");
        for body in [json!({ "first_name": "x" }), json!({ "is_active": false }), json!({ "password": NEW }), json!({})] {
            service.put(&user(bob), &path, body.clone()).await.problem(403);
            service.put(&anonymous(), &path, body).await.problem(401);
        }
        service.put(&user(ann), &path, json!({ "first_name": "Ann" })).await.ok(200);
        service.put(&admin(root), &path, json!({ "first_name": "Anna" })).await.ok(200);
        service.put(&admin(root), "/api_v1/users/424242", json!({ "first_name": "x" })).await.problem(404);
        assert_eq!(service.get(&user(ann), ME).await.body["first_name"], "Anna");
    }

    async fn fields_of_admins_are_refused_by_name_where_they_would_change_anything(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let greedy = json!({ "first_name": "x", "roles": ["admin"], "is_active": false, "id": 99 });
        let refused = service.put(&user(ann), ME, greedy.clone()).await;
        assert_eq!(refused.problem(403), "You may not set: id, is_active, roles");
        service.patch(&user(ann), ME, greedy).await.problem(403);
        service.put(&user(ann), ME, json!({ "roles": ["user"], "is_active": true, "id": ann })).await.ok(200);
        assert_eq!(service.get(&user(ann), ME).await.body["first_name"], json!(null));
        service.put(&operator(), &format!("/api_v1/users/{ann}"), json!({ "id": 99 })).await.problem(403);
    }

    async fn ones_own_password_changes_with_the_current_one_and_ends_the_sessions(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let epoch = service.sign_in("ann@example.com", PASSWORD).await.ok(200).body["epoch"].as_i64().unwrap();
        for body in [json!({ "password": NEW }), json!({ "password": NEW, "current_password": "wrong" })] {
            let refused = service.put(&user(ann), ME, body).await;
            assert!(refused.problem(403).contains("current_password"));
            assert_eq!(refused.header("platform-sessions-ended"), None);
        }
        let body = json!({ "password": NEW, "current_password": PASSWORD });
        let changed = service.put(&user(ann), ME, body).await.ok(200);
        assert_eq!(changed.header("platform-sessions-ended"), Some(ann.to_string().as_str()));
        service.sign_in("ann@example.com", PASSWORD).await.problem(400);
        assert_eq!(service.sign_in("ann@example.com", NEW).await.ok(200).body["epoch"], epoch + 1);
        let weak = json!({ "password": "password", "current_password": NEW });
        assert_eq!(service.put(&user(ann), ME, weak).await.pointers(), ["/password"]);
    }

    async fn an_admin_sets_anothers_password_and_needs_the_current_one_for_its_own(database: TestDatabase) {
        let service = TestService::start(database).await;
        let root = service.admin("root@example.com").await;
        let ann = service.user("ann@example.com").await;
        let set = service.put(&admin(root), &format!("/api_v1/users/{ann}"), json!({ "password": NEW })).await.ok(200);
        assert_eq!(set.header("platform-sessions-ended"), Some(ann.to_string().as_str()));
        service.sign_in("ann@example.com", NEW).await.ok(200);
        service.put(&admin(root), ME, json!({ "password": NEW })).await.problem(403);
        service.put(&operator(), &format!("/api_v1/users/{root}"), json!({ "password": NEW })).await.ok(200);
    }

    async fn ones_own_address_changes_with_the_current_password_and_the_one_until_then_is_told(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (ann, root) = (service.user("ann@example.com").await, service.admin("root@example.com").await);
        for (who, address) in [(user(ann), "new@example.com"), (admin(root), "chief@example.com")] {
            for body in [json!({ "email": address }), json!({ "email": address, "current_password": "wrong" })] {
                for refused in [service.put(&who, ME, body.clone()).await, service.patch(&who, ME, body.clone()).await] {
                    assert!(refused.problem(403).contains("current_password"));
                    assert_eq!(refused.header("platform-address-left"), None);
                }
            }
        }
        let body = json!({ "email": "new@example.com", "current_password": PASSWORD });
        let changed = service.patch(&user(ann), ME, body).await.ok(200);
        assert_eq!(changed.header("platform-address-left"), Some(format!("{ann};unproved;ann%40example%2Ecom").as_str()));
        assert_eq!(changed.header("platform-sessions-ended"), None);
        // The same address once more, or in another spelling, is none of it; and an admin needs no password for another's.
        let same = service.put(&user(ann), ME, json!({ "email": "NEW@example.com", "first_name": "Ann" })).await.ok(200);
        assert_eq!(same.header("platform-address-left"), None);
        let path = format!("/api_v1/users/{ann}");
        let set = service.put(&admin(root), &path, json!({ "email": "set@example.com" })).await.ok(200);
        assert_eq!(set.header("platform-address-left"), Some(format!("{ann};unproved;NEW%40example%2Ecom").as_str()));
        service.put(&operator(), &format!("/api_v1/users/{root}"), json!({ "email": "chief@example.com" })).await.ok(200);
    }

    async fn old_clients_change_their_password_alone_where_the_settings_say_so(database: TestDatabase) {
        let service = TestService::start_with(database, |config| config.compat_fastapi = true).await;
        let ann = service.user("ann@example.com").await;
        service.put(&user(ann), ME, json!({ "password": NEW })).await.ok(200);
        service.sign_in("ann@example.com", NEW).await.ok(200);
        service.put(&user(ann), ME, json!({ "password": PASSWORD, "current_password": "wrong" })).await.problem(403);
        service.put(&user(ann), ME, json!({ "email": "new@example.com" })).await.ok(200);
        service.get(&user(ann), "/api_v1/users").await.ok(200);
    }

    async fn an_address_moves_with_its_user_and_never_to_anothers(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (ann, bob) = (service.user("ann@example.com").await, service.user("bob@example.com").await);
        let taken = service.put(&user(ann), ME, json!({ "email": "BOB@example.com", "current_password": PASSWORD })).await;
        assert_eq!(taken.problem(400), "The user with this username already exists in the system");
        let respelled = service.put(&user(ann), ME, json!({ "email": "Ann@Example.com" })).await.ok(200);
        assert_eq!(respelled.body["email"], "Ann@Example.com");
        service.put(&user(ann), ME, json!({ "email": "new@example.com", "current_password": PASSWORD })).await.ok(200);
        service.sign_in("ann@example.com", PASSWORD).await.problem(400);
        assert_eq!(service.sign_in("NEW@example.com", PASSWORD).await.ok(200).body["user"]["id"], ann);
        // The freed address goes to another user, and no token of the old one with it.
        service.put(&user(bob), ME, json!({ "email": "ann@example.com", "current_password": PASSWORD })).await.ok(200);
        assert_eq!(service.get(&user(ann), ME).await.body["email"], "new@example.com");
    }

    async fn disabling_ends_sessions_and_a_change_of_roles_ends_tokens(database: TestDatabase) {
        let service = TestService::start(database).await;
        service.admin("root@example.com").await;
        let ann = service.user("ann@example.com").await;
        let path = format!("/api_v1/users/{ann}");
        let promoted = service.put(&operator(), &path, json!({ "roles": ["admin"] })).await.ok(200);
        assert_eq!(promoted.body["roles"], json!(["admin", "user"]));
        assert_eq!(promoted.header("platform-tokens-ended"), Some(ann.to_string().as_str()));
        assert_eq!(promoted.header("platform-sessions-ended"), None);
        let disabled = service.put(&operator(), &path, json!({ "is_active": false })).await.ok(200);
        assert_eq!(disabled.header("platform-sessions-ended"), Some(ann.to_string().as_str()));
        assert_eq!(service.sign_in("ann@example.com", PASSWORD).await.problem(400), "Inactive user");
        let enabled = service.put(&operator(), &path, json!({ "is_active": true })).await.ok(200);
        assert_eq!(enabled.body["is_active"], true);
        assert_eq!(service.sign_in("ann@example.com", PASSWORD).await.ok(200).body["epoch"], 3);
        let renamed = service.put(&operator(), &path, json!({ "first_name": "Ann" })).await.ok(200);
        assert!(renamed.header("platform-sessions-ended").is_none() && renamed.header("platform-tokens-ended").is_none());
    }

    async fn a_change_meant_for_an_older_version_is_412(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let etag = service.get(&user(ann), ME).await.header("etag").unwrap().to_owned();
        let change = |tag: &str, name: &str| {
            service.send(service.request(&user(ann), Method::PUT, ME).header("if-match", tag).json(&json!({ "first_name": name })))
        };
        change(&etag, "Ann").await.ok(200);
        for tag in [etag.as_str(), "\"nonsense\"", "W/\"1.2\"", "x"] {
            change(tag, "Anna").await.problem(412);
        }
        change("*", "Anne").await.ok(200);
        let delete = service.request(&user(ann), Method::DELETE, &format!("/api_v1/users/{ann}")).header("if-match", &etag);
        service.send(delete).await.problem(412);
        let body = json!({ "password": NEW, "current_password": PASSWORD });
        let password = service.request(&user(ann), Method::PUT, ME).header("if-match", &etag).json(&body);
        service.send(password).await.problem(412);
    }

    async fn of_many_changes_of_one_version_one_wins(database: TestDatabase) {
        let service = std::sync::Arc::new(TestService::start(database).await);
        let ann = service.user("ann@example.com").await;
        let etag = service.get(&user(ann), ME).await.header("etag").unwrap().to_owned();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..8 {
            let (service, etag) = (std::sync::Arc::clone(&service), etag.clone());
            tasks.spawn(async move {
                let body = json!({ "first_name": format!("Ann {number}") });
                service.send(service.request(&user(ann), Method::PUT, ME).header("if-match", etag).json(&body)).await.status
            });
        }
        let mut statuses = tasks.join_all().await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    }

    async fn the_last_active_admin_stays(database: TestDatabase) {
        let service = TestService::start(database).await;
        let root = service.admin("root@example.com").await;
        service.role("editor").await;
        let path = format!("/api_v1/users/{root}");
        for body in [json!({ "is_active": false }), json!({ "roles": [] }), json!({ "roles": ["user", "editor"] })] {
            service.put(&admin(root), &path, body.clone()).await.problem(409);
            service.patch(&operator(), &path, body).await.problem(409);
        }
        service.delete(&operator(), &path).await.problem(409);
        let other = service.admin("other@example.com").await;
        service.put(&operator(), &format!("/api_v1/users/{other}"), json!({ "is_active": false })).await.ok(200);
        service.delete(&operator(), &path).await.problem(409);
        service.put(&operator(), &format!("/api_v1/users/{other}"), json!({ "is_active": true })).await.ok(200);
        service.delete(&operator(), &path).await.ok(204);
    }

    async fn two_admins_that_remove_each_other_at_once_leave_one(database: TestDatabase) {
        let service = std::sync::Arc::new(TestService::start(database).await);
        for round in 0..5 {
            let mut admins = Vec::new();
            for name in ["a", "b", "c"] {
                admins.push(service.admin(&format!("{name}{round}@example.com")).await);
            }
            let mut tasks = tokio::task::JoinSet::new();
            for (index, target) in admins.iter().copied().enumerate() {
                let service = std::sync::Arc::clone(&service);
                let path = format!("/api_v1/users/{target}");
                tasks.spawn(async move {
                    match index {
                        0 => service.put(&operator(), &path, json!({ "is_active": false })).await.status,
                        1 => service.put(&operator(), &path, json!({ "roles": [] })).await.status,
                        _ => service.delete(&operator(), &path).await.status,
                    }
                });
            }
            let statuses = tasks.join_all().await;
            assert_eq!(statuses.iter().filter(|status| **status == 409).count(), usize::from(round == 0), "{statuses:?}");
            let left = service.get(&operator(), "/api_v1/users?role=admin&is_active=true").await.ok(200);
            assert_eq!(left.body.as_array().unwrap().len(), 1);
            if round == 0 {
                // From here on another admin stays, and all three may go.
                service.admin("stays@example.com").await;
                let first = left.body[0]["id"].as_i64().unwrap();
                service.delete(&operator(), &format!("/api_v1/users/{first}")).await.ok(204);
            }
        }
    }

    async fn an_admin_demoted_or_disabled_a_moment_ago_changes_nobody(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (root, ann) = (service.admin("root@example.com").await, service.user("ann@example.com").await);
        let path = format!("/api_v1/users/{ann}");
        // Tokens that still say admin.
        service.put(&admin(ann), &format!("/api_v1/users/{root}"), json!({ "first_name": "x" })).await.problem(403);
        service.put(&admin(ann), ME, json!({ "roles": ["admin"] })).await.problem(403);
        service.delete(&admin(424_242), &path).await.problem(401);
        service.put(&operator(), &path, json!({ "is_active": false })).await.ok(200);
        service.put(&admin(ann), &format!("/api_v1/users/{root}"), json!({ "first_name": "x" })).await.problem(401);
    }
}
