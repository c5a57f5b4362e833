//! What a token is worth at this moment (RFC 7662): not what it says alone, but also whether its user, account and session still stand.

use std::sync::Arc;

use contract::{Problem, ProblemKind, Subject};
use kit::request_id::RequestId;

use super::{
    access_token::{AccessClaims, Audience},
    authenticate::Authenticator,
    refresh_token,
    rotation::Decision,
    service_accounts::{AccountFault, ServiceAccounts},
    sessions::{SessionFault, Sessions},
};
use crate::{store::sessions::StoredSession, upstream::UsersClient};

/// Looks at tokens, and changes nothing.
pub(crate) struct Introspection {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) accounts: Arc<ServiceAccounts>,
    pub(crate) users: Arc<UsersClient>,
}

/// A token that is good now.
pub(crate) enum Good {
    /// An access token, by what it says.
    Access(Box<AccessClaims>),
    /// A refresh token, by its session; it ends at this second.
    Refresh(StoredSession, i64),
}

impl Introspection {
    /// What the token is, if it is good now.
    ///
    /// # Errors
    /// 502, 503 or 504 where that can't be known.
    pub(crate) async fn look_at(&self, token: &str, request_id: &RequestId) -> Result<Option<Good>, Problem> {
        match refresh_token::parse(token) {
            Some(presented) => {
                let session = match self.sessions.of_token(&presented).await {
                    Ok(session) => session,
                    Err(SessionFault::Ended) => return Ok(None),
                    Err(fault) => return Err(fault.into()),
                };
                // One that would be taken for theft is not good; to be asked about it ends nothing.
                let replayed = session.rotation.judge(presented.generation, kit::clock::now());
                if matches!(replayed, Decision::Theft) || !self.user_stands(&session, request_id).await? {
                    return Ok(None);
                }
                let expires = session.expires_at.min(session.absolute_expires_at).div_euclid(1_000_000);
                Ok(Some(Good::Refresh(session, expires)))
            }
            None => self.access(token, request_id).await,
        }
    }

    async fn access(&self, token: &str, request_id: &RequestId) -> Result<Option<Good>, Problem> {
        let claims = match self.authenticator.examine(token) {
            Ok(claims) => claims,
            Err(problem) if problem.kind == ProblemKind::InvalidToken => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let stands = match claims.sub.parse() {
            Ok(Subject::Operator) => true,
            Ok(Subject::User(_)) => match &claims.sid {
                Some(session) => match self.sessions.live(session).await? {
                    Some(session) => self.user_stands(&session, request_id).await?,
                    None => false,
                },
                None => false,
            },
            Ok(Subject::Service(name)) => self.account_stands(&name).await?,
            _ => false,
        };
        Ok(stands.then(|| Good::Access(Box::new(claims))))
    }

    async fn user_stands(&self, session: &StoredSession, request_id: &RequestId) -> Result<bool, Problem> {
        let identity = self.users.identify(session.user, request_id).await?;
        Ok(identity.is_some_and(|now| now.user.is_active && now.epoch == session.epoch))
    }

    async fn account_stands(&self, name: &str) -> Result<bool, Problem> {
        let Ok(name) = name.parse() else { return Ok(false) };
        match self.accounts.find(&name).await {
            Ok((account, _)) => Ok(account.disabled_at.is_none()),
            Err(AccountFault::Unknown) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// The audiences of a token, separated by spaces.
pub(crate) fn audiences(audience: &Audience) -> String {
    match audience {
        Audience::One(one) => one.clone(),
        Audience::Several(all) => all.join(" "),
    }
}
