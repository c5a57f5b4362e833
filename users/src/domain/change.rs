//! What to change of a user, and the user that comes of it.

use std::collections::BTreeSet;

use contract::{Email, Role, Secret, Timestamp};

use super::{
    error::{Fault, UsersError},
    password::PasswordHash,
    user::User,
};

/// The longest name, in characters.
const LONGEST_NAME: usize = 255;

/// What to do with a value that a user can be without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is taken away.
    Clear,
    /// It is this from now on.
    Set(T),
}

impl<T: Clone> Edit<T> {
    /// What comes of `current`.
    #[must_use]
    pub fn over(&self, current: Option<&T>) -> Option<T> {
        match self {
            Self::Keep => current.cloned(),
            Self::Clear => None,
            Self::Set(value) => Some(value.clone()),
        }
    }
}

/// What to change. `None` leaves the field as it is.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The address.
    pub email: Option<Email>,
    /// The given name.
    pub first_name: Edit<String>,
    /// The family name.
    pub last_name: Edit<String>,
    /// Whether the user may sign in.
    pub is_active: Option<bool>,
    /// The roles, `user` among them.
    pub roles: Option<BTreeSet<Role>>,
    /// The new password.
    pub password: Option<Secret>,
    /// The password until now.
    pub current_password: Option<Secret>,
    /// An id that the caller sent along: refused unless it is the user's own.
    pub id: Option<i64>,
}

impl Changes {
    /// Checks the names.
    ///
    /// # Errors
    /// [`UsersError::Invalid`], with every fault.
    pub fn check_names(&self) -> Result<(), UsersError> {
        let names = [("first_name", &self.first_name), ("last_name", &self.last_name)];
        let faults: Vec<Fault> = names
            .into_iter()
            .filter_map(|(field, edit)| match edit {
                Edit::Set(name) => Some(Fault::new(field, name_fault(name)?)),
                Edit::Keep | Edit::Clear => None,
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(UsersError::Invalid(faults)) }
    }

    /// The user after the change, or `None` where nothing would be different. The epoch grows where sessions must end:
    /// with a new password, and when the user is disabled or enabled.
    #[must_use]
    pub fn apply(&self, user: &User, password_hash: Option<PasswordHash>, now: Timestamp) -> Option<User> {
        let mut after = user.clone();
        if let Some(email) = &self.email {
            after.email = email.clone();
        }
        after.first_name = self.first_name.over(user.first_name.as_ref());
        after.last_name = self.last_name.over(user.last_name.as_ref());
        if let Some(is_active) = self.is_active {
            after.is_active = is_active;
        }
        if let Some(roles) = &self.roles {
            after.roles.clone_from(roles);
        }
        let new_password = password_hash.is_some();
        if let Some(hash) = password_hash {
            after.password_hash = hash;
        }
        // Addresses are equal by their canonical form: a new spelling is a change all the same.
        let new_spelling = after.email.as_written() != user.email.as_written();
        if after == *user && !new_password && !new_spelling {
            return None;
        }
        after.version += 1;
        after.updated_at = now;
        if new_password || after.is_active != user.is_active {
            after.epoch += 1;
        }
        Some(after)
    }
}

/// What is wrong with a name, if anything.
#[must_use]
pub fn name_fault(name: &str) -> Option<String> {
    if name.chars().count() > LONGEST_NAME {
        return Some(format!("has more than {LONGEST_NAME} characters"));
    }
    name.chars().any(char::is_control).then(|| "holds a control character".to_owned())
}

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Secret,
    /// Everything else.
    pub changes: Changes,
}

/// Which version of the user the caller means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Whichever is current.
    #[default]
    None,
    /// One of these tags ([`User::tag`]).
    OneOf(Vec<String>),
    /// None at all: fails for every user that exists.
    Absent,
}

impl Precondition {
    /// Whether the user is in a version that the caller means.
    ///
    /// # Errors
    /// [`UsersError::Stale`].
    pub fn check(&self, user: &User) -> Result<(), UsersError> {
        let holds = match self {
            Self::None => true,
            Self::OneOf(tags) => tags.contains(&user.tag()),
            Self::Absent => false,
        };
        if holds { Ok(()) } else { Err(UsersError::Stale) }
    }
}
