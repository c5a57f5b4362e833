//! Signing in, refreshing, and everything that ends a session, on both databases.

use kit::{on_both_databases, testing::TestDatabase};

use crate::support::{Gateway, Tokens, UsersDouble, config, problem};

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let gateway = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

async fn refreshed(gateway: &Gateway, token: &str) -> Tokens {
    let answer = gateway.refresh(token).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    Tokens::of(&answer.json().await.unwrap())
}

on_both_databases! {
    async fn fifty_refreshes_of_one_token_at_once_give_one_successor_over_two_gateways(database: TestDatabase) {
        let (first, users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        let tokens = first.sign_in("bob@example.com").await;
        let all = (0..50).map(|number| {
            let gateway = if number % 2 == 0 { &first } else { &second };
            refreshed(gateway, &tokens.refresh)
        });
        let answers = futures_util::future::join_all(all).await;
        let successor = &answers[0].refresh;
        assert!(answers.iter().all(|answer| answer.refresh == *successor));
        assert_ne!(*successor, tokens.refresh);
        // A race is not theft: the session lives, at either gateway.
        let next = refreshed(&second, successor).await;
        assert_eq!(first.me(&next.access).await, 200);
        drop(users);
    }

    async fn a_lost_answer_is_given_again_and_an_old_token_ends_the_session(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let other = gateway.sign_in("bob@example.com").await;
        let first = gateway.sign_in("bob@example.com").await;
        let second = refreshed(&gateway, &first.refresh).await;
        assert_eq!(refreshed(&gateway, &first.refresh).await.refresh, second.refresh);
        // Many rotations later the first is no race any more: it is beyond what is remembered of the last seconds.
        let mut newest = second;
        for _ in 0..20 {
            newest = refreshed(&gateway, &newest.refresh).await;
        }
        let stolen = gateway.refresh(&first.refresh).await;
        assert_eq!(stolen.status(), 401);
        problem(stolen).await;
        assert_eq!(gateway.refresh(&newest.refresh).await.status(), 401);
        assert_eq!(gateway.me(&newest.access).await, 401);
        // Another session of the same user goes on.
        assert_eq!(gateway.me(&other.access).await, 200);
    }

    async fn logging_out_ends_the_session_at_every_gateway(database: TestDatabase) {
        let (first, _users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        let tokens = first.sign_in("bob@example.com").await;
        let other = first.sign_in("bob@example.com").await;
        assert_eq!(second.me(&tokens.access).await, 200);
        let answer = first.post("/api_v1/auth/logout").bearer_auth(&tokens.access).send().await.unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(first.me(&tokens.access).await, 401);
        assert_eq!(second.refresh(&tokens.refresh).await.status(), 401);
        let ended = async { while second.me(&tokens.access).await != 401 {} };
        tokio::time::timeout(std::time::Duration::from_secs(1), ended).await.expect("revoked within a second");
        assert_eq!(first.me(&other.access).await, 200);
    }

    async fn a_refresh_that_races_a_sign_out_leaves_nothing_alive(database: TestDatabase) {
        let (first, _users) = start(&database).await;
        let second = Gateway::start(first.config.clone()).await;
        for _ in 0..20 {
            let tokens = first.sign_in("bob@example.com").await;
            let log_out = first.post("/api_v1/auth/logout").bearer_auth(&tokens.access).send();
            let (refreshed, ended) = futures_util::future::join(second.refresh(&tokens.refresh), log_out).await;
            assert_eq!(ended.unwrap().status(), 204);
            if refreshed.status() == 200 {
                let next = Tokens::of(&refreshed.json().await.unwrap());
                assert_eq!(first.me(&next.access).await, 401);
                assert_eq!(second.refresh(&next.refresh).await.status(), 401);
            }
            assert_eq!(second.refresh(&tokens.refresh).await.status(), 401);
        }
    }

    async fn a_user_s_change_ends_every_token_before_its_answer_comes(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let admin = gateway.operator().await;
        for change in [serde_json::json!({ "password": "another long pass phrase" }), serde_json::json!({ "is_active": false })] {
            let tokens = gateway.sign_in("bob@example.com").await;
            assert_eq!(gateway.me(&tokens.access).await, 200);
            let put = gateway.client.put(gateway.url("/api_v1/users/2")).bearer_auth(&admin).json(&change);
            let answer = put.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert!(!answer.headers().contains_key("platform-sessions-ended"));
            assert_eq!(gateway.me(&tokens.access).await, 401, "{change}");
            assert_eq!(gateway.refresh(&tokens.refresh).await.status(), 401);
        }
    }

    async fn a_deleted_user_s_tokens_stop_at_once(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let tokens = gateway.sign_in("bob@example.com").await;
        let delete = gateway.client.delete(gateway.url("/api_v1/users/2")).bearer_auth(&tokens.access);
        let answer = delete.send().await.unwrap();
        assert_eq!(answer.status(), 204);
        assert!(!answer.headers().contains_key("content-length"));
        assert_eq!(gateway.me(&tokens.access).await, 401);
        assert_eq!(gateway.refresh(&tokens.refresh).await.status(), 401);
    }

    async fn a_user_who_is_gone_behind_the_gateway_s_back_is_401_and_no_fault_of_the_service(database: TestDatabase) {
        let (gateway, users) = start(&database).await;
        let tokens = gateway.sign_in("bob@example.com").await;
        users.remove(2);
        let answer = gateway.get("/api_v1/users/me").bearer_auth(&tokens.access).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        problem(answer).await;
        assert_eq!(gateway.refresh(&tokens.refresh).await.status(), 401);
    }

    async fn a_lost_role_ends_access_tokens_and_a_refresh_gives_what_is_left(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let tokens = gateway.sign_in("ann@example.com").await;
        let put = gateway.client.put(gateway.url("/api_v1/users/1")).bearer_auth(&tokens.access);
        let answer = put.json(&serde_json::json!({ "roles": ["user"] })).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(gateway.me(&tokens.access).await, 401);
        let next = refreshed(&gateway, &tokens.refresh).await;
        assert_eq!(gateway.me(&next.access).await, 200);
        let claims = next.access.split('.').nth(1).unwrap();
        let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["roles"], serde_json::json!(["user"]));
    }

    async fn a_change_behind_the_gateway_s_back_ends_the_session_at_its_next_refresh(database: TestDatabase) {
        let (gateway, users) = start(&database).await;
        let (epoch, disabled) = (gateway.sign_in("bob@example.com").await, gateway.sign_in("ann@example.com").await);
        users.change(2, |_, epoch| *epoch += 1);
        users.change(1, |user, _| user.is_active = false);
        for tokens in [epoch, disabled] {
            assert_eq!(gateway.refresh(&tokens.refresh).await.status(), 401);
            assert_eq!(gateway.me(&tokens.access).await, 401);
        }
    }

    async fn a_user_sees_and_ends_their_own_sessions_and_nobody_else_s(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let (first, second) = (gateway.sign_in("bob@example.com").await, gateway.sign_in("bob@example.com").await);
        let foreign = gateway.sign_in("ann@example.com").await;
        let list = async |token: &str| -> Vec<serde_json::Value> {
            let answer = gateway.get("/api_v1/auth/sessions").bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.json().await.unwrap()
        };
        let listed = list(&first.access).await;
        assert_eq!(listed.len(), 2);
        let other = listed.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
        let end = async |token: &str, path: &str| {
            let delete = gateway.client.delete(gateway.url(path)).bearer_auth(token);
            delete.send().await.unwrap().status().as_u16()
        };
        let path = format!("/api_v1/auth/sessions/{other}");
        assert_eq!(end(&foreign.access, &path).await, 404);
        assert_eq!(gateway.me(&second.access).await, 200);
        assert_eq!(end(&first.access, &path).await, 204);
        assert_eq!(end(&first.access, &path).await, 404);
        assert_eq!(gateway.me(&second.access).await, 401);
        assert_eq!(gateway.refresh(&second.refresh).await.status(), 401);
        let third = gateway.sign_in("bob@example.com").await;
        assert_eq!(end(&third.access, "/api_v1/auth/sessions").await, 204);
        assert_eq!(list(&third.access).await.len(), 1);
        assert_eq!((gateway.me(&first.access).await, gateway.me(&foreign.access).await), (401, 200));
    }

    async fn keys_survive_a_restart_and_a_foreign_master_key_is_refused(database: TestDatabase) {
        let (gateway, users) = start(&database).await;
        let tokens = gateway.sign_in("bob@example.com").await;
        let again = Gateway::start(gateway.config.clone()).await;
        assert_eq!(again.me(&tokens.access).await, 200);
        let foreign = gateway::Config { master_key: gateway::MasterKey::generate().unwrap(), ..gateway.config.clone() };
        let fault = gateway::bind(foreign).await.err().unwrap().to_string();
        assert!(fault.contains("gateway.master_key"), "{fault}");
        drop(users);
    }
}

#[tokio::test]
async fn a_refresh_token_is_taken_from_the_body_too() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let tokens = gateway.sign_in("bob@example.com").await;
    let body = serde_json::json!({ "refresh_token": tokens.refresh });
    let answer = gateway.post("/api_v1/auth/refresh").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn what_is_no_refresh_token_of_ours_ends_nothing() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    let tokens = gateway.sign_in("bob@example.com").await;
    let mut forged = tokens.refresh.clone().into_bytes();
    let last = forged.len() - 1;
    forged[last] = if forged[last] == b'A' { b'E' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for token in [forged.as_str(), &tokens.access, "garbage", "prt_", "prt_AAAA"] {
        let answer = gateway.refresh(token).await;
        assert_eq!(answer.status(), 401, "{token}");
        let body = problem(answer).await;
        assert!(!body.to_string().contains(token) || token.len() < 10);
    }
    let answer = gateway.post("/api_v1/auth/refresh").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer realm=\"platform\"");
    assert_eq!(gateway.refresh(&tokens.refresh).await.status(), 200);
}

#[tokio::test]
async fn a_wrong_password_an_unknown_address_and_what_is_no_address_are_answered_alike() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database).await;
    for (email, password) in [("bob@example.com", "wrong"), ("nobody@example.com", "wrong"), ("x", "y")] {
        let body = serde_json::json!({ "email": email, "password": password });
        let answer = gateway.post("/api_v1/auth/access").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 400);
        assert_eq!(problem(answer).await["detail"], "Incorrect email or password");
    }
}
