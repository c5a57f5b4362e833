//! A user, and what follows from its state alone.

use std::collections::BTreeSet;

use contract::{Email, Role, Timestamp, UserId};

use super::password::PasswordHash;

/// A user as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Given out once, never reused.
    pub id: UserId,
    /// The address, unique by its canonical form.
    pub email: Email,
    /// Whether the user may sign in.
    pub is_active: bool,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// What the user may do; always holds `user`.
    pub roles: BTreeSet<Role>,
    /// The password's hash.
    pub password_hash: PasswordHash,
    /// The address, in canonical form, that the user has proved to be theirs, or that an admin vouched for; empty where none was,
    /// and the address has changed since the account was made.
    pub verified_email: Option<String>,
    /// Grows with every change that ends the user's sessions.
    pub epoch: i64,
    /// Grows with every change.
    pub version: i64,
    /// Whether the user gets tokens only after setting another password.
    pub must_change_password: bool,
    /// When the user was created.
    pub created_at: Timestamp,
    /// When the user was last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// Whether the user administers others.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.roles.contains(&Role::ADMIN)
    }

    /// Whether the address is proved to be the user's.
    #[must_use]
    pub fn email_verified(&self) -> bool {
        self.verified_email.as_deref() == Some(self.email.canonical())
    }

    /// Whether the address is another than the one the account was made with or was last proved, and not proved itself.
    #[must_use]
    pub fn address_moved(&self) -> bool {
        self.verified_email.as_deref().is_some_and(|proved| proved != self.email.canonical())
    }

    /// Whether the user counts for the rule of the last active admin.
    #[must_use]
    pub fn is_active_admin(&self) -> bool {
        self.is_active && self.is_admin()
    }

    /// The names that are set.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        [&self.first_name, &self.last_name].into_iter().flatten().cloned().collect()
    }

    /// Names this version of this user, and no other of any user: the entity tag without its quotes.
    ///
    /// The id is part of it because `/me` is another user for another caller: a tag of one must never fit the other.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{}.{}", self.id, self.version)
    }
}

/// The roles asked for, with the one that everybody has.
#[must_use]
pub fn with_user_role(roles: impl IntoIterator<Item = Role>) -> BTreeSet<Role> {
    let mut roles: BTreeSet<Role> = roles.into_iter().collect();
    roles.insert(Role::USER);
    roles
}
