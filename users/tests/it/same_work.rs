//! Whoever guesses learns nothing from the work that a guess costs (case C27): the same hashes are computed for an account that
//! is there and for one that is not. Counted, not timed: a clock would tell of whatever else runs on the machine.

use contract::{Role, Secret, Timestamp};
use kit::on_both_databases;
use users::{
    Argon2Cost, SqlStore,
    domain::{
        Actor, Changes, NewAccount, Passwords, Precondition, Rules, Users, UsersError, Visibility,
        password::{Policy, Pool, Work},
    },
};

use crate::service::{PASSWORD, TestService, operator};

/// Other than the defaults, so that what is computed for nobody is seen to follow the settings.
const COST: (u32, u32) = (20_480, 3);

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

on_both_databases! {
    async fn every_refused_guess_costs_the_same_work(database: TestDatabase) {
        migration::up(migration::Service::Users, database.url(), None).await.unwrap();
        let open = database.open().await;
        let passwords = Passwords::new(Policy::Asvs, Argon2Cost::new(COST.0, COST.1, 1).unwrap(), Pool::new(2, 8));
        let rules = Rules { visibility: Visibility::Admins, registration_open: true, compat_fastapi: false };
        let now = || Timestamp::from_microseconds(1_700_000_000_000_000).unwrap();
        let users = Users::new(SqlStore::new(open.clone()), passwords.clone(), rules, now);
        for name in ["active", "disabled", "without"] {
            let changes = Changes { roles: Some([Role::USER].into()), ..Changes::default() };
            let email = format!("{name}@example.com").parse().unwrap();
            let account = NewAccount { email, password: secret(PASSWORD), changes };
            let user = users.create(Actor::Operator, account).await.unwrap();
            if name == "disabled" {
                let changes = Changes { is_active: Some(false), ..Changes::default() };
                users.update(Actor::Operator, user.id, changes, Precondition::None).await.unwrap();
            }
            if name == "without" {
                let transaction = open.begin_write().await.unwrap();
                let sql = format!("UPDATE users SET password_hash = '' WHERE id = {}", user.id);
                sea_orm::ConnectionTrait::execute_unprepared(&transaction, &sql).await.unwrap();
                transaction.commit().await.unwrap();
            }
        }
        let one = Work { hashes: 1, argon2_kib: u64::from(COST.0 * COST.1) };
        // What is sent in another form than NFC is tried in both, whoever's it is.
        let two = Work { hashes: 2, argon2_kib: 2 * one.argon2_kib };
        let long = "x".repeat(300);
        for (what, email, password, expected, work) in [
            ("unknown", "nobody@example.com", "wrong", UsersError::IncorrectCredentials, one),
            ("unknown, a password of somebody", "nobody@example.com", PASSWORD, UsersError::IncorrectCredentials, one),
            ("no address", "no address", "wrong", UsersError::IncorrectCredentials, one),
            ("a very long name", &long, "wrong", UsersError::IncorrectCredentials, one),
            ("wrong", "active@example.com", "wrong", UsersError::IncorrectCredentials, one),
            ("wrong, another spelling", "ACTIVE@Example.COM", "wrong", UsersError::IncorrectCredentials, one),
            ("empty", "active@example.com", "", UsersError::IncorrectCredentials, one),
            ("empty, unknown", "nobody@example.com", "", UsersError::IncorrectCredentials, one),
            ("disabled, wrong", "disabled@example.com", "wrong", UsersError::IncorrectCredentials, one),
            ("disabled, right", "disabled@example.com", PASSWORD, UsersError::Inactive, one),
            ("no password", "without@example.com", "wrong", UsersError::IncorrectCredentials, one),
            ("no password, empty", "without@example.com", "", UsersError::IncorrectCredentials, one),
            ("decomposed, unknown", "nobody@example.com", "wro\u{308}ng", UsersError::IncorrectCredentials, two),
            ("decomposed", "active@example.com", "wro\u{308}ng", UsersError::IncorrectCredentials, two),
            ("decomposed, no password", "without@example.com", "wro\u{308}ng", UsersError::IncorrectCredentials, two),
        ] {
            let before = passwords.work();
            let refused = users.authenticate(email, &secret(password)).await.unwrap_err();
            let after = passwords.work();
            assert_eq!(refused, expected, "{what}");
            let done = Work { hashes: after.hashes - before.hashes, argon2_kib: after.argon2_kib - before.argon2_kib };
            assert_eq!(done, work, "{what}");
        }
        let before = passwords.work();
        users.authenticate("active@example.com", &secret(PASSWORD)).await.unwrap();
        assert_eq!(passwords.work().hashes - before.hashes, 1);
    }

    async fn every_refused_guess_gets_the_same_answer(database: TestDatabase) {
        let service = TestService::start(database).await;
        service.user("ann@example.com").await;
        let (bob, carl) = (service.user("bob@example.com").await, service.user("carl@example.com").await);
        let off = serde_json::json!({ "is_active": false });
        service.put(&operator(), &format!("/api_v1/users/{bob}"), off).await.ok(200);
        service.set_hash(carl, "").await;
        let mut answers = Vec::new();
        for (email, password) in [
            ("nobody@example.com", "wrong"), ("ann@example.com", "wrong"), ("ann@example.com", ""), ("ANN@example.com", "wrong"),
            ("bob@example.com", "wrong"), ("carl@example.com", "wrong"), ("carl@example.com", ""), ("no address", PASSWORD),
            (&"x".repeat(300), PASSWORD),
        ] {
            let mut answer = service.sign_in(email, password).await;
            answer.problem(400);
            answer.body.as_object_mut().unwrap().remove("request_id");
            let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            headers.sort();
            answers.push((answer.status, answer.body.to_string(), headers));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:#?}");
    }
}
