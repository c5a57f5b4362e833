//! Who is calling: what a verified token says, handed from the layer that checked it to the operation.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use poem::{FromRequest, Request, RequestBody};

use crate::{Problem, Role, Scope, Scopes, SessionId, UserId};

/// The name under which the gateway calls services for itself; no service account can have it.
pub const GATEWAY: &str = "gateway";

/// Whom a token stands for: the `sub` claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Nobody signed in.
    Anonymous,
    /// A user.
    User(UserId),
    /// The person at the operator's machine, who holds the platform's own configuration.
    Operator,
    /// A service's own account.
    Service(String),
    /// Somebody whom another issuer knows: nobody of this platform's users, whatever the name.
    External {
        /// The issuer, by its name in the configuration.
        issuer: String,
        /// The `sub` of that issuer's token.
        subject: String,
    },
}

/// The text names no subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a subject")]
pub struct NotASubject;

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => formatter.write_str("anonymous"),
            Self::User(id) => id.fmt(formatter),
            Self::Operator => formatter.write_str("operator"),
            Self::Service(name) => write!(formatter, "service:{name}"),
            Self::External { issuer, subject } => write!(formatter, "external:{issuer}:{subject}"),
        }
    }
}

impl FromStr for Subject {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "anonymous" => Ok(Self::Anonymous),
            "operator" => Ok(Self::Operator),
            _ if text.starts_with("external:") => external(text).ok_or(NotASubject),
            _ => match text.strip_prefix("service:") {
                Some("") => Err(NotASubject),
                Some(name) => Ok(Self::Service(name.to_owned())),
                None => match text.parse::<i64>() {
                    Ok(id) if id > 0 && id.to_string() == text => Ok(Self::User(UserId(id))),
                    _ => Err(NotASubject),
                },
            },
        }
    }
}

fn external(text: &str) -> Option<Subject> {
    let (issuer, subject) = text.strip_prefix("external:")?.split_once(':')?;
    let named = !issuer.is_empty() && !subject.is_empty();
    named.then(|| Subject::External { issuer: issuer.to_owned(), subject: subject.to_owned() })
}

/// The caller of an operation. Only a layer that verified a token makes one and puts it, as `Arc<Caller>`, into the
/// request's extensions; as an extractor it is what was put there, else 401.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whom the token stands for.
    pub subject: Subject,
    /// The roles the token carries.
    pub roles: BTreeSet<Role>,
    /// What the token may be used for; none limit nobody but a service's account.
    pub scopes: Scopes,
    /// The sign-in the token belongs to.
    pub session: Option<SessionId>,
}

impl Caller {
    /// A caller who sent no token.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { subject: Subject::Anonymous, roles: BTreeSet::new(), scopes: Scopes::default(), session: None }
    }

    /// The user's id, where the caller is a user.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self.subject {
            Subject::User(id) => Some(id),
            _ => None,
        }
    }

    /// Whether the caller carries the role.
    #[must_use]
    pub fn has(&self, role: &Role) -> bool {
        self.roles.contains(role)
    }

    /// Whether scopes limit what the token may be used for: of people only a token that carries some; of a service's account
    /// every token, so that one without scopes is good for nothing. The gateway itself is limited by no scope.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        let account = matches!(&self.subject, Subject::Service(name) if name != GATEWAY);
        account || !self.scopes.is_empty()
    }

    /// Whether the token may be used for what needs this scope.
    #[must_use]
    pub fn may(&self, scope: &Scope) -> bool {
        !self.is_limited() || self.scopes.contains(scope)
    }

    /// Whether the caller may administer users.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.has(&Role::ADMIN)
    }

    /// Whether somebody is signed in.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        self.subject != Subject::Anonymous
    }
}

/// The caller as an extractor of poem-openapi operations.
#[derive(Debug, Clone)]
pub struct CallerOf(pub Arc<Caller>);

impl<'a> FromRequest<'a> for CallerOf {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        match request.extensions().get::<Arc<Caller>>() {
            Some(caller) => Ok(Self(Arc::clone(caller))),
            None => Err(Problem::missing_credentials().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_survives_its_claim() {
        for subject in [
            Subject::Anonymous,
            Subject::Operator,
            Subject::User(UserId(7)),
            Subject::Service("orders".into()),
            Subject::External { issuer: "corp".into(), subject: "auth0|a:b".into() },
        ] {
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
    }

    #[test]
    fn people_without_scopes_are_not_limited_and_accounts_of_services_always_are() {
        let read = Scope::named("users:read");
        let may = |subject: Subject, scopes: &str| {
            Caller { subject, scopes: scopes.parse().unwrap(), ..Caller::anonymous() }.may(&read)
        };
        assert!(may(Subject::User(UserId(7)), "") && may(Subject::Operator, ""));
        assert!(may(Subject::User(UserId(7)), "users:read") && !may(Subject::User(UserId(7)), "users:write"));
        assert!(!may(Subject::Operator, "users:write"));
        let orders = || Subject::Service("orders".into());
        assert!(may(orders(), "users:read users:write") && !may(orders(), "users:write"));
        assert!(!may(orders(), ""));
        assert!(may(Subject::Service(GATEWAY.into()), ""));
    }

    #[test]
    fn only_the_plain_spelling_of_a_number_is_a_user() {
        for text in [
            "",
            "0",
            "-1",
            "07",
            "+7",
            "7 ",
            "a@example.com",
            "service:",
            "external:",
            "external:corp",
            "external:corp:",
            "external::7",
        ] {
            assert_eq!(text.parse::<Subject>(), Err(NotASubject), "{text:?}");
        }
    }
}
