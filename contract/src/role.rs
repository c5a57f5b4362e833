//! Roles: `admin`, `user`, and those an operator adds.

use std::{fmt, str::FromStr};

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::wire::wire_string;

/// A role's name: 1 to 64 of `a-z`, `0-9`, `_` and `-`, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(std::borrow::Cow<'static, str>);

/// The text is no role name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a role name: 1 to 64 of a-z, 0-9, _ and -, starting with a letter")]
pub struct NotARole;

impl Role {
    /// May do everything.
    pub const ADMIN: Self = Self(std::borrow::Cow::Borrowed("admin"));
    /// What every user has.
    pub const USER: Self = Self(std::borrow::Cow::Borrowed("user"));

    /// The role's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = text.len() <= 64
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
            });
        if fits { Ok(Self(text.to_owned().into())) } else { Err(NotARole) }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

wire_string!(
    Role,
    MetaSchema {
        pattern: Some("^[a-z][a-z0-9_-]{0,63}$".to_owned()),
        example: Some("user".into()),
        ..MetaSchema::new("string")
    }
);
