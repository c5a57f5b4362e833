//! What the gateway alone asks.

use contract::users::SERVICE;
use kit::on_both_databases;
use serde_json::json;

use crate::service::{PASSWORD, TestService, admin, anonymous, gateway, operator, user};

on_both_databases! {
    async fn a_password_is_checked_for_the_gateway(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("Ann@example.com").await;
        let identity = service.sign_in(" ANN@EXAMPLE.COM ", PASSWORD).await.ok(200);
        assert_eq!((&identity.body["user"]["id"], &identity.body["epoch"]), (&json!(ann), &json!(1)));
        for (email, password) in [
            ("ann@example.com", "wrong"), ("ann@example.com", ""), ("nobody@example.com", PASSWORD), ("x", "y"), ("", ""),
        ] {
            let refused = service.sign_in(email, password).await;
            assert_eq!(refused.problem(400), "Incorrect email or password", "{email:?}");
        }
        assert_eq!(service.sign_in("ann@example.com", &"x".repeat(1025)).await.pointers(), ["/password"]);
        assert_eq!(service.post(&gateway(), "/internal/credentials/verify", json!({})).await.pointers(), ["/email", "/password"]);
    }

    async fn an_inactive_user_is_told_so_only_with_the_right_password(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        service.put(&operator(), &format!("/api_v1/users/{ann}"), json!({ "is_active": false })).await.ok(200);
        assert_eq!(service.sign_in("ann@example.com", PASSWORD).await.problem(400), "Inactive user");
        assert_eq!(service.sign_in("ann@example.com", "wrong").await.problem(400), "Incorrect email or password");
    }

    async fn how_a_user_stands_is_told_to_the_gateway(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let path = format!("/internal/users/{ann}");
        assert_eq!(service.get(&gateway(), &path).await.ok(200).body["epoch"], 1);
        service.put(&operator(), &format!("/api_v1/users/{ann}"), json!({ "is_active": false })).await.ok(200);
        let disabled = service.get(&gateway(), &path).await.ok(200);
        assert_eq!((&disabled.body["epoch"], &disabled.body["user"]["is_active"]), (&json!(2), &json!(false)));
        service.get(&gateway(), "/internal/users/424242").await.problem(404);
    }

    async fn a_user_is_found_by_any_spelling_of_the_address(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("Ann@Example.com").await;
        let found = service.post(&gateway(), "/internal/users/find", json!({ "email": " ann@EXAMPLE.com" })).await.ok(200);
        assert_eq!(found.body["user"]["id"], ann);
        service.post(&gateway(), "/internal/users/find", json!({ "email": "eve@example.com" })).await.problem(404);
    }

    async fn who_followed_a_link_sets_a_password_and_has_proved_the_address_it_was_sent_to(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let (path, new) = (format!("/internal/users/{ann}/password"), "ein neues langes Kennwort 7");
        let reset = async |password: &str, email: &str| {
            service.put(&gateway(), &path, json!({ "password": password, "email": email })).await
        };
        assert_eq!(reset("password1", "ann@example.com").await.pointers(), ["/password"]);
        reset(new, "other@example.com").await.problem(412);
        assert_eq!(service.sign_in("ann@example.com", PASSWORD).await.ok(200).body["user"]["email_verified"], false);
        let after = reset(new, "ANN@example.com").await.ok(200);
        assert_eq!((&after.body["epoch"], &after.body["user"]["email_verified"]), (&json!(2), &json!(true)));
        service.sign_in("ann@example.com", PASSWORD).await.problem(400);
        service.sign_in("ann@example.com", new).await.ok(200);
        service.put(&operator(), &format!("/api_v1/users/{ann}"), json!({ "is_active": false })).await.ok(200);
        assert_eq!(reset(PASSWORD, "ann@example.com").await.problem(400), "Inactive user");
    }

    async fn an_address_is_proved_by_its_link_and_unproved_by_a_change(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let path = format!("/internal/users/{ann}/verified-address");
        let verify = async |email: &str| service.put(&gateway(), &path, json!({ "email": email })).await;
        verify("other@example.com").await.problem(412);
        for _ in 0..2 {
            assert_eq!(verify("ann@example.com").await.ok(200).body["user"]["email_verified"], true);
        }
        let account = format!("/api_v1/users/{ann}");
        let change = async |who: crate::service::As, email: &str| service.put(&who, &account, json!({ "email": email, "current_password": PASSWORD })).await;
        // Another spelling is the same address.
        assert_eq!(change(user(ann), "Ann@example.com").await.ok(200).body["email_verified"], true);
        let moved = change(user(ann), "anna@example.com").await.ok(200);
        assert_eq!((&moved.body["email_verified"], moved.header("platform-address-unproved")), (&json!(false), Some(ann.to_string().as_str())));
        verify("ann@example.com").await.problem(412);
        let vouched = change(operator(), "annette@example.com").await.ok(200);
        assert_eq!((&vouched.body["email_verified"], vouched.header("platform-address-unproved")), (&json!(true), None));
    }

    async fn an_address_has_moved_until_it_is_proved_whether_the_one_before_was_or_not(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let account = format!("/api_v1/users/{ann}");
        let change = async |email: &str| {
            let body = json!({ "email": email, "current_password": PASSWORD });
            service.put(&user(ann), &account, body).await.ok(200).body["email_verified"].clone()
        };
        let moved = async || service.get(&gateway(), &format!("/internal/users/{ann}")).await.body["address_moved"].clone();
        // As it was registered, which nobody has proved.
        assert_eq!(moved().await, false);
        for address in ["anna@example.com", "ann@example.com"] {
            assert_eq!((change(address).await, moved().await), (json!(false), json!(true)), "{address}");
        }
        let verify = format!("/internal/users/{ann}/verified-address");
        service.put(&gateway(), &verify, json!({ "email": "ann@example.com" })).await.ok(200);
        assert_eq!(moved().await, false);
        assert_eq!((change("anna@example.com").await, moved().await), (json!(false), json!(true)));
        assert_eq!((change("ann@example.com").await, moved().await), (json!(true), json!(false)));
    }

    async fn nobody_but_the_gateway_asks(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        for (who, status) in [(anonymous(), 401), (user(ann), 403), (admin(ann), 403), (operator(), 403)] {
            let credentials = json!({ "email": "ann@example.com", "password": PASSWORD });
            service.post(&who, "/internal/credentials/verify", credentials).await.problem(status);
            service.get(&who, &format!("/internal/users/{ann}")).await.problem(status);
            let address = json!({ "email": "ann@example.com" });
            service.post(&who, "/internal/users/find", address.clone()).await.problem(status);
            service.put(&who, &format!("/internal/users/{ann}/verified-address"), address).await.problem(status);
            let reset = json!({ "email": "ann@example.com", "password": PASSWORD });
            service.put(&who, &format!("/internal/users/{ann}/password"), reset).await.problem(status);
        }
    }

    async fn a_call_without_a_good_internal_token_is_401(database: TestDatabase) {
        let service = TestService::start(database).await;
        let url = format!("http://{}/api_v1/users/me", service.address);
        service.send(service.client.get(&url)).await.problem(401);
        let good = |bend: fn(&mut kit::internal_token::InternalClaims)| {
            let mut claims = service.gateway.claims(SERVICE, &contract::Subject::Operator, &[contract::Role::ADMIN]);
            bend(&mut claims);
            claims
        };
        let kind = kit::internal_token::KIND;
        let sign = |claims, kind: &str| service.gateway.sign(&claims, kind);
        for token in [
            "garbage".to_owned(),
            sign(good(|_| {}), "at+jwt"),
            sign(good(|_| {}), "JWT"),
            sign(good(|claims| claims.aud = "orders".into()), kind),
            sign(good(|claims| claims.iss = "somebody".into()), kind),
            sign(good(|claims| claims.exp -= 3600), kind),
            sign(good(|claims| claims.nbf += 3600), kind),
            sign(good(|claims| claims.sub = "ann@example.com".into()), kind),
            kit::testing::TestGateway::start().await.token(SERVICE, &contract::Subject::Operator, &[contract::Role::ADMIN]),
        ] {
            let answer = service.send(service.client.get(format!("{url}?x")).bearer_auth(&token)).await;
            answer.problem(401);
            assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"), "{token}");
        }
    }
}
