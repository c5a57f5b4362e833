//! The users service's objects, as they cross the wire.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

pub use crate::nullable::{Clearable, Nullable};
use crate::{Email, Role, Secret, Timestamp, UserId, secret::NewPassword};

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
    /// The password until now: needed to change one's own password or address.
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
    /// The password until now: needed to change one's own password or address.
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
