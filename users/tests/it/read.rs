//! Fetching one user.

use kit::on_both_databases;
use reqwest::Method;
use users::Visibility;

use crate::service::{TestService, admin, anonymous, operator, user};

on_both_databases! {
    async fn one_reads_oneself_and_an_admin_reads_everybody(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (ann, bob) = (service.user("ann@example.com").await, service.user("bob@example.com").await);
        let root = service.admin("root@example.com").await;
        let path = format!("/api_v1/users/{ann}");
        for who in [user(ann), admin(root), operator()] {
            assert_eq!(service.get(&who, &path).await.ok(200).body["email"], "ann@example.com");
        }
        assert_eq!(service.get(&user(ann), "/api_v1/users/me").await.ok(200).body["id"], ann);
        service.get(&user(bob), &path).await.problem(403);
        // Whether there is such a user is not told either.
        service.get(&user(bob), "/api_v1/users/424242").await.problem(403);
        service.get(&anonymous(), &path).await.problem(401);
        service.get(&operator(), "/api_v1/users/me").await.problem(403);
        let missing = service.get(&admin(root), "/api_v1/users/424242").await;
        assert_eq!(missing.problem(404), "The user with this username does not exist in the system");
    }

    async fn members_read_each_other_where_the_settings_say_so(database: TestDatabase) {
        let service = TestService::start_with(database, |config| config.visibility = Visibility::Members).await;
        let (ann, bob) = (service.user("ann@example.com").await, service.user("bob@example.com").await);
        service.get(&user(bob), &format!("/api_v1/users/{ann}")).await.ok(200);
        service.get(&user(bob), "/api_v1/users").await.ok(200);
        service.get(&user(bob), "/api_v1/users/424242").await.problem(404);
        service.get(&anonymous(), "/api_v1/users").await.problem(401);
        service.delete(&user(bob), &format!("/api_v1/users/{ann}")).await.problem(403);
    }

    async fn an_id_that_is_no_integer_is_422_and_one_too_long_is_nobodys(database: TestDatabase) {
        let service = TestService::start(database).await;
        for path in ["abc", "1.0", "1e3", "%20", "0x1"] {
            service.get(&operator(), &format!("/api_v1/users/{path}")).await.problem(422);
        }
        for path in ["0", "-1", "99999999999999999999", "-99999999999999999999"] {
            service.get(&operator(), &format!("/api_v1/users/{path}")).await.problem(404);
        }
        let ann = service.user("ann@example.com").await;
        assert_eq!(ann, 1);
        service.get(&user(1), "/api_v1/users/%31").await.ok(200);
        service.get(&user(1), "/api_v1/users/1/").await.ok(200);
    }

    async fn a_copy_that_is_current_is_not_sent_again(database: TestDatabase) {
        let service = TestService::start(database).await;
        let (ann, bob) = (service.user("ann@example.com").await, service.user("bob@example.com").await);
        let path = "/api_v1/users/me";
        let etag = service.get(&user(ann), path).await.header("etag").unwrap().to_owned();
        let ask = |who, tag: String| service.send(service.request(&who, Method::GET, path).header("if-none-match", tag));
        for tag in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let answer = ask(user(ann), tag).await.ok(304);
            assert_eq!((answer.header("etag"), &answer.body), (Some(etag.as_str()), &serde_json::Value::Null));
        }
        ask(user(ann), "\"1.99\"".to_owned()).await.ok(200);
        // The same version of another user, at the same address.
        ask(user(bob), etag).await.ok(200);
    }

    async fn the_token_of_a_user_that_is_gone_or_disabled_is_void(database: TestDatabase) {
        let service = TestService::start(database).await;
        service.admin("root@example.com").await;
        let (ann, bob) = (service.user("ann@example.com").await, service.user("bob@example.com").await);
        service.delete(&operator(), &format!("/api_v1/users/{ann}")).await.ok(204);
        service.put(&operator(), &format!("/api_v1/users/{bob}"), serde_json::json!({ "is_active": false })).await.ok(200);
        for who in [user(ann), user(bob)] {
            let answer = service.get(&who, "/api_v1/users/me").await;
            answer.problem(401);
            assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
            service.put(&who, "/api_v1/users/me", serde_json::json!({ "first_name": "x" })).await.problem(401);
        }
    }

    async fn head_answers_like_get_without_a_body(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let got = service.get(&user(ann), "/api_v1/users/me").await;
        let head = service.send(service.request(&user(ann), Method::HEAD, "/api_v1/users/me")).await.ok(200);
        assert_eq!(head.header("etag"), got.header("etag"));
        assert_eq!(head.header("content-length"), got.header("content-length"));
        assert_eq!(head.body, serde_json::Value::Null);
    }
}
