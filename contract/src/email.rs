//! E-mail addresses: one canonical form for identity, the user's own spelling for display.

use std::{fmt, str::FromStr};

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use unicode_normalization::UnicodeNormalization;

use crate::wire::wire_string;

/// An address that fits RFC 5321's limits (local part 64 bytes, whole 254), with RFC 6531's Unicode allowed.
///
/// Two addresses are the same person's when their canonical forms are equal: trimmed, NFC, lower case, the domain
/// in its IDNA (UTS 46) ASCII form.
#[derive(Debug, Clone)]
pub struct Email {
    written: String,
    canonical: String,
}

/// Why a text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("value is not a valid email address")]
pub struct NotAnEmail;

impl Email {
    /// The address as its owner wrote it, trimmed.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// The form by which addresses are compared and found.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Email {}

impl FromStr for Email {
    type Err = NotAnEmail;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let written = composed(text.trim().to_owned());
        let (local, domain) = written.rsplit_once('@').ok_or(NotAnEmail)?;
        let local = composed(local.to_lowercase());
        let domain = ascii_domain(domain)?;
        if !local_part_fits(&local) || local.len() + 1 + domain.len() > 254 || written.len() > 320 {
            return Err(NotAnEmail);
        }
        let canonical = format!("{local}@{domain}");
        Ok(Self { written, canonical })
    }
}

/// In NFC. ASCII is, and most addresses are ASCII.
fn composed(text: String) -> String {
    if text.is_ascii() { text } else { text.nfc().collect() }
}

/// RFC 5322 `dot-atom`, widened by RFC 6531 to letters and digits of every script; quoted local parts are refused.
fn local_part_fits(local: &str) -> bool {
    (1..=64).contains(&local.len())
        && local.split('.').all(|atom| {
            !atom.is_empty()
                && atom.chars().all(|character| match character {
                    'a'..='z' | 'A'..='Z' | '0'..='9' => true,
                    _ if character.is_ascii() => "!#$%&'*+-/=?^_`{|}~".contains(character),
                    _ => {
                        character.is_alphanumeric()
                            || unicode_normalization::char::is_combining_mark(character)
                    }
                })
        })
}

/// The domain's ASCII form: at least two labels, no address literals, no all-numeric top level.
fn ascii_domain(domain: &str) -> Result<String, NotAnEmail> {
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| NotAnEmail)?;
    let mut labels = ascii.rsplit('.');
    let top = labels.next().unwrap_or_default();
    let fits = labels.next().is_some_and(|label| !label.is_empty())
        && top.len() >= 2
        && !top.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(ascii) } else { Err(NotAnEmail) }
}

impl fmt::Display for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(formatter)
    }
}

impl Serialize for Email {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

wire_string!(
    Email,
    MetaSchema {
        max_length: Some(320),
        example: Some("ann@example.com".into()),
        ..MetaSchema::new_with_format("string", "email")
    }
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> Option<String> {
        text.parse::<Email>().ok().map(|email| email.canonical)
    }

    #[test]
    fn spelling_does_not_make_another_person() {
        for text in ["Alice@Example.com", " alice@example.com ", "ALICE@EXAMPLE.COM"] {
            assert_eq!(canonical(text).as_deref(), Some("alice@example.com"), "{text:?}");
        }
        assert_eq!(
            canonical("j\u{fc}rgen@b\u{fc}cher.example"),
            canonical("ju\u{308}rgen@xn--bcher-kva.example")
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        for text in [
            "",
            "nope",
            "@",
            "a@",
            "@b.example",
            "a@localhost",
            "a b@example.com",
            "a@b@example.com",
            "Bob <bob@example.com>",
            "a..b@example.com",
            ".a@example.com",
            "a@-b.example",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@example..com",
            "a\0@example.com",
            "a@exa mple.com",
            long.as_str(),
        ] {
            assert_eq!(canonical(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_owner_s_spelling_is_kept() {
        assert_eq!(" Bob@Example.COM".parse::<Email>().unwrap().as_written(), "Bob@Example.COM");
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own_canonical_form(text in "[\\p{L}\\p{N}.+_-]{1,12}@[\\p{L}a-z0-9-]{1,10}\\.[a-z]{2,4}") {
            if let Some(first) = canonical(&text) {
                let second = canonical(&first);
                prop_assert_eq!(second, Some(first));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<Email>();
        }
    }
}
