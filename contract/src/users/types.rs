//! The users service's objects, as they cross the wire.

use std::borrow::Cow;

use poem_openapi::{
    Object,
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Email, Role, Secret, Timestamp, UserId, secret::NewPassword};

/// A value that may be null, and always stands in the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nullable<T>(pub Option<T>);

/// A field of a merge patch (RFC 7396): absent leaves, null clears, a value sets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Clearable<T> {
    /// The field was left out.
    #[default]
    Absent,
    /// The field was null.
    Clear,
    /// The field's new value.
    Set(T),
}

impl<T> Clearable<T> {
    /// The new value, where there is one: null is as good as left out.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Absent | Self::Clear => None,
        }
    }

    /// Whether the field was left out.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Clearable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

impl<T: Serialize> Serialize for Clearable<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}

/// Gives a wrapper of `T` the schema of `T` with `nullable`.
macro_rules! nullable_type {
    ($wrapper:ident, $required:expr, $value:expr) => {
        impl<T: Type> Type for $wrapper<T> {
            const IS_REQUIRED: bool = $required;
            type RawValueType = T::RawValueType;
            type RawElementValueType = T::RawElementValueType;

            fn name() -> Cow<'static, str> {
                T::name()
            }

            fn schema_ref() -> MetaSchemaRef {
                T::schema_ref().merge(MetaSchema { nullable: true, ..MetaSchema::ANY })
            }

            fn register(registry: &mut Registry) {
                T::register(registry);
            }

            fn as_raw_value(&self) -> Option<&Self::RawValueType> {
                let value: fn(&Self) -> Option<&T> = $value;
                value(self).and_then(Type::as_raw_value)
            }

            fn raw_element_iter<'a>(
                &'a self,
            ) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
                let value: fn(&Self) -> Option<&T> = $value;
                match value(self) {
                    Some(value) => value.raw_element_iter(),
                    None => Box::new(std::iter::empty()),
                }
            }
        }
    };
}

nullable_type!(Nullable, true, |this| this.0.as_ref());
nullable_type!(Clearable, false, |this| match this {
    Clearable::Set(value) => Some(value),
    _ => None,
});

impl<T: ParseFromJSON> ParseFromJSON for Nullable<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            None | Some(Value::Null) => Ok(Self(None)),
            some => T::parse_from_json(some).map(|value| Self(Some(value))).map_err(ParseError::propagate),
        }
    }
}

impl<T: ParseFromJSON> ParseFromJSON for Clearable<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            None => Ok(Self::Absent),
            Some(Value::Null) => Ok(Self::Clear),
            some => T::parse_from_json(some).map(Self::Set).map_err(ParseError::propagate),
        }
    }
}

impl<T: ToJSON> ToJSON for Nullable<T> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.as_ref().and_then(ToJSON::to_json).unwrap_or_default())
    }
}

impl<T: ToJSON> ToJSON for Clearable<T> {
    fn to_json(&self) -> Option<Value> {
        match self {
            Self::Absent => None,
            Self::Clear => Some(Value::Null),
            Self::Set(value) => value.to_json(),
        }
    }
}

/// A user. It never carries a password or a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct User {
    /// Given out once, never reused.
    pub id: UserId,
    /// As its owner wrote it.
    pub email: Email,
    /// Whether the user may sign in.
    pub is_active: bool,
    /// Whether its owner has proved the address to be theirs, or an admin vouched for it.
    pub email_verified: bool,
    /// The given name.
    #[oai(validator(max_length = 255))]
    pub first_name: Nullable<String>,
    /// The family name.
    #[oai(validator(max_length = 255))]
    pub last_name: Nullable<String>,
    /// What the user may do, in alphabetical order.
    pub roles: Vec<Role>,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the user was last changed.
    pub updated_at: Timestamp,
    /// Whether the user gets tokens only after setting a new password (`POST /api_v1/auth/password`).
    #[serde(default)]
    pub must_change_password: bool,
}

/// A user to create. Who registers alone may set neither `roles` nor `is_active`; an `id` is never taken.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
pub struct NewUser {
    /// The address, unique without regard to case.
    pub email: Email,
    /// The password: 8 characters at least, 1024 bytes at most, hard to guess.
    pub password: NewPassword,
    /// The given name.
    #[serde(default)]
    #[oai(validator(max_length = 255))]
    pub first_name: Clearable<String>,
    /// The family name.
    #[serde(default)]
    #[oai(validator(max_length = 255))]
    pub last_name: Clearable<String>,
    /// For admins.
    #[serde(default)]
    pub is_active: Clearable<bool>,
    /// For admins.
    #[serde(default)]
    #[oai(validator(max_items = 32))]
    pub roles: Clearable<Vec<Role>>,
    /// For admins: whether the user must set another password before the first sign-in; `false` unless given.
    #[serde(default)]
    pub must_change_password: Clearable<bool>,
    /// Refused: ids are given out by the service.
    #[serde(default)]
    pub id: Clearable<i64>,
}

/// What to change of a user by PUT: fields left out, or null, stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, Object)]
#[serde(default)]
pub struct UserUpdate {
    /// The address, unique without regard to case.
    pub email: Clearable<Email>,
    /// The new password.
    pub password: Clearable<NewPassword>,
    /// The password until now: needed to change one's own.
    pub current_password: Clearable<Secret>,
    /// The given name.
    #[oai(validator(max_length = 255))]
    pub first_name: Clearable<String>,
    /// The family name.
    #[oai(validator(max_length = 255))]
    pub last_name: Clearable<String>,
    /// For admins.
    pub is_active: Clearable<bool>,
    /// For admins.
    #[oai(validator(max_items = 32))]
    pub roles: Clearable<Vec<Role>>,
    /// For admins: whether the user must set another password at the next sign-in; `true` unless given, where an admin sets the
    /// password of somebody else.
    pub must_change_password: Clearable<bool>,
    /// Never changes.
    pub id: Clearable<i64>,
}

/// What to change of a user by PATCH, as a JSON Merge Patch: fields left out stay, null clears (names alone can be cleared).
#[derive(Debug, Clone, Default, Serialize, Deserialize, Object)]
#[serde(default)]
pub struct UserPatch {
    /// The address, unique without regard to case.
    pub email: Option<Email>,
    /// The new password.
    pub password: Option<NewPassword>,
    /// The password until now: needed to change one's own.
    pub current_password: Option<Secret>,
    /// The given name; null clears it.
    #[oai(validator(max_length = 255))]
    pub first_name: Clearable<String>,
    /// The family name; null clears it.
    #[oai(validator(max_length = 255))]
    pub last_name: Clearable<String>,
    /// For admins.
    pub is_active: Option<bool>,
    /// For admins.
    #[oai(validator(max_items = 32))]
    pub roles: Option<Vec<Role>>,
    /// For admins: whether the user must set another password at the next sign-in; `true` unless given, where an admin sets the
    /// password of somebody else.
    pub must_change_password: Option<bool>,
    /// Never changes.
    pub id: Option<i64>,
}
