//! A secret that came in or goes out in a JSON body: never printed, wiped when dropped.

use std::{borrow::Cow, convert::Infallible, fmt, str::FromStr};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A password or token as text. `Debug` shows nothing of it; in the document it is `format: password`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The text itself. Every use is a place to review.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Type for Secret {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "password")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromJSON for Secret {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value.unwrap_or_default() {
            Value::String(text) => Ok(text.into()),
            other => Err(ParseError::expected_type(other)),
        }
    }
}

impl ToJSON for Secret {
    fn to_json(&self) -> Option<Value> {
        Some(self.expose().into())
    }
}

/// A password to be set. Its schema holds what can be said of it without knowing it: the shortest any policy allows and the
/// longest that is hashed. How hard it is to guess is judged where it is hashed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NewPassword(Secret);

impl From<Secret> for NewPassword {
    fn from(password: Secret) -> Self {
        Self(password)
    }
}

impl From<NewPassword> for Secret {
    fn from(password: NewPassword) -> Self {
        password.0
    }
}

impl Type for NewPassword {
    const IS_REQUIRED: bool = true;
    type RawValueType = Secret;
    type RawElementValueType = Secret;

    fn name() -> Cow<'static, str> {
        "NewPassword".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        Secret::schema_ref().merge(MetaSchema {
            min_length: Some(8),
            max_length: Some(1024),
            ..MetaSchema::ANY
        })
    }

    fn as_raw_value(&self) -> Option<&Secret> {
        Some(&self.0)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Secret> + 'a> {
        Box::new(std::iter::once(&self.0))
    }
}

impl ParseFromJSON for NewPassword {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Secret::parse_from_json(value).map(Self).map_err(ParseError::propagate)
    }
}

impl ToJSON for NewPassword {
    fn to_json(&self) -> Option<Value> {
        self.0.to_json()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        assert!(!format!("{:?}", Secret::from("hunter2".to_owned())).contains("hunter2"));
    }
}
