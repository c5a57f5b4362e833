//! What passwords are taken, and which of them match.

use contract::Email;
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;

const GOOD: &str = "träumende Kühe 42";

fn passwords() -> Passwords {
    Passwords::new(Policy::Asvs, Argon2Cost::default(), Pool::new(2, 8))
}

fn owner() -> Owner {
    Owner {
        email: "Ann.Lee@Example.com".parse::<Email>().unwrap(),
        names: vec!["Ann".to_owned(), "Lee".to_owned()],
    }
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

async fn reason(policy: Policy, password: &str) -> Option<String> {
    let passwords = Passwords::new(policy, Argon2Cost::default(), Pool::new(1, 1));
    match passwords.hash(&secret(password), owner()).await {
        Ok(_) => None,
        Err(UsersError::Invalid(faults)) => Some(faults[0].detail.clone()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_password_matches_its_own_hash_and_no_other() {
    let passwords = passwords();
    let hash = passwords.hash(&secret(GOOD), owner()).await.unwrap();
    assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(matches!(passwords.verify(&secret(GOOD), Some(&hash)).await, Ok(Verdict::Right)));
    for other in ["", "träumende Kühe 43", "Träumende Kühe 42", "träumende Kühe 42 "] {
        assert!(
            matches!(passwords.verify(&secret(other), Some(&hash)).await, Ok(Verdict::Wrong)),
            "{other:?}"
        );
    }
    assert!(matches!(passwords.verify(&secret(GOOD), None).await, Ok(Verdict::Wrong)));
}

#[tokio::test]
async fn composed_and_decomposed_letters_are_one_password_and_full_width_ones_another() {
    let passwords = passwords();
    let hash = passwords.hash(&secret("Zürcher Käse 1291"), owner()).await.unwrap();
    let decomposed = secret("Zu\u{308}rcher Ka\u{308}se 1291");
    assert!(matches!(passwords.verify(&decomposed, Some(&hash)).await, Ok(Verdict::Right)));
    let full_width = secret("Zürcher Käse １２９１");
    assert!(matches!(passwords.verify(&full_width, Some(&hash)).await, Ok(Verdict::Wrong)));
}

#[tokio::test]
async fn a_weak_password_is_refused_with_its_reason() {
    for (password, part) in [
        ("", "8 characters"),
        ("träumü7", "8 characters"),
        ("password", "too easily guessed"),
        ("qwertyuiop", "too easily guessed"),
        ("ann.lee@example.com", "e-mail"),
        ("Ann.Lee@Example.com", "e-mail"),
        ("good\u{0}password\u{0}here", "control character"),
    ] {
        let reason = reason(Policy::Asvs, password).await.unwrap_or_else(|| panic!("{password:?} was taken"));
        assert!(reason.contains(part), "{password:?}: {reason}");
    }
    assert_eq!(reason(Policy::Asvs, GOOD).await, None);
    assert!(reason(Policy::Nist, "kurz&gut 42 q").await.unwrap().contains("15 characters"));
}

#[tokio::test]
async fn a_password_is_measured_in_bytes_before_anything_is_done_with_it() {
    let passwords = passwords();
    let long = "Wörter und ".repeat(80);
    let fits: String = long.chars().take(900).collect();
    assert!(fits.len() <= LONGEST_PASSWORD && passwords.hash(&secret(&fits), owner()).await.is_ok());
    let too_long = secret(&"x".repeat(LONGEST_PASSWORD + 1));
    assert!(matches!(passwords.hash(&too_long, owner()).await, Err(UsersError::Invalid(_))));
    assert!(matches!(passwords.verify(&too_long, None).await, Err(UsersError::Invalid(_))));
}

#[tokio::test]
async fn a_hash_of_a_lower_cost_is_made_anew() {
    let argon2 = argon2::Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        argon2::Params::new(64, 1, 1, None).unwrap(),
    );
    let old: argon2::password_hash::phc::PasswordHash =
        argon2::PasswordHasher::hash_password(&argon2, GOOD.as_bytes()).unwrap();
    let old = PasswordHash::from(old.to_string());
    let passwords = passwords();
    let Ok(Verdict::RightAndRehashed(new)) = passwords.verify(&secret(GOOD), Some(&old)).await else {
        panic!("it was not hashed anew");
    };
    assert!(matches!(passwords.verify(&secret(GOOD), Some(&new)).await, Ok(Verdict::Right)));
}

#[tokio::test]
async fn what_is_no_hash_matches_nothing() {
    for text in [
        "",
        "x",
        "$argon2id$",
        "$unknown$v=1$abc$def",
        "$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHQ$aGFzaA",
    ] {
        let hash = PasswordHash::from(text.to_owned());
        assert!(matches!(passwords().verify(&secret(GOOD), Some(&hash)).await, Ok(Verdict::Wrong)), "{text}");
    }
}

#[tokio::test]
async fn a_full_queue_answers_at_once_and_its_places_come_back() {
    let pool = Pool::new(1, 1);
    let (release, held) = oneshot::channel::<()>();
    let first = pool.run(move || held.blocking_recv());
    let second = pool.run(|| ());
    tokio::pin!(first, second);
    // Polled once, each takes its place.
    assert!(futures_pending(&mut first).await && futures_pending(&mut second).await);
    assert!(matches!(pool.run(|| ()).await, Err(UsersError::Busy(_))));
    release.send(()).unwrap();
    first.await.unwrap().unwrap();
    second.await.unwrap();
    pool.run(|| ()).await.unwrap();
}

/// Whether the future is still pending after one poll.
async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
    })
    .await
}

#[test]
fn a_cost_below_the_floor_is_refused() {
    assert_eq!(Argon2Cost::new(19_455, 2, 1), Err(CostError::TooLow));
    assert_eq!(Argon2Cost::new(19_456, 1, 1), Err(CostError::TooLow));
    assert_eq!(Argon2Cost::new(19_456, 2, 1), Ok(Argon2Cost::default()));
    assert_eq!(Argon2Cost::new(19_456, 2, 17), Err(CostError::TooHigh));
}

proptest! {
    #[test]
    fn no_password_panics_or_is_taken_against_the_rules(password in ".{0,40}") {
        if let Ok(normal) = Policy::Asvs.check_form(&secret(&password)) {
            prop_assert!(normal.expose_secret().chars().count() >= 8);
            prop_assert!(!password.contains('\0'));
        }
    }
}
