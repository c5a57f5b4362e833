//! What can go wrong with an operation on users, in the words of the domain.

use std::time::Duration;

/// A value that does not fit, by the name of its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field.
    pub field: &'static str,
    /// What is wrong with its value, for people.
    pub detail: String,
}

impl Fault {
    /// A fault of `field`.
    #[must_use]
    pub fn new(field: &'static str, detail: impl Into<String>) -> Self {
        Self { field, detail: detail.into() }
    }
}

/// Why an operation was not done. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    /// No user has this id.
    #[error("The user with this username does not exist in the system")]
    NotFound,
    /// Another user has this address.
    #[error("The user with this username already exists in the system")]
    Duplicate,
    /// Nobody is signed in, and somebody must be.
    #[error("Nobody is signed in")]
    NotSignedIn,
    /// The caller's account is gone or disabled, though its token is not yet.
    #[error("The user of this token is gone")]
    CallerGone,
    /// The caller may not do this to this user.
    #[error("{0}")]
    Forbidden(&'static str),
    /// It is for admins.
    #[error("This is for admins")]
    NeedsAdmin,
    /// Fields that this caller may not set to these values.
    #[error("You may not set: {}", .0.join(", "))]
    RefusedFields(Vec<&'static str>),
    /// The password until now was not given, or is not right.
    #[error("{0}")]
    CurrentPassword(&'static str),
    /// It would leave the installation without an admin who can sign in.
    #[error("This is the last active admin: make another one first")]
    LastAdmin,
    /// The key of the request was used for another one.
    #[error("was used for another request")]
    KeyReused,
    /// The request of this key was repeated too often.
    #[error("The request of this Idempotency-Key was repeated too often")]
    KeyExhausted,
    /// The user whom this request has created is deleted.
    #[error("The user that was created with this Idempotency-Key is deleted")]
    CreatedUserGone,
    /// The key of the request is being used.
    #[error("A request with this Idempotency-Key is being worked on")]
    KeyTaken,
    /// No role has this name.
    #[error("There is no such role")]
    NoSuchRole,
    /// A role has this name already.
    #[error("The role exists already")]
    DuplicateRole,
    /// It belongs to the platform.
    #[error("This role is built in and stays")]
    BuiltInRole,
    /// So many users have the role.
    #[error("Users have this role ({0}): take it from them first")]
    RoleInUse(u64),
    /// The version named by the caller is not the current one.
    #[error("The user was changed in the meantime")]
    Stale,
    /// Values that do not fit, all of them.
    #[error("Values do not fit")]
    Invalid(Vec<Fault>),
    /// No such user, or not this password: never told apart.
    #[error("Incorrect email or password")]
    IncorrectCredentials,
    /// The password is right, and the user is disabled.
    #[error("Inactive user")]
    Inactive,
    /// Too many passwords are being checked.
    #[error("Too many passwords are being checked")]
    Busy(Duration),
    /// The database can't serve now.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A fault of ours.
    #[error("{0}")]
    Failed(String),
}

impl UsersError {
    /// The same, where the value stands in a field of another name.
    #[must_use]
    pub fn of_field(self, field: &'static str) -> Self {
        match self {
            Self::Invalid(faults) => {
                Self::Invalid(faults.into_iter().map(|fault| Fault { field, ..fault }).collect())
            }
            other => other,
        }
    }

    /// One value that does not fit.
    #[must_use]
    pub fn invalid(field: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault::new(field, detail)])
    }
}
