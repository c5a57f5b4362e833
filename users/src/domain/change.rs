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
    /// Whether another password must be set at the next sign-in; unless given, a new password takes the mark away.
    pub must_change_password: Option<bool>,
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

    /// Whether the user has another address afterwards: another spelling is none.
    #[must_use]
    pub fn moves(&self, user: &User) -> bool {
        self.email.as_ref().is_some_and(|email| *email != user.email)
    }

    /// The user after the change, or `None` where nothing would be different. The epoch grows where sessions must end:
    /// with a new password or one that must be changed, and when the user is disabled or enabled.
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
            after.must_change_password = false;
        }
        if let Some(must_change) = self.must_change_password {
            after.must_change_password = must_change;
        }
        // Addresses are equal by their canonical form: a new spelling is a change all the same.
        let new_spelling = after.email.as_written() != user.email.as_written();
        if after == *user && !new_password && !new_spelling {
            return None;
        }
        after.version += 1;
        after.updated_at = now;
        let newly_marked = after.must_change_password && !user.must_change_password;
        if new_password || newly_marked || after.is_active != user.is_active {
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

#[cfg(test)]
mod tests {
    use contract::UserId;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::user::with_user_role;

    fn user() -> User {
        let at = Timestamp::from_microseconds(1).unwrap();
        User {
            id: UserId(7),
            email: "ann@example.com".parse().unwrap(),
            is_active: true,
            first_name: Some("Ann".to_owned()),
            last_name: None,
            roles: with_user_role([]),
            password_hash: PasswordHash::from("$old".to_owned()),
            must_change_password: false,
            verified_email: None,
            epoch: 4,
            version: 9,
            created_at: at,
            updated_at: at,
        }
    }

    fn name() -> impl Strategy<Value = Edit<String>> {
        prop_oneof![Just(Edit::Keep), Just(Edit::Clear), "[A-Za-z ]{0,6}".prop_map(Edit::Set)]
    }

    fn changes() -> impl Strategy<Value = Changes> {
        let email = proptest::option::of("[a-c]{1,2}@example\\.com".prop_map(|text| text.parse().unwrap()));
        let roles = proptest::option::of(
            proptest::bool::ANY
                .prop_map(|admin| with_user_role(if admin { vec![Role::ADMIN] } else { Vec::new() })),
        );
        let flag = || proptest::option::of(any::<bool>());
        (email, name(), name(), flag(), flag(), roles).prop_map(
            |(email, first_name, last_name, is_active, must_change_password, roles)| Changes {
                email,
                first_name,
                last_name,
                is_active,
                roles,
                must_change_password,
                ..Changes::default()
            },
        )
    }

    proptest! {
        #[test]
        fn a_change_raises_the_version_by_one_or_is_none(changes in changes(), new_password in any::<bool>()) {
            let (before, now) = (user(), Timestamp::from_microseconds(2).unwrap());
            let hash = new_password.then(|| PasswordHash::from("$new".to_owned()));
            match changes.apply(&before, hash, now) {
                None => prop_assert!(!new_password),
                Some(after) => {
                    prop_assert_eq!(after.version, before.version + 1);
                    prop_assert_eq!((after.id, after.created_at, after.updated_at), (before.id, before.created_at, now));
                    prop_assert_eq!(after.must_change_password, changes.must_change_password.unwrap_or(false));
                    let ends_sessions =
                        new_password || after.must_change_password || after.is_active != before.is_active;
                    prop_assert_eq!(after.epoch, before.epoch + i64::from(ends_sessions));
                    prop_assert!(after.roles.contains(&Role::USER));
                    // Done twice, it is done.
                    prop_assert!(changes.apply(&after, None, now).is_none());
                }
            }
        }

        #[test]
        fn no_name_that_is_taken_holds_a_control_character(name in any::<String>()) {
            if name_fault(&name).is_none() {
                prop_assert!(name.chars().count() <= 255 && !name.contains(char::is_control));
            }
        }
    }

    #[test]
    fn a_version_that_is_not_the_current_one_is_stale() {
        let user = user();
        assert!(Precondition::None.check(&user).is_ok());
        assert!(Precondition::OneOf(vec!["7.8".to_owned(), "7.9".to_owned()]).check(&user).is_ok());
        for other in
            [Precondition::OneOf(vec!["8.9".to_owned()]), Precondition::OneOf(vec![]), Precondition::Absent]
        {
            assert_eq!(other.check(&user), Err(UsersError::Stale));
        }
    }
}
