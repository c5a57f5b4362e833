//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): names a request, so that it can be sent again.

use std::{fmt, str::FromStr};

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::wire::wire_string;

/// The header's name.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

const LONGEST: usize = 128;

/// A key: 1 to 128 visible ASCII characters, with or without the quotes of a structured field (RFC 8941 §3.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {LONGEST} visible ASCII characters, without quotes inside")]
pub struct NotAKey;

impl IdempotencyKey {
    /// The key without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let fits = (1..=LONGEST).contains(&inner.len())
            && inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        if fits { Ok(Self(inner.to_owned())) } else { Err(NotAKey) }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for IdempotencyKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for IdempotencyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

wire_string!(
    IdempotencyKey,
    MetaSchema {
        min_length: Some(1),
        max_length: Some(LONGEST + 2),
        pattern: Some(r#"^("[!#-\[\]-~]{1,128}"|[!#-\[\]-~]{1,128})$"#.to_owned()),
        ..MetaSchema::new("string")
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_with_and_without_its_quotes() {
        let key = |text: &str| text.parse::<IdempotencyKey>().map(|key| key.as_str().to_owned());
        assert_eq!(key("\"8e03978e-40d5\""), Ok("8e03978e-40d5".to_owned()));
        assert_eq!(key("8e03978e-40d5"), Ok("8e03978e-40d5".to_owned()));
        assert!(key(&"k".repeat(128)).is_ok());
        for bad in ["", "\"\"", "a b", "\"a", "a\"b", "a\\b", "ä", "a\tb", &"k".repeat(129)] {
            assert_eq!(key(bad), Err(NotAKey), "{bad:?}");
        }
    }
}
