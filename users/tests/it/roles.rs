//! The roles that there are.

use std::sync::Arc;

use kit::on_both_databases;
use serde_json::{Value, json};

use crate::service::{PASSWORD, TestService, admin, anonymous, operator, user};

const ROLES: &str = "/api_v1/roles";

async fn names(service: &TestService) -> Vec<String> {
    let roles = service.get(&operator(), ROLES).await.ok(200).body;
    roles.as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap().to_owned()).collect()
}

on_both_databases! {
    async fn a_role_is_created_found_listed_and_deleted(database: TestDatabase) {
        let service = TestService::start(database).await;
        assert_eq!(names(&service).await, ["admin", "user"]);
        let root = service.admin("root@example.com").await;
        let body = json!({ "name": "editor", "description": "Writes" });
        let created = service.post(&admin(root), ROLES, body.clone()).await.ok(201);
        assert_eq!(created.header("location"), Some("/api_v1/roles/editor"));
        let expected = json!({ "name": "editor", "description": "Writes", "built_in": false, "created_at": created.body["created_at"] });
        assert_eq!(created.body, expected);
        assert_eq!(service.get(&operator(), "/api_v1/roles/editor").await.ok(200).body, expected);
        assert_eq!(service.get(&operator(), "/api_v1/roles/admin").await.ok(200).body["built_in"], true);
        assert_eq!(names(&service).await, ["admin", "editor", "user"]);
        assert_eq!(service.post(&operator(), ROLES, body).await.problem(409), "The role exists already");
        service.post(&operator(), ROLES, json!({ "name": "user" })).await.problem(409);
        service.delete(&operator(), "/api_v1/roles/editor").await.ok(204);
        service.delete(&operator(), "/api_v1/roles/editor").await.problem(404);
        service.get(&operator(), "/api_v1/roles/editor").await.problem(404);
        for built_in in ["admin", "user"] {
            service.delete(&operator(), &format!("/api_v1/roles/{built_in}")).await.problem(409);
        }
        assert_eq!(names(&service).await, ["admin", "user"]);
    }

    async fn roles_are_for_admins_who_still_are(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (root, ann) = (service.admin("root@example.com").await, service.user("ann@example.com").await);
        service.admin("other@example.com").await;
        let body = json!({ "name": "editor" });
        // Who must sign in first is told so by the gateway.
        for (who, status) in [(anonymous(), 401), (user(ann), 403), (user(root), 403)] {
            service.get(&who, ROLES).await.problem(status);
            service.get(&who, "/api_v1/roles/user").await.problem(status);
            service.post(&who, ROLES, body.clone()).await.problem(status);
            service.delete(&who, "/api_v1/roles/editor").await.problem(status);
        }
        // The token says admin, the database does not any more.
        service.post(&admin(ann), ROLES, body.clone()).await.problem(403);
        service.put(&operator(), &format!("/api_v1/users/{root}"), json!({ "is_active": false })).await.ok(200);
        service.post(&admin(root), ROLES, body.clone()).await.problem(401);
        service.post(&admin(4242), ROLES, body).await.problem(401);
        assert_eq!(names(&service).await, ["admin", "user"]);
    }

    async fn a_role_that_does_not_exist_is_named_and_given_to_nobody(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let path = format!("/api_v1/users/{ann}");
        let roles = json!({ "roles": ["editor", "user", "auditor"], "first_name": "Ann" });
        for refused in [service.put(&operator(), &path, roles.clone()).await, service.patch(&operator(), &path, roles).await] {
            assert_eq!(refused.pointers(), ["/roles"]);
            assert_eq!(refused.problem(422), "/roles: there is no such role: auditor, editor");
        }
        let found = service.get(&operator(), &path).await.ok(200);
        assert_eq!((&found.body["roles"], &found.body["first_name"]), (&json!(["user"]), &Value::Null));
        let new = json!({ "email": "b@example.com", "password": PASSWORD, "roles": ["editor"] });
        assert_eq!(service.post(&operator(), "/api_v1/users", new.clone()).await.pointers(), ["/roles"]);
        service.role("editor").await;
        service.post(&operator(), "/api_v1/users", new).await.ok(201);
        service.put(&operator(), &path, json!({ "roles": ["editor", "admin"] })).await.ok(200);
        let refused = service.delete(&operator(), "/api_v1/roles/editor").await;
        assert_eq!(refused.problem(409), "Users have this role (2): take it from them first");
    }

    async fn the_loss_of_a_role_ends_the_user_s_access_tokens(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        service.role("editor").await;
        let path = format!("/api_v1/users/{ann}");
        service.put(&operator(), &path, json!({ "roles": ["editor"] })).await.ok(200);
        let lost = service.put(&operator(), &path, json!({ "roles": [] })).await.ok(200);
        assert_eq!(lost.header("platform-tokens-ended"), Some(ann.to_string().as_str()));
        assert_eq!(lost.header("platform-sessions-ended"), None);
        service.delete(&operator(), "/api_v1/roles/editor").await.ok(204);
    }

    async fn a_role_given_and_deleted_at_once_is_either_there_or_given_to_nobody(database: TestDatabase) {
        let service = Arc::new(TestService::start(database).await);
        let ann = service.user("ann@example.com").await;
        let path = format!("/api_v1/users/{ann}");
        for round in 0..20 {
            service.role("editor").await;
            let giving = tokio::spawn({
                let (service, path) = (Arc::clone(&service), path.clone());
                async move { service.put(&operator(), &path, json!({ "roles": ["editor"] })).await.status }
            });
            let deleted = service.delete(&operator(), "/api_v1/roles/editor").await.status;
            let outcome = (giving.await.unwrap(), deleted);
            let has = service.get(&operator(), &path).await.ok(200).body["roles"] == json!(["editor", "user"]);
            let is_there = names(&service).await.contains(&"editor".to_owned());
            match outcome {
                (200, 409) => assert!(has && is_there, "{round}"),
                (422, 204) => assert!(!has && !is_there, "{round}"),
                other => panic!("{round}: {other:?}"),
            }
            service.put(&operator(), &path, json!({ "roles": [] })).await.ok(200);
            if is_there {
                service.delete(&operator(), "/api_v1/roles/editor").await.ok(204);
            }
        }
    }

    async fn roles_that_users_had_before_there_was_a_registry_are_in_it(database: TestDatabase) {
        use migration::Service::Users;
        migration::up(Users, database.url(), Some(1)).await.unwrap();
        let open = database.open().await;
        let transaction = open.begin_write().await.unwrap();
        for statement in [
            "INSERT INTO users (email, email_canonical, password_hash, search_text, is_active, epoch, version, created_at, updated_at) \
             VALUES ('a@example.com', 'a@example.com', 'x', 'a', true, 1, 1, 1, 1)",
            "INSERT INTO user_roles (user_id, role) VALUES (1, 'user'), (1, 'editor')",
        ] {
            sea_orm::ConnectionTrait::execute_unprepared(&transaction, statement).await.unwrap();
        }
        transaction.commit().await.unwrap();
        open.close().await.unwrap();
        let service = TestService::start(database).await;
        assert_eq!(names(&service).await, ["admin", "editor", "user"]);
        service.delete(&operator(), "/api_v1/roles/editor").await.problem(409);
    }
}
