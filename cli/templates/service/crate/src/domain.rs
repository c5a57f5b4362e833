//! Widgets and who may reach them. It knows neither HTTP nor SQL.

use contract::{Caller, Subject, Timestamp, UserId};

/// A widget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Widget {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) owner: Option<UserId>,
    pub(crate) created_at: Timestamp,
}

/// A widget that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) owner: Option<UserId>,
    pub(crate) created_at: Timestamp,
}

impl Draft {
    /// Whoever creates a widget owns it.
    pub(crate) fn new(caller: &Caller, name: String, now: Timestamp) -> Self {
        Self { name, owner: caller.user(), created_at: now }
    }
}

/// Which widgets a caller reaches. What is out of reach is as good as not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Every one.
    All,
    /// This user's.
    Of(UserId),
    /// None.
    Nothing,
}

impl Reach {
    /// A user reaches their own; admins, and services within their scopes, reach all.
    pub(crate) fn of(caller: &Caller) -> Self {
        match &caller.subject {
            _ if caller.is_admin() => Self::All,
            Subject::User(user) => Self::Of(*user),
            Subject::Operator | Subject::Service(_) => Self::All,
            Subject::Anonymous | Subject::External { .. } => Self::Nothing,
        }
    }
}

/// What can go wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WidgetsError {
    /// There is no such widget, or none within reach.
    #[error("There is no widget with this id")]
    NotFound,
    /// The database is away; the text is for the log.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours; the text is for the log.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    use contract::Role;

    use super::*;

    #[test]
    fn a_user_reaches_their_own_and_admins_and_services_reach_all() {
        let caller = |subject, roles: &[Role]| Caller {
            subject,
            roles: roles.iter().cloned().collect(),
            ..Caller::anonymous()
        };
        let user = || Subject::User(UserId(7));
        assert_eq!(Reach::of(&caller(user(), &[Role::USER])), Reach::Of(UserId(7)));
        assert_eq!(Reach::of(&caller(user(), &[Role::ADMIN])), Reach::All);
        assert_eq!(Reach::of(&caller(Subject::Service("stock".to_owned()), &[])), Reach::All);
        assert_eq!(Reach::of(&caller(Subject::Anonymous, &[])), Reach::Nothing);
        let external = Subject::External { issuer: "partner".to_owned(), subject: "7".to_owned() };
        assert_eq!(Reach::of(&caller(external, &[Role::USER])), Reach::Nothing);
    }
}
