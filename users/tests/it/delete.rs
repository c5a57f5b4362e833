//! Deleting users.

use kit::on_both_databases;

use crate::service::{PASSWORD, TestService, admin, anonymous, user};

on_both_databases! {
    async fn one_deletes_oneself_and_an_admin_anybody(database: TestDatabase) {
        let service = TestService::start(database).await;
        let root = service.admin("root@example.com").await;
        let (ann, bob) = (service.user("ann@example.com").await, service.user("bob@example.com").await);
        let path = |id: i64| format!("/api_v1/users/{id}");
        service.delete(&user(bob), &path(ann)).await.problem(403);
        service.delete(&anonymous(), &path(ann)).await.problem(401);
        let deleted = service.delete(&user(ann), &path(ann)).await.ok(204);
        assert_eq!(deleted.body, serde_json::Value::Null);
        assert_eq!(deleted.header("platform-sessions-ended"), Some(ann.to_string().as_str()));
        service.delete(&admin(root), &path(bob)).await.ok(204);
        service.delete(&admin(root), &path(bob)).await.problem(404);
        service.delete(&admin(root), "/api_v1/users/abc").await.problem(422);
        service.delete(&admin(root), "/api_v1/users/me").await.problem(405);
    }

    async fn a_freed_address_makes_a_new_user(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        service.delete(&user(ann), &format!("/api_v1/users/{ann}")).await.ok(204);
        service.sign_in("ann@example.com", PASSWORD).await.problem(400);
        let again = service.user("ann@example.com").await;
        assert!(again > ann);
        service.get(&user(ann), "/api_v1/users/me").await.problem(401);
    }
}
