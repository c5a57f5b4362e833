//! Hashes that real libraries made (passlib 1.7, bcrypt 4.0, argon2-cffi 25.1, Django 5.2), and texts that are none.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// What every hash here is of, unless it says otherwise.
const PASSWORD: &str = "träumende Kühe 42";

/// The same in NFD, as some systems send it.
const DECOMPOSED: &str = "tra\u{308}umende Ku\u{308}he 42";

/// Scheme, who made it, the hash.
const KNOWN: &[(&str, &str, &str)] = &[
    ("bcrypt", "bcrypt", "$2b$05$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6"),
    ("bcrypt", "bcrypt", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOtbJygToNDeFVxWjkZRW7Xis7yBD942W"),
    ("bcrypt", "passlib", "$2y$05$I1pKwIxYTRpOEMDmqXKE4u4/1BtqJci.MBOalb8aVQPm/VkleTjZe"),
    ("bcrypt", "Django", "bcrypt$$2b$05$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6"),
    (
        "pbkdf2-sha256",
        "passlib",
        "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$xnd6UMvF74pZabswgvmKzgQmJho8auwAiGRFUZ3259w",
    ),
    (
        "pbkdf2-sha256",
        "passlib",
        "$pbkdf2-sha256$1200$././/v/vvg$eRBRuaSeOIghc8q4gdSsRr6cdcVcJslELxTz3sdtgsk",
    ),
    ("pbkdf2-sha256", "Django", "pbkdf2_sha256$1000$seasalt2$ivA+wYh2ngQBd0tDHg8hUW20RiWtAcUR4fUduyyE3us="),
    (
        "scrypt",
        "passlib",
        "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xUDXPj38xp98EMRx/GWfmLuvDVzQl0qPx4EhWjQQ1gA",
    ),
    ("scrypt", "passlib", "$scrypt$ln=8,r=4,p=2$cGVwcGVy$0aMGf4koUjo5lmwEbxZ5GSGLDnKjgaDAnm7hNHWKcR0"),
    (
        "scrypt",
        "Django",
        "scrypt$1024$seasalt2$8$1$C+XukM50/RMlAqdUU8ReT6G8O3+4IBYZB5LrZQtBmN0a5i7fUBG91lcBIEWCoeopPgGmSxxuPSWZ0M2prbLhbg==",
    ),
    (
        "argon2i",
        "argon2-cffi",
        "$argon2i$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$0+QaRHFOWlPiGirbdu8egTsr1LhwfMHLRgpGLoIo9g4",
    ),
    (
        "argon2i",
        "argon2-cffi",
        "$argon2i$v=16$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$P3VLTprYWt1IbiIeBa3ADn7i2aRRc63Rf3rpL59h4uo",
    ),
    (
        "argon2id",
        "argon2-cffi",
        "$argon2id$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$EyzL83AjWdaHcdFeQqvKaUEGI0nUnatdSjw+6SXkgZs",
    ),
    (
        "argon2id",
        "argon2-cffi",
        "$argon2id$v=16$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$93MiGyzIKygdsCde3wVFuOGoliEKV/q0G7yd5r9hy0Y",
    ),
    ("argon2id", "argon2-cffi", "$argon2id$v=19$m=512,t=3,p=4$c2FsdHNhbHQ$DGYzd8Ez8s7LyCIQCPBATOP3WJqLtTLH"),
    ("argon2id", "Django", "argon2$argon2id$v=19$m=512,t=3,p=4$c2FsdHNhbHQ$DGYzd8Ez8s7LyCIQCPBATOP3WJqLtTLH"),
];

fn read(text: &str) -> ImportedHash {
    text.parse().unwrap_or_else(|fault| panic!("{text} {fault}"))
}

fn fault(text: &str) -> String {
    text.parse::<ImportedHash>().map(|_| ()).expect_err(text).to_string()
}

#[test]
fn hashes_of_real_libraries_match_their_password_and_no_other() {
    for (scheme, library, text) in KNOWN {
        let hash = read(text);
        assert_eq!(hash.scheme(), *scheme, "{library}: {text}");
        assert!(hash.matches(PASSWORD.as_bytes()), "{library}: {text}");
        for other in ["", "träumende Kühe 43", "träumende Kühe 42 ", "träumende Kühe 42\0", DECOMPOSED]
        {
            assert!(!hash.matches(other.as_bytes()), "{library}: {text}: {other:?}");
        }
        assert_eq!(PasswordHash::from(hash).expose(), *text, "it is kept as it was written");
    }
}

#[test]
fn argon2_of_version_1_0_is_read_where_the_version_is_left_out() {
    let text = "$argon2i$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$P3VLTprYWt1IbiIeBa3ADn7i2aRRc63Rf3rpL59h4uo";
    assert!(read(text).matches(PASSWORD.as_bytes()));
}

#[test]
fn bcrypt_knows_72_bytes_and_what_is_longer_matches_nothing() {
    // The same hash is that of the first 72 bytes and, where it is cut, of anything longer.
    let hash = read("$2b$05$abcdefghijklmnopqrstuucInKr3IboNwd.uyBCOF.k5jbgnj4BlS");
    let whole = format!("{}ab", "0123456789".repeat(7));
    assert!(hash.matches(whole.as_bytes()));
    assert!(!hash.matches(format!("{whole}c").as_bytes()));
    assert!(!hash.matches(&whole.as_bytes()[..71]));
    let empty = read("$2b$05$abcdefghijklmnopqrstuu0oImNDIy4flhldV9YqunRgBAePKmw7m");
    assert!(empty.matches(b"") && !empty.matches(b"\0") && !empty.matches(b"\0x"));
}

#[test]
fn what_is_wrong_is_told_and_nothing_of_the_hash_repeated() {
    let digest = "xnd6UMvF74pZabswgvmKzgQmJho8auwAiGRFUZ3259w";
    for (text, told) in [
        (String::new(), "is empty"),
        ("x".repeat(1025), "has more than 1024 bytes"),
        ("!Abc".to_owned(), "unusable"),
        ("plain text".to_owned(), "of no scheme"),
        ("5f4dcc3b5aa765d61d8327deb882cf99".to_owned(), "of no scheme"),
        (format!("$argon2d$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg${digest}"), "of no scheme"),
        (format!("$argon2id$v=18$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg${digest}"), "its version is neither"),
        (format!("$argon2id$v=19$m=256,t=2$MDEyMzQ1Njc4OWFiY2RlZg${digest}"), "its parameters are not"),
        (
            format!("$argon2id$v=19$m=256,t=2,p=1,keyid=Zm9v$MDEyMzQ1Njc4OWFiY2RlZg${digest}"),
            "its parameters are not",
        ),
        (
            format!("$argon2id$v=19$m=4294967295,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg${digest}"),
            "m must be 8 to 1048576",
        ),
        (format!("$argon2id$v=19$m=1048576,t=64,p=1$MDEyMzQ1Njc4OWFiY2RlZg${digest}"), "costs too much"),
        (format!("$argon2id$v=19$m=8,t=2,p=4$MDEyMzQ1Njc4OWFiY2RlZg${digest}"), "don't go together"),
        (format!("$argon2id$v=19$m=256,t=2,p=1$x${digest}"), "its salt is"),
        ("$2b$31$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6".to_owned(), "cost must be 4 to 16"),
        ("$2b$5$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6".to_owned(), "two digits"),
        ("$2b$05$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs".to_owned(), "its digest is too short"),
        ("$2b$05$abcdefghijklmnopqrstüuTD5NfgSwyCrNff/C2OER6BVQthOVUs".to_owned(), "its salt is"),
        ("$2x$05$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6".to_owned(), "of no scheme"),
        (format!("$pbkdf2-sha256$5000001$MDEy${digest}"), "rounds must be 1 to 5000000"),
        (format!("$pbkdf2-sha256$+1$MDEy${digest}"), "rounds is no number"),
        (format!("$pbkdf2-sha256$99999999999999999999$MDEy${digest}"), "rounds must be"),
        ("$pbkdf2-sha256$1000$MDEy$MDEy".to_owned(), "its digest is too short"),
        ("pbkdf2_sha256$1000$salt".to_owned(), "too few or too many parts"),
        (format!("pbkdf2_sha256$1000$a$!{digest}"), "its digest is no Base64"),
        (format!("pbkdf2_sha256$1000$${digest}"), "its salt is too short"),
        (format!("$scrypt$ln=21,r=8,p=1$MDEy${digest}"), "ln must be 1 to 20"),
        (format!("$scrypt$ln=20,r=64,p=1$MDEy${digest}"), "more than 1048576 KiB of memory"),
        (format!("$scrypt$ln=19,r=8,p=16$MDEy${digest}"), "costs too much"),
        (format!("scrypt$1000$salt$8$1${digest}"), "no power of two"),
    ] {
        let fault = fault(&text);
        assert!(fault.contains(told), "{text}: {fault}");
        assert!(!fault.contains(digest) && !fault.contains("MDEy"), "{fault}");
    }
    assert_eq!(format!("{:?}", read(KNOWN[0].2)), "ImportedHash(\"bcrypt\")");
}

proptest! {
    #[test]
    fn no_text_panics_or_costs_time(
        text in prop_oneof![
            any::<String>(),
            "\\$?(2[aby]|argon2i?d?|scrypt|pbkdf2[-_]sha256|bcrypt\\$)?\\$[-=$,./a-zA-Z0-9+]{0,120}",
            "\\$argon2id\\$v=19\\$m=[0-9]{1,12},t=[0-9]{1,12},p=[0-9]{1,12}\\$[a-zA-Z0-9]{0,24}\\$[a-zA-Z0-9]{0,44}",
            "\\$scrypt\\$ln=[0-9]{1,3},r=[0-9]{1,11},p=[0-9]{1,11}\\$[a-zA-Z0-9]{1,24}\\$[a-zA-Z0-9]{43}",
            "scrypt\\$[0-9]{1,12}\\$[a-z]{1,4}\\$[0-9]{1,11}\\$[0-9]{1,11}\\$[a-zA-Z0-9]{43}",
        ]
    ) {
        let begun = Instant::now();
        let read = text.parse::<ImportedHash>();
        prop_assert!(begun.elapsed() < Duration::from_millis(50), "reading costs nothing");
        if let Ok(hash) = read {
            let kept = PasswordHash::from(hash);
            prop_assert_eq!(kept.expose(), text);
        }
    }

    #[test]
    fn a_known_hash_with_one_character_changed_is_refused_or_checked_without_a_panic(
        which in 0..KNOWN.len(), from_end in 0_usize..31, to in any::<char>()
    ) {
        // At its end stands the digest: a changed cost would make this test as slow as the bounds allow.
        let mut text: Vec<char> = KNOWN[which].2.chars().collect();
        let at = text.len() - 1 - from_end;
        let is_same = text[at] == to;
        text[at] = to;
        if let Ok(hash) = String::from_iter(text).parse::<ImportedHash>() {
            // The last characters hold bits, or padding, that nobody reads.
            prop_assert!(is_same || from_end < 3 || !hash.matches(PASSWORD.as_bytes()));
        }
    }
}
