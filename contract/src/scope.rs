//! Scopes: what a token may be used for (RFC 6749 §3.3), beside what its bearer may do.

use std::{borrow::Cow, collections::BTreeSet, fmt, str::FromStr};

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::wire::wire_string;

/// A scope's name, such as `users:read`: 1 to 64 of `a-z`, `0-9`, `:`, `.`, `_` and `-`, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Cow<'static, str>);

/// The text is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a scope: 1 to 64 of a-z, 0-9, :, ., _ and -, starting with a letter")]
pub struct NotAScope;

impl Scope {
    /// A scope written in the source; [`crate::document::of`] refuses one that does not fit.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The scope's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = text.len() <= 64
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || matches!(byte, b':' | b'.' | b'_' | b'-')
            });
        if fits { Ok(Self(text.to_owned().into())) } else { Err(NotAScope) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

wire_string!(
    Scope,
    MetaSchema {
        pattern: Some("^[a-z][a-z0-9:._-]{0,63}$".to_owned()),
        example: Some("users:read".into()),
        ..MetaSchema::new("string")
    }
);

/// The scopes of a token: its `scope` claim, names separated by spaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the scope is among them.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Whether each of them is among `others`.
    #[must_use]
    pub fn is_subset(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }

    /// The scopes, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl FromStr for Scopes {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(' ').filter(|name| !name.is_empty()).map(str::parse).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" ")?;
            }
            scope.fmt(formatter)?;
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_survive_their_claim() {
        let scopes: Scopes = "users:write  users:read".parse().unwrap();
        assert_eq!(scopes.to_string(), "users:read users:write");
        assert_eq!("".parse::<Scopes>().unwrap(), Scopes::default());
        assert_eq!(serde_json::from_str::<Scopes>(&serde_json::to_string(&scopes).unwrap()).unwrap(), scopes);
    }

    #[test]
    fn what_could_break_out_of_a_header_is_no_scope() {
        for text in ["", "Users:read", "users read", "a\"b", "a\\b", "é", "1a", "a\n"] {
            assert_eq!(text.parse::<Scope>(), Err(NotAScope), "{text:?}");
        }
    }
}
