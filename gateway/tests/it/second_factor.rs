//! Codes beside the password: set up, asked for, good once, required by role, recovered from.

use std::time::{SystemTime, UNIX_EPOCH};

use gateway::Config;
use kit::{on_both_databases, testing::TestDatabase};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::support::{Gateway, PASSWORD, Tokens, UsersDouble, config, problem};

const BOB: &str = "bob@example.com";
const ANN: &str = "ann@example.com";

async fn start(database: &TestDatabase, required_of: &[&str]) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let plain = config(database, &users.url()).await;
    let second_factor_roles = required_of.iter().map(|role| role.parse().unwrap()).collect();
    let gateway = Gateway::start(Config { second_factor_roles, ..plain }).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

async fn post(gateway: &Gateway, path: &str, body: Value) -> reqwest::Response {
    gateway.post(path).json(&body).send().await.unwrap()
}

async fn sign_in(gateway: &Gateway, email: &str, code: Option<&str>) -> reqwest::Response {
    let mut body = json!({ "email": email, "password": PASSWORD });
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    post(gateway, "/api_v1/auth/access", body).await
}

/// The code of a secret in the time step that is so many after this one.
fn code(secret: &str, steps: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let totp = Builder::new()
        .with_secret(Secret::try_from_base32(secret).unwrap())
        .with_account_name("test".to_owned())
        .build()
        .unwrap();
    totp.generate(now.checked_add_signed(steps * 30).unwrap()).to_string()
}

/// Sets a second factor up with the code of the step before this one; its secret and the recovery codes.
async fn set_up(gateway: &Gateway, email: &str) -> (String, Vec<String>) {
    let proof = json!({ "email": email, "password": PASSWORD });
    let answer = post(gateway, "/api_v1/auth/second-factor", proof.clone()).await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["cache-control"].to_str().unwrap()),
        (200, "no-store")
    );
    let proposed: Value = answer.json().await.unwrap();
    let secret = proposed["secret"].as_str().unwrap().to_owned();
    assert!(proposed["url"].as_str().unwrap().starts_with("otpauth://totp/"), "{proposed}");
    let mut body = proof;
    body["code"] = json!("000000");
    let wrong = post(gateway, "/api_v1/auth/second-factor/confirm", body.clone()).await;
    assert_eq!(problem(wrong).await["detail"], "Incorrect code");
    body["code"] = json!(code(&secret, -1));
    let answer = post(gateway, "/api_v1/auth/second-factor/confirm", body).await;
    assert_eq!(answer.status(), 200);
    let codes: Value = answer.json().await.unwrap();
    let codes = codes["recovery_codes"].as_array().unwrap();
    (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

fn claims(token: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

on_both_databases! {
    async fn who_has_a_second_factor_shows_a_code_that_is_good_once(database: TestDatabase) {
        let (gateway, _users) = start(&database, &[]).await;
        let before = gateway.sign_in(BOB).await;
        assert_eq!(claims(&before.access)["amr"], json!(["pwd"]));
        let (secret, _) = set_up(&gateway, BOB).await;
        assert_eq!(gateway.me(&before.access).await, 401, "sessions of the password alone have ended");
        let without = sign_in(&gateway, BOB, None).await;
        assert_eq!(without.status(), 403);
        assert_eq!(problem(without).await["type"], "urn:platform:problem:second-factor-required");
        assert_eq!(sign_in(&gateway, BOB, Some(&code(&secret, -1))).await.status(), 400, "the code of the set-up was used");
        let now = code(&secret, 0);
        let answer = sign_in(&gateway, BOB, Some(&format!(" {} {}", &now[..3], &now[3..]))).await;
        assert_eq!(answer.status(), 200);
        let tokens = Tokens::of(&answer.json().await.unwrap());
        assert_eq!(claims(&tokens.access)["amr"], json!(["pwd", "otp", "mfa"]));
        assert_eq!(sign_in(&gateway, BOB, Some(&now)).await.status(), 400, "a code is good once");
        let refreshed = gateway.refresh(&tokens.refresh).await;
        assert_eq!(claims(&Tokens::of(&refreshed.json().await.unwrap()).access)["amr"], json!(["pwd", "otp", "mfa"]));
        // Others are asked for nothing.
        assert_eq!(sign_in(&gateway, ANN, None).await.status(), 200);
    }

    async fn of_twenty_who_show_one_code_at_once_one_is_let_in(database: TestDatabase) {
        let users = UsersDouble::bind().await;
        let plain = config(&database, &users.url()).await;
        let gateway = Gateway::start(Config { login_attempts: 100, ..plain }).await;
        users.serve(&gateway.url(""));
        let (secret, recovery) = set_up(&gateway, BOB).await;
        for shown in [code(&secret, 0), recovery[0].clone()] {
            let all = (0..20).map(|_| sign_in(&gateway, BOB, Some(&shown)));
            let statuses: Vec<u16> =
                futures_util::future::join_all(all).await.iter().map(|answer| answer.status().as_u16()).collect();
            assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        }
    }

    async fn a_right_password_does_not_clear_the_count_of_wrong_codes(database: TestDatabase) {
        let (gateway, _users) = start(&database, &[]).await;
        let (secret, _) = set_up(&gateway, BOB).await;
        // One wrong code was counted while it was set up, and forgotten with the right one.
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(sign_in(&gateway, BOB, Some("000000")).await.status().as_u16());
            statuses.push(sign_in(&gateway, BOB, None).await.status().as_u16());
        }
        assert_eq!(statuses[..9], [400, 403, 400, 403, 400, 403, 400, 403, 400]);
        assert!(statuses[9..].iter().all(|status| *status == 429), "{statuses:?}");
        assert_eq!(sign_in(&gateway, BOB, Some(&code(&secret, 0))).await.status(), 429);
    }

    async fn a_role_can_ask_for_a_second_factor(database: TestDatabase) {
        let (gateway, users) = start(&database, &["admin"]).await;
        let refused = sign_in(&gateway, ANN, None).await;
        assert_eq!(refused.status(), 403);
        assert_eq!(problem(refused).await["type"], "urn:platform:problem:second-factor-enrolment-required");
        let (secret, _) = set_up(&gateway, ANN).await;
        let answer = sign_in(&gateway, ANN, Some(&code(&secret, 0))).await;
        assert_eq!(answer.status(), 200);
        let proof = json!({ "email": ANN, "password": PASSWORD, "code": code(&secret, 1) });
        assert_eq!(post(&gateway, "/api_v1/auth/second-factor/remove", proof).await.status(), 409);
        // Bob is signed in by his password alone, and becomes an admin.
        let bob = gateway.sign_in(BOB).await;
        users.change(2, |user, _| user.roles.push(contract::Role::ADMIN));
        assert_eq!(gateway.refresh(&bob.refresh).await.status(), 401);
    }

    async fn recovery_codes_are_good_once_each_and_void_once_renewed(database: TestDatabase) {
        let (gateway, _users) = start(&database, &[]).await;
        let (secret, recovery) = set_up(&gateway, BOB).await;
        assert_eq!(recovery.len(), 10);
        let typed = recovery[0].to_uppercase().replace('-', " ");
        let answer = sign_in(&gateway, BOB, Some(&typed)).await;
        assert_eq!(answer.status(), 200);
        let tokens = Tokens::of(&answer.json().await.unwrap());
        assert_eq!(sign_in(&gateway, BOB, Some(&recovery[0])).await.status(), 400);
        let state = gateway.get("/api_v1/auth/second-factor").bearer_auth(&tokens.access).send().await.unwrap();
        let state: Value = state.json().await.unwrap();
        assert_eq!(state, json!({ "enabled": true, "required": false, "recovery_codes_left": 9 }));
        let proof = json!({ "email": BOB, "password": PASSWORD, "code": code(&secret, 0) });
        let renewed = post(&gateway, "/api_v1/auth/second-factor/recovery-codes", proof).await;
        let renewed: Value = renewed.json().await.unwrap();
        assert_eq!(sign_in(&gateway, BOB, Some(&recovery[1])).await.status(), 400);
        let new = renewed["recovery_codes"][3].as_str().unwrap();
        assert_eq!(sign_in(&gateway, BOB, Some(new)).await.status(), 200);
    }

    async fn a_second_factor_is_taken_away_by_its_owner_with_a_code_and_by_an_admin(database: TestDatabase) {
        let (gateway, _users) = start(&database, &[]).await;
        let (secret, _) = set_up(&gateway, BOB).await;
        let remove = "/api_v1/auth/second-factor/remove";
        let proof = json!({ "email": BOB, "password": PASSWORD });
        assert_eq!(post(&gateway, remove, proof.clone()).await.status(), 403);
        let change = json!({ "email": BOB, "password": PASSWORD, "new_password": "another long pass phrase" });
        assert_eq!(post(&gateway, "/api_v1/auth/password", change).await.status(), 403, "a new password needs a code too");
        let mut with_code = proof.clone();
        with_code["code"] = json!(code(&secret, 0));
        assert_eq!(post(&gateway, remove, with_code).await.status(), 204);
        assert_eq!(sign_in(&gateway, BOB, None).await.status(), 200);
        let (secret, _) = set_up(&gateway, BOB).await;
        let answer = sign_in(&gateway, BOB, Some(&code(&secret, 0))).await;
        let bob = Tokens::of(&answer.json().await.unwrap());
        let reset = async |token: &str| {
            let delete = gateway.client.delete(gateway.url("/api_v1/users/2/second-factor"));
            delete.bearer_auth(token).send().await.unwrap().status().as_u16()
        };
        assert_eq!(reset(&bob.access).await, 403);
        let operator = gateway.operator().await;
        assert_eq!((reset(&operator).await, reset(&operator).await), (204, 404));
        assert_eq!(gateway.me(&bob.access).await, 401);
        assert_eq!(sign_in(&gateway, BOB, None).await.status(), 200);
        let log = gateway.get("/api_v1/audit").bearer_auth(&operator).send().await.unwrap().text().await.unwrap();
        for action in ["propose_second_factor", "confirm_second_factor", "remove_second_factor", "reset_second_factor"] {
            assert!(log.contains(action), "{action}: {log}");
        }
        assert!(!log.contains(&secret), "{log}");
    }

    async fn the_database_holds_neither_secret_nor_recovery_code(database: TestDatabase) {
        use sea_orm::{ConnectionTrait, Statement};
        let (gateway, _users) = start(&database, &[]).await;
        let (secret, recovery) = set_up(&gateway, BOB).await;
        let raw = Secret::try_from_base32(&secret).unwrap().as_bytes().to_vec();
        let open = database.open().await;
        let mut kept = Vec::new();
        for sql in ["SELECT active_sealed FROM second_factors", "SELECT code_hash FROM recovery_codes"] {
            let rows = open.reader().query_all_raw(Statement::from_string(open.backend(), sql)).await.unwrap();
            kept.extend(rows.iter().map(|row| row.try_get_by_index::<Vec<u8>>(0).unwrap()));
        }
        assert_eq!(kept.len(), 11);
        let holds = |bytes: &[u8]| kept.iter().any(|kept| kept.windows(bytes.len()).any(|window| window == bytes));
        assert!(!holds(&raw) && !recovery.iter().any(|code| holds(code.replace('-', "").as_bytes())));
    }
}
