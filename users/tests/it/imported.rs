//! Users whose password another system hashed.

use std::sync::Arc;

use kit::on_both_databases;
use serde_json::json;

use crate::service::{TestService, user};

/// What each hash is of.
const PASSWORD: &str = "träumende Kühe 42";
const DECOMPOSED: &str = "tra\u{308}umende Ku\u{308}he 42";

/// One of each scheme, made by bcrypt, passlib, Django and argon2-cffi.
const HASHES: [&str; 7] = [
    "$2b$05$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6",
    "$2y$05$I1pKwIxYTRpOEMDmqXKE4u4/1BtqJci.MBOalb8aVQPm/VkleTjZe",
    "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$xnd6UMvF74pZabswgvmKzgQmJho8auwAiGRFUZ3259w",
    "pbkdf2_sha256$1000$seasalt2$ivA+wYh2ngQBd0tDHg8hUW20RiWtAcUR4fUduyyE3us=",
    "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xUDXPj38xp98EMRx/GWfmLuvDVzQl0qPx4EhWjQQ1gA",
    "$argon2i$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$0+QaRHFOWlPiGirbdu8egTsr1LhwfMHLRgpGLoIo9g4",
    "$argon2id$v=16$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$93MiGyzIKygdsCde3wVFuOGoliEKV/q0G7yd5r9hy0Y",
];

/// bcrypt of the password as a system that does not normalise got it.
const OF_DECOMPOSED: &str = "$2b$05$abcdefghijklmnopqrstuuc3UQFboLDfRLInHqhyRXYc9lxO6Jn9C";

const OURS: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

on_both_databases! {
    async fn a_sign_in_puts_a_hash_of_ours_in_the_place_of_an_imported_one_and_goes_on_working(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        for imported in HASHES {
            service.set_hash(ann, imported).await;
            service.sign_in("ann@example.com", "träumende Kühe 43").await.problem(400);
            assert_eq!(service.hash(ann).await, imported, "a wrong password leaves it");
            let before = service.get(&user(ann), "/api_v1/users/me").await.ok(200);
            service.sign_in("ann@example.com", PASSWORD).await.ok(200);
            let anew = service.hash(ann).await;
            assert!(anew.starts_with(OURS), "{imported}: {anew}");
            service.sign_in("ann@example.com", PASSWORD).await.ok(200);
            assert_eq!(service.hash(ann).await, anew, "once is enough");
            service.sign_in("ann@example.com", "träumende Kühe 43").await.problem(400);
            // Not a change of the user: no session ends, no entity tag.
            let after = service.get(&user(ann), "/api_v1/users/me").await.ok(200);
            assert_eq!((&after.body, after.header("etag")), (&before.body, before.header("etag")));
        }
    }

    async fn many_first_sign_ins_at_once_all_succeed(database: TestDatabase) {
        let service = Arc::new(TestService::start(database).await);
        let ann = service.user("ann@example.com").await;
        for imported in HASHES {
            service.set_hash(ann, imported).await;
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let service = Arc::clone(&service);
                tasks.spawn(async move { service.sign_in("ann@example.com", PASSWORD).await.status });
            }
            assert_eq!(tasks.join_all().await, [200; 8], "{imported}");
            assert!(service.hash(ann).await.starts_with(OURS));
            service.sign_in("ann@example.com", PASSWORD).await.ok(200);
        }
    }

    async fn the_bytes_as_sent_count_until_the_first_sign_in_and_nfc_from_then_on(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        service.set_hash(ann, OF_DECOMPOSED).await;
        service.sign_in("ann@example.com", PASSWORD).await.problem(400);
        service.sign_in("ann@example.com", DECOMPOSED).await.ok(200);
        service.sign_in("ann@example.com", PASSWORD).await.ok(200);
        service.sign_in("ann@example.com", DECOMPOSED).await.ok(200);
        service.set_hash(ann, HASHES[0]).await;
        service.sign_in("ann@example.com", DECOMPOSED).await.ok(200);
        service.sign_in("ann@example.com", PASSWORD).await.ok(200);
    }

    async fn a_password_longer_than_bcrypt_reads_is_refused_and_not_cut(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        let whole = format!("{}ab", "0123456789".repeat(7));
        let hash = "$2b$05$abcdefghijklmnopqrstuucInKr3IboNwd.uyBCOF.k5jbgnj4BlS";
        service.set_hash(ann, hash).await;
        service.sign_in("ann@example.com", &format!("{whole}c")).await.problem(400);
        assert_eq!(service.hash(ann).await, hash);
        service.sign_in("ann@example.com", &whole).await.ok(200);
        service.sign_in("ann@example.com", &format!("{whole}c")).await.problem(400);
    }

    async fn an_imported_password_changes_while_its_hash_is_made_anew(database: TestDatabase) {
        let service = Arc::new(TestService::start(database).await);
        let ann = service.user("ann@example.com").await;
        for round in 0..5 {
            service.set_hash(ann, HASHES[0]).await;
            let signing_in = tokio::spawn({
                let service = Arc::clone(&service);
                async move { service.sign_in("ann@example.com", PASSWORD).await.status }
            });
            let new = format!("zwölf Fässer Most {round}");
            let body = json!({ "password": new, "current_password": PASSWORD });
            service.put(&user(ann), "/api_v1/users/me", body).await.ok(200);
            // Before the change or after it, but the new password is the one that stays.
            assert!(matches!(signing_in.await.unwrap(), 200 | 400));
            service.sign_in("ann@example.com", &new).await.ok(200);
            service.sign_in("ann@example.com", PASSWORD).await.problem(400);
        }
    }
}
