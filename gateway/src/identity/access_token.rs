//! Access tokens (RFC 9068): signed with Ed25519, good for minutes, checked for every claim.

use std::{collections::BTreeSet, time::Duration};

use contract::{Caller, Role, Scopes, SessionId, Subject, Timestamp, caller::GATEWAY};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::keys::{SigningFault, SigningKey};

/// The header's `typ`.
pub(crate) const KIND: &str = "at+jwt";

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccessClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: Audience,
    pub(crate) exp: i64,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    /// A version 7 UUID: it also says, to the millisecond, when the token was issued, which `iat` in seconds can't.
    pub(crate) jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<SessionId>,
    /// When the user signed in, in seconds since 1970 (RFC 9068 §2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth_time: Option<i64>,
    /// How whoever it stands for has proved it (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) amr: Vec<String>,
    pub(crate) roles: BTreeSet<Role>,
    #[serde(default, skip_serializing_if = "Scopes::is_empty")]
    pub(crate) scope: Scopes,
    /// The account that got the token for itself (RFC 9068 §2.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    /// The secret that it got the token with: when that is revoked, the token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret_id: Option<i64>,
}

/// One audience or several (RFC 7519 §4.1.3).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Several(Vec<String>),
}

/// For whom, by whom, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Grant<'g> {
    pub(crate) issuer: &'g str,
    pub(crate) audience: &'g str,
    pub(crate) subject: &'g Subject,
    pub(crate) session: Option<&'g SessionId>,
    /// When the subject signed in.
    pub(crate) signed_in_at: Option<Timestamp>,
    /// How the subject has proved who it is (RFC 8176 §2).
    pub(crate) methods: &'g [&'static str],
    pub(crate) roles: &'g BTreeSet<Role>,
    /// Empty for people: their roles alone bind them.
    pub(crate) scopes: &'g Scopes,
    /// The secret of a service account that asks for it.
    pub(crate) secret: Option<i64>,
    pub(crate) lifetime: Duration,
}

/// Signs a token.
pub(crate) fn issue(
    key: &SigningKey,
    grant: &Grant<'_>,
    now: Timestamp,
) -> Result<SecretString, SigningFault> {
    let claims = AccessClaims {
        iss: grant.issuer.to_owned(),
        sub: grant.subject.to_string(),
        aud: Audience::One(grant.audience.to_owned()),
        exp: (now + grant.lifetime).seconds(),
        iat: now.seconds(),
        nbf: now.seconds(),
        jti: named(now),
        sid: grant.session.cloned(),
        auth_time: grant.signed_in_at.map(Timestamp::seconds),
        amr: grant.methods.iter().map(|method| (*method).to_owned()).collect(),
        roles: grant.roles.clone(),
        scope: grant.scopes.clone(),
        client_id: match grant.subject {
            Subject::Service(name) => Some(name.clone()),
            _ => None,
        },
        client_secret_id: grant.secret,
    };
    key.sign(KIND, &claims)
}

/// A token's name, which says when it was issued: as of the moment at which its bearer was found good, not the one at which it is signed.
fn named(now: Timestamp) -> String {
    let at = now.date_time();
    let seconds = u64::try_from(at.unix_timestamp()).unwrap_or_default();
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, at.nanosecond())).to_string()
}

impl AccessClaims {
    /// When the token was issued, in milliseconds since 1970; `None` for a `jti` that is not ours.
    pub(crate) fn issued_milliseconds(&self) -> Option<i64> {
        let id = uuid::Uuid::parse_str(&self.jti).ok()?;
        let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
        i64::try_from(seconds).ok()?.checked_mul(1_000)?.checked_add(i64::from(nanoseconds / 1_000_000))
    }

    /// The caller the token stands for; `None` where its subject or session can't be.
    pub(crate) fn caller(&self) -> Option<Caller> {
        let subject: Subject = self.sub.parse().ok()?;
        let fits = match subject {
            Subject::User(_) => self.sid.is_some(),
            Subject::Operator => true,
            // The gateway calls services, never itself.
            Subject::Service(ref name) => name != GATEWAY,
            Subject::Anonymous | Subject::External { .. } => false,
        };
        fits.then(|| Caller {
            subject,
            roles: self.roles.clone(),
            scopes: self.scope.clone(),
            session: self.sid.clone(),
        })
    }
}
