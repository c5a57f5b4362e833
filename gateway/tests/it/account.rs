//! What is done by links that are sent to a user's address.

use gateway::{Config, Mail};
use kit::{on_both_databases, testing::TestDatabase};
use serde_json::{Value, json};

use crate::support::{Gateway, PASSWORD, Smtp, UsersDouble, config, problem};

const NEW: &str = "another long pass phrase";

async fn start(database: &TestDatabase, smtp: Option<&Smtp>) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let plain = config(database, &users.url()).await;
    let mail = Mail { transport: smtp.map(Smtp::transport), ..plain.mail.clone() };
    let gateway = Gateway::start(Config { mail, ..plain }).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

async fn post(gateway: &Gateway, path: &str, token: Option<&str>, body: Value) -> reqwest::Response {
    let request = gateway.post(path).json(&body);
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    request.send().await.unwrap()
}

async fn ask(gateway: &Gateway, email: &str) -> reqwest::Response {
    post(gateway, "/api_v1/auth/password-reset", None, json!({ "email": email })).await
}

async fn set(gateway: &Gateway, token: &str, password: &str) -> reqwest::Response {
    let body = json!({ "token": token, "password": password });
    post(gateway, "/api_v1/auth/password-reset/confirm", None, body).await
}

async fn login(gateway: &Gateway, email: &str, password: &str) -> u16 {
    let body = json!({ "email": email, "password": password });
    post(gateway, "/api_v1/auth/access", None, body).await.status().as_u16()
}

on_both_databases! {
    async fn a_forgotten_password_is_set_by_a_letter_and_every_session_ends(database: TestDatabase) {
        let smtp = Smtp::start().await;
        let (gateway, _users) = start(&database, Some(&smtp)).await;
        let tokens = gateway.sign_in("bob@example.com").await;
        assert_eq!(ask(&gateway, " BOB@example.com").await.status(), 202);
        let letter = smtp.letter().await;
        assert_eq!(letter.to, "bob@example.com");
        assert!(letter.whole.contains("Subject: Your password at Platform of the Test"), "{}", letter.whole);
        let token = letter.token();
        // A password that is refused does not use the link up.
        let weak = set(&gateway, &token, "password").await;
        assert_eq!(weak.status(), 422);
        assert_eq!(problem(weak).await["errors"][0]["pointer"], "/password");
        assert_eq!(gateway.me(&tokens.access).await, 200);
        assert_eq!(set(&gateway, &token, NEW).await.status(), 204);
        assert_eq!((gateway.me(&tokens.access).await, gateway.refresh(&tokens.refresh).await.status().as_u16()), (401, 401));
        assert_eq!(login(&gateway, "bob@example.com", PASSWORD).await, 400);
        assert_eq!(login(&gateway, "bob@example.com", NEW).await, 200);
        let again = set(&gateway, &token, "a third long pass phrase").await;
        assert_eq!(again.status(), 400);
        assert!(problem(again).await["detail"].as_str().unwrap().contains("not valid"));
    }

    async fn of_fifty_who_follow_a_link_at_once_one_sets_the_password(database: TestDatabase) {
        let (gateway, _users) = start(&database, None).await;
        let operator = gateway.operator().await;
        let answer = post(&gateway, "/api_v1/users/2/password-reset", Some(&operator), json!({})).await;
        let body: Value = answer.json().await.unwrap();
        let token = body["link"].as_str().unwrap().split_once("#token=").unwrap().1.to_owned();
        let all = (0..50).map(|number| {
            let (gateway, token) = (&gateway, token.as_str());
            async move { set(gateway, token, &format!("long pass phrase {number}")).await.status().as_u16() }
        });
        let statuses = futures_util::future::join_all(all).await;
        assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [204, 400].contains(status)), "{statuses:?}");
    }

    async fn whether_there_is_such_a_user_is_told_by_neither_answer_nor_letter(database: TestDatabase) {
        let smtp = Smtp::start().await;
        let (gateway, users) = start(&database, Some(&smtp)).await;
        users.change(1, |user, _| user.is_active = false);
        let mut answers = Vec::new();
        for email in ["bob@example.com", "ann@example.com", "nobody@example.com"] {
            let answer = ask(&gateway, email).await;
            let mut headers = answer.headers().clone();
            headers.remove("x-request-id");
            headers.remove("date");
            answers.push((answer.status(), headers, answer.bytes().await.unwrap()));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        assert_eq!(smtp.letter().await.to, "bob@example.com");
        // Errands are done in order: the one after the others shows that they gave no letter.
        assert_eq!(ask(&gateway, "bob@example.com").await.status(), 202);
        assert_eq!(smtp.letter().await.to, "bob@example.com");
        assert!(!smtp.has_letter().await);
    }

    async fn an_address_that_was_left_is_told_and_the_new_one_opens_nothing_before_it_is_proved(database: TestDatabase) {
        let smtp = Smtp::start().await;
        let (gateway, _users) = start(&database, Some(&smtp)).await;
        let token = gateway.sign_in("bob@example.com").await.access;
        let change = gateway.client.patch(gateway.url("/api_v1/users/me")).bearer_auth(&token);
        let body = json!({ "email": "bob@moved.example" }).to_string();
        let answer = change.header("content-type", "application/merge-patch+json").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("platform-")));
        let mut letters = [smtp.letter().await, smtp.letter().await];
        letters.sort_by(|one, other| one.to.cmp(&other.to));
        let [left, new] = letters;
        assert_eq!((left.to.as_str(), new.to.as_str()), ("bob@example.com", "bob@moved.example"));
        assert!(left.whole.contains("has changed") && !left.whole.contains("moved.example"), "{}", left.whole);
        // Whoever asks for a new password is asked to prove the address first.
        assert_eq!(ask(&gateway, "bob@moved.example").await.status(), 202);
        let letter = smtp.letter().await;
        assert_eq!(letter.to, "bob@moved.example");
        assert!(letter.whole.contains("Subject: Your address at"), "{}", letter.whole);
        assert_eq!(set(&gateway, &letter.token(), NEW).await.status(), 400);
    }

    async fn nobody_can_flood_a_user_with_letters(database: TestDatabase) {
        let smtp = Smtp::start().await;
        let (gateway, _users) = start(&database, Some(&smtp)).await;
        let mut statuses = Vec::new();
        for _ in 0..6 {
            let answer = ask(&gateway, "bob@example.com").await;
            statuses.push(answer.status().as_u16());
            if answer.status() == 429 {
                assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
            }
        }
        assert_eq!(statuses, [202, 202, 202, 202, 202, 429]);
        // The throttle asks nobody whether the user is there.
        for _ in 0..5 {
            assert_eq!(ask(&gateway, "nobody@example.com").await.status(), 202);
        }
        assert_eq!(ask(&gateway, "nobody@example.com").await.status(), 429);
        // Signing in is another matter.
        assert_eq!(login(&gateway, "bob@example.com", PASSWORD).await, 200);
    }

    async fn a_link_is_void_once_the_address_or_the_password_has_changed(database: TestDatabase) {
        let (gateway, users) = start(&database, None).await;
        let operator = gateway.operator().await;
        let link = async || {
            let answer = post(&gateway, "/api_v1/users/2/password-reset", Some(&operator), json!({ "deliver": "link" })).await;
            assert_eq!((answer.status().as_u16(), answer.headers()["cache-control"].to_str().unwrap()), (200, "no-store"));
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["sent"], false);
            body["link"].as_str().unwrap().split_once("#token=").unwrap().1.to_owned()
        };
        let old_address = link().await;
        users.change(2, |user, _| user.email = "robert@example.com".parse().unwrap());
        assert_eq!(set(&gateway, &old_address, NEW).await.status(), 400);
        let before = link().await;
        let put = gateway.client.put(gateway.url("/api_v1/users/2")).bearer_auth(&operator);
        assert_eq!(put.json(&json!({ "password": NEW })).send().await.unwrap().status(), 200);
        assert_eq!(set(&gateway, &before, "a third long pass phrase").await.status(), 400);
        for garbage in ["", "plt_", "plt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &"x".repeat(9_000), before.trim_end_matches('A')] {
            assert_eq!(set(&gateway, garbage, NEW).await.status(), 400, "{garbage}");
        }
    }

    async fn an_invited_user_chooses_a_password_by_the_letter(database: TestDatabase) {
        let smtp = Smtp::start().await;
        let (gateway, _users) = start(&database, Some(&smtp)).await;
        let operator = gateway.operator().await;
        let body = json!({ "email": "eve@example.com", "first_name": "Eve" });
        let answer = post(&gateway, "/api_v1/invitations", Some(&operator), body).await;
        assert_eq!(answer.status(), 201);
        assert!(answer.headers()["location"].to_str().unwrap().starts_with("/api_v1/users/"));
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["invitation"]["sent"], &body["invitation"]["link"]), (&json!(true), &Value::Null));
        let letter = smtp.letter().await;
        assert_eq!(letter.to, "eve@example.com");
        assert_eq!(set(&gateway, &letter.token(), NEW).await.status(), 204);
        assert_eq!(login(&gateway, "eve@example.com", NEW).await, 200);
        let bob = gateway.sign_in("bob@example.com").await;
        for token in [None, Some(bob.access.as_str())] {
            let answer = post(&gateway, "/api_v1/invitations", token, json!({ "email": "x@example.com" })).await;
            assert_eq!(answer.status(), if token.is_some() { 403 } else { 401 });
        }
    }

    async fn an_address_is_proved_by_a_letter_and_can_be_asked_for_before_signing_in(database: TestDatabase) {
        let smtp = Smtp::start().await;
        let users = UsersDouble::bind().await;
        let plain = config(&database, &users.url()).await;
        let mail = Mail { transport: Some(smtp.transport()), require_verified_address: true, ..plain.mail.clone() };
        let gateway = Gateway::start(Config { mail, ..plain }).await;
        users.serve(&gateway.url(""));
        let register = json!({ "email": "eve@example.com", "password": PASSWORD });
        assert_eq!(post(&gateway, "/api_v1/users", None, register).await.status(), 201);
        let first = smtp.letter().await;
        let body = json!({ "email": "eve@example.com", "password": PASSWORD });
        let answer = post(&gateway, "/api_v1/auth/access", None, body).await;
        assert_eq!(answer.status(), 403);
        assert!(problem(answer).await["detail"].as_str().unwrap().contains("not confirmed"));
        // Who only guesses the password learns nothing of it.
        assert_eq!(login(&gateway, "eve@example.com", "wrong").await, 400);
        let second = smtp.letter().await;
        let confirm = async |token: &str| {
            post(&gateway, "/api_v1/auth/address-verification/confirm", None, json!({ "token": token })).await.status().as_u16()
        };
        // A link for one purpose is none for another.
        assert_eq!(set(&gateway, &first.token(), NEW).await.status(), 400);
        assert_eq!(confirm(&second.token()).await, 204);
        assert_eq!(confirm(&second.token()).await, 400);
        assert_eq!(login(&gateway, "eve@example.com", PASSWORD).await, 200);
    }

    async fn what_is_done_by_links_is_audited_without_the_link(database: TestDatabase) {
        let (gateway, _users) = start(&database, None).await;
        let operator = gateway.operator().await;
        let answer = post(&gateway, "/api_v1/users/2/password-reset", Some(&operator), json!({})).await;
        let body: Value = answer.json().await.unwrap();
        let token = body["link"].as_str().unwrap().split_once("#token=").unwrap().1.to_owned();
        assert_eq!(set(&gateway, &token, NEW).await.status(), 204);
        let log = gateway.get("/api_v1/audit").bearer_auth(&operator).send().await.unwrap().text().await.unwrap();
        assert!(log.contains("start_password_reset") && log.contains("confirm_password_reset"), "{log}");
        assert!(!log.contains(&token) && !log.contains("example.com"), "{log}");
    }
}

#[tokio::test]
async fn without_a_mail_server_nobody_is_told_that_a_letter_is_on_its_way() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database, None).await;
    let answer = ask(&gateway, "bob@example.com").await;
    assert_eq!(answer.status(), 409);
    assert!(problem(answer).await["detail"].as_str().unwrap().contains("mail.smtp_url"));
    let operator = gateway.operator().await;
    let mail = json!({ "deliver": "mail" });
    let answer = post(&gateway, "/api_v1/users/2/password-reset", Some(&operator), mail).await;
    assert_eq!(answer.status(), 409);
}

#[tokio::test]
async fn a_mail_server_s_refusal_is_told_to_the_admin_and_a_passing_one_is_tried_again() {
    let database = TestDatabase::sqlite();
    let smtp = Smtp::start().await;
    let (gateway, _users) = start(&database, Some(&smtp)).await;
    let operator = gateway.operator().await;
    for (code, status) in [(550, 409), (451, 503)] {
        smtp.refuse(code);
        let answer = post(&gateway, "/api_v1/users/2/password-reset", Some(&operator), json!({})).await;
        assert_eq!(answer.status(), status);
        problem(answer).await;
    }
    assert_eq!(ask(&gateway, "bob@example.com").await.status(), 202);
    smtp.refuse(0);
    assert_eq!(smtp.letter().await.to, "bob@example.com");
}

#[tokio::test]
async fn the_pages_behind_the_links_load_nothing_from_elsewhere_and_hold_no_token() {
    let database = TestDatabase::sqlite();
    let (gateway, _users) = start(&database, None).await;
    for path in ["reset-password", "accept-invitation", "verify-address", "account.js", "account.css"] {
        let answer = gateway.get(&format!("/account/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"), "{policy}");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        assert!(!answer.text().await.unwrap().contains("://"), "{path}");
    }
}
