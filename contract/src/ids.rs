//! Identifiers that cross process borders.

use std::{borrow::Cow, fmt, str::FromStr};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::wire_string;

/// A user's number: given out once by the users service, never reused, from 1 up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The text is no integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an integer")]
pub struct NotAnInteger;

impl FromStr for UserId {
    type Err = NotAnInteger;

    /// Reads any integer. One that no user can have (too long for 64 bits) becomes an id that never exists, so that a client
    /// hears "no such user" for it, not "no integer".
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnInteger);
        }
        Ok(Self(text.parse().unwrap_or(i64::MAX)))
    }
}

impl Type for UserId {
    const IS_REQUIRED: bool = true;
    type RawValueType = i64;
    type RawElementValueType = i64;

    fn name() -> Cow<'static, str> {
        "UserId".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            example: Some(7.into()),
            ..MetaSchema::new_with_format("integer", "int64")
        }))
    }

    fn as_raw_value(&self) -> Option<&i64> {
        Some(&self.0)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a i64> + 'a> {
        Box::new(std::iter::once(&self.0))
    }
}

impl ParseFromJSON for UserId {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        i64::parse_from_json(value).map(Self).map_err(ParseError::propagate)
    }
}

impl ParseFromParameter for UserId {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        value.parse().map_err(ParseError::custom)
    }
}

impl ToJSON for UserId {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.into())
    }
}

/// One sign-in of one user, from log-in to its end; the `sid` claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(String);

/// The text is no session identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a session identifier")]
pub struct NotASession;

impl SessionId {
    /// The identifier as text: 1 to 64 letters, digits and dashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionId {
    type Err = NotASession;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(NotASession) }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

wire_string!(SessionId, MetaSchema { max_length: Some(64), ..MetaSchema::new("string") });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_too_long_for_64_bits_is_an_id_that_never_exists() {
        assert_eq!("99999999999999999999".parse(), Ok(UserId(i64::MAX)));
        assert_eq!("-1".parse(), Ok(UserId(-1)));
    }

    #[test]
    fn what_is_no_integer_is_no_user_id() {
        for text in ["", "-", "abc", "1.0", "+1", " 1", "1e3", "0x1", "١"] {
            assert_eq!(text.parse::<UserId>(), Err(NotAnInteger), "{text:?}");
        }
    }
}
