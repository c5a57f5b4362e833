//! Who may do what to whom.

use contract::{Caller, Role, Subject, UserId};

use super::{
    change::Changes,
    error::UsersError,
    user::{User, with_user_role},
};

/// Whoever asks for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Nobody signed in.
    Anonymous,
    /// A user, and whether its token carries `admin`.
    User {
        /// The user.
        id: UserId,
        /// Whether the token carries `admin`.
        admin: bool,
    },
    /// The person at the operator's machine.
    Operator,
    /// A service's own account.
    Service {
        /// Whether its token carries `admin`.
        admin: bool,
    },
}

impl Actor {
    /// The actor behind a verified token.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        let admin = caller.has(&Role::ADMIN);
        match caller.subject {
            // Whom another issuer knows is none of this service's users.
            Subject::Anonymous | Subject::External { .. } => Self::Anonymous,
            Subject::User(id) => Self::User { id, admin },
            Subject::Operator => Self::Operator,
            Subject::Service(_) => Self::Service { admin },
        }
    }

    /// The user who acts, where it is one.
    #[must_use]
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether the actor administers users.
    #[must_use]
    pub fn is_admin(self) -> bool {
        matches!(self, Self::Operator | Self::User { admin: true, .. } | Self::Service { admin: true })
    }
}

/// Who sees other users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// Admins alone.
    #[default]
    Admins,
    /// Every signed-in user.
    Members,
}

/// The settings that the rules depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Who sees other users.
    pub visibility: Visibility,
    /// Whether anybody may create an account.
    pub registration_open: bool,
    /// What old clients need: everybody sees everybody, and one's own password and address change without the current one.
    pub compat_fastapi: bool,
}

impl Rules {
    fn members_see_all(self) -> bool {
        self.compat_fastapi || self.visibility == Visibility::Members
    }

    /// Whether the actor may list users.
    ///
    /// # Errors
    /// [`UsersError::NotSignedIn`], [`UsersError::NeedsAdmin`].
    pub fn may_list(self, actor: Actor) -> Result<(), UsersError> {
        match actor {
            Actor::Anonymous => Err(UsersError::NotSignedIn),
            _ if actor.is_admin() || self.members_see_all() => Ok(()),
            _ => Err(UsersError::NeedsAdmin),
        }
    }

    /// Whether the actor may read the user.
    ///
    /// # Errors
    /// [`UsersError::NotSignedIn`], [`UsersError::Forbidden`], which does not tell whether such a user exists.
    pub fn may_read(self, actor: Actor, id: UserId) -> Result<(), UsersError> {
        match actor {
            Actor::Anonymous => Err(UsersError::NotSignedIn),
            _ if actor.is_admin() || actor.user() == Some(id) || self.members_see_all() => Ok(()),
            _ => Err(UsersError::Forbidden("You may read your own account only")),
        }
    }

    /// Whether the actor may change or delete the user at all.
    ///
    /// # Errors
    /// [`UsersError::NotSignedIn`], [`UsersError::Forbidden`], which does not tell whether such a user exists.
    pub fn may_change(self, actor: Actor, id: UserId) -> Result<(), UsersError> {
        match actor {
            Actor::Anonymous => Err(UsersError::NotSignedIn),
            _ if actor.is_admin() || actor.user() == Some(id) => Ok(()),
            _ => Err(UsersError::Forbidden("You may change your own account only")),
        }
    }

    /// Whether the actor may create a user.
    ///
    /// # Errors
    /// [`UsersError::NotSignedIn`], [`UsersError::NeedsAdmin`].
    pub fn may_create(self, actor: Actor) -> Result<(), UsersError> {
        match actor {
            _ if actor.is_admin() || self.registration_open => Ok(()),
            Actor::Anonymous => Err(UsersError::NotSignedIn),
            _ => Err(UsersError::NeedsAdmin),
        }
    }

    /// Whether a password that the actor sets must be changed by its user at the next sign-in, unless the actor says otherwise:
    /// two people know it.
    #[must_use]
    pub fn marks_password(self, actor: Actor, id: UserId) -> bool {
        actor.user() != Some(id) && !self.compat_fastapi
    }

    /// Whether the change of a password, or of the address by which another can be had, needs the current one.
    #[must_use]
    pub fn needs_current_password(self, actor: Actor, id: UserId) -> bool {
        actor.user() == Some(id) && !self.compat_fastapi
    }
}

/// Refuses, all at once, the fields that the actor may not set, where they would change anything. `current` is `None` for
/// a user to be created.
///
/// # Errors
/// [`UsersError::RefusedFields`].
pub fn refuse_fields(actor: Actor, changes: &Changes, current: Option<&User>) -> Result<(), UsersError> {
    let mut refused = Vec::new();
    if changes.id.is_some_and(|id| current.is_none_or(|user| user.id.0 != id)) {
        refused.push("id");
    }
    if !actor.is_admin() {
        let is_active = current.is_none_or(|user| user.is_active);
        if changes.is_active.is_some_and(|wanted| wanted != is_active) {
            refused.push("is_active");
        }
        let must_change = current.is_some_and(|user| user.must_change_password);
        if changes.must_change_password.is_some_and(|wanted| wanted != must_change) {
            refused.push("must_change_password");
        }
        let roles = current.map_or_else(|| with_user_role([]), |user| user.roles.clone());
        if changes.roles.as_ref().is_some_and(|wanted| *wanted != roles) {
            refused.push("roles");
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(UsersError::RefusedFields(refused)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { visibility: Visibility::Admins, registration_open: true, compat_fastapi: false };
    const ANN: Actor = Actor::User { id: UserId(1), admin: false };
    const ROOT: Actor = Actor::User { id: UserId(9), admin: true };

    #[test]
    fn one_reads_and_changes_oneself_and_an_admin_everybody() {
        for (actor, own, other) in [(ANN, true, false), (ROOT, true, true), (Actor::Operator, true, true)] {
            assert_eq!(RULES.may_read(actor, UserId(1)).is_ok(), own);
            assert_eq!(RULES.may_change(actor, UserId(1)).is_ok(), own);
            assert_eq!(RULES.may_read(actor, UserId(2)).is_ok(), other);
            assert_eq!(RULES.may_change(actor, UserId(2)).is_ok(), other);
            assert_eq!(RULES.may_list(actor).is_ok(), other);
        }
    }

    #[test]
    fn members_read_but_do_not_change_others_where_the_settings_say_so() {
        for rules in
            [Rules { visibility: Visibility::Members, ..RULES }, Rules { compat_fastapi: true, ..RULES }]
        {
            assert!(rules.may_list(ANN).is_ok() && rules.may_read(ANN, UserId(2)).is_ok());
            assert!(rules.may_change(ANN, UserId(2)).is_err());
            assert_eq!(rules.may_list(Actor::Anonymous), Err(UsersError::NotSignedIn));
        }
    }

    #[test]
    fn a_service_without_the_role_is_nobody_special() {
        let service = Actor::Service { admin: false };
        assert!(RULES.may_list(service).is_err() && RULES.may_change(service, UserId(1)).is_err());
    }

    #[test]
    fn a_password_set_by_somebody_else_must_be_changed_unless_old_clients_are_served() {
        assert!(RULES.marks_password(ROOT, UserId(1)) && RULES.marks_password(Actor::Operator, UserId(1)));
        assert!(!RULES.marks_password(ROOT, UserId(9)) && !RULES.marks_password(ANN, UserId(1)));
        assert!(!Rules { compat_fastapi: true, ..RULES }.marks_password(ROOT, UserId(1)));
    }

    #[test]
    fn registration_can_be_closed() {
        let closed = Rules { registration_open: false, ..RULES };
        assert!(RULES.may_create(Actor::Anonymous).is_ok());
        assert_eq!(closed.may_create(Actor::Anonymous), Err(UsersError::NotSignedIn));
        assert_eq!(closed.may_create(ANN), Err(UsersError::NeedsAdmin));
        assert!(closed.may_create(Actor::Operator).is_ok());
    }

    #[test]
    fn fields_of_admins_are_refused_by_name_only_where_they_would_change_anything() {
        let harmless =
            Changes { is_active: Some(true), roles: Some(with_user_role([])), ..Changes::default() };
        assert_eq!(refuse_fields(Actor::Anonymous, &harmless, None), Ok(()));
        let greedy = Changes {
            id: Some(7),
            is_active: Some(false),
            must_change_password: Some(true),
            roles: Some(with_user_role([Role::ADMIN])),
            ..Changes::default()
        };
        assert_eq!(
            refuse_fields(Actor::Anonymous, &greedy, None),
            Err(UsersError::RefusedFields(vec!["id", "is_active", "must_change_password", "roles"]))
        );
        assert_eq!(refuse_fields(ROOT, &greedy, None), Err(UsersError::RefusedFields(vec!["id"])));
    }
}
