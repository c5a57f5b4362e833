//! Sessions: begun by a log-in, kept by refreshing, ended for many reasons.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use aws_lc_rs::{hmac, rand};
use contract::{Caller, Problem, Role, SessionId, Subject, Timestamp, UserId, users::Identity};
use kit::database::{Database, DatabaseError};
use secrecy::SecretString;

use super::{
    access_token::{self, Grant},
    keys::{Keys, SigningFault},
    refresh_token::{self, Presented},
    revocation::{MARGIN, Revoked},
    rotation::Decision,
};
use crate::store::{
    one_time_tokens,
    revocations::{self, Revocation},
    sessions::{self, ListedSession, NewSession, StoredSession},
};

/// Why a session ended, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Logout,
    /// The user ended it from another session, or by its id.
    EndedByUser,
    /// An admin ended it.
    EndedByAdmin,
    /// Whoever held one of its tokens revoked it (RFC 7009).
    Revoked,
    /// An old refresh token was presented.
    Theft,
    /// The user was disabled or deleted, or changed the password.
    CredentialsChanged,
    /// A role of the user's has come to ask for a second factor, and none was shown.
    SecondFactorMissing,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::EndedByUser => "ended_by_user",
            Self::EndedByAdmin => "ended_by_admin",
            Self::Revoked => "revoked",
            Self::Theft => "refresh_token_reused",
            Self::CredentialsChanged => "credentials_changed",
            Self::SecondFactorMissing => "second_factor_missing",
        }
    }
}

/// Why tokens are not given out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionFault {
    #[error("the session has ended or never was")]
    Ended,
    #[error("a refresh token was presented again")]
    Reused,
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Signing(#[from] SigningFault),
    #[error("no random bytes")]
    NoRandomness,
}

impl From<SessionFault> for Problem {
    fn from(fault: SessionFault) -> Self {
        match fault {
            SessionFault::Ended => Self::invalid_token("The refresh token is expired, revoked or unknown"),
            SessionFault::Reused => {
                Self::invalid_token("The refresh token was used before; the session has ended")
            }
            SessionFault::Database(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

/// How long things last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    pub(crate) access: Duration,
    pub(crate) sliding: Duration,
    pub(crate) absolute: Duration,
}

/// Where a log-in came from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) device: Option<String>,
    pub(crate) address: String,
}

/// A pair of tokens for a client.
pub(crate) struct Tokens {
    pub(crate) access: SecretString,
    pub(crate) refresh: SecretString,
    /// Life of the access token.
    pub(crate) expires_in: Duration,
}

/// Who proved who they are, and how.
#[derive(Debug, Clone)]
pub(crate) struct Proved {
    pub(crate) identity: Identity,
    /// Beside the password a second factor was shown.
    pub(crate) second_factor: bool,
}

impl AsRef<Self> for Proved {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Begins, keeps and ends sessions.
pub(crate) struct Sessions {
    pub(crate) database: Database,
    pub(crate) keys: Arc<ArcSwap<Keys>>,
    pub(crate) refresh_key: hmac::Key,
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

impl Sessions {
    /// Begins a session for a user who proved who they are.
    pub(crate) async fn begin(&self, proved: &Proved, origin: Origin) -> Result<Tokens, SessionFault> {
        let Proved { identity, second_factor } = proved;
        let now = kit::clock::now();
        let id: SessionId =
            uuid::Uuid::now_v7().to_string().parse().map_err(|_| SessionFault::NoRandomness)?;
        let mut salt = vec![0; refresh_token::SALT];
        rand::fill(&mut salt).map_err(|_| SessionFault::NoRandomness)?;
        let session = NewSession {
            id: id.clone(),
            user: identity.user.id,
            epoch: identity.epoch,
            salt: salt.clone(),
            device: origin.device,
            address: origin.address,
            second_factor: *second_factor,
            created_at: now,
            expires_at: now + self.lifetimes.sliding,
            absolute_expires_at: now + self.lifetimes.absolute,
        };
        sessions::add(&self.database, session).await?;
        self.tokens((&id, &salt, *second_factor, now), 0, identity, now)
    }

    /// The live session of a refresh token that is genuine. What is forged or unknown changes nothing.
    pub(crate) async fn of_token(&self, presented: &Presented) -> Result<StoredSession, SessionFault> {
        let session = sessions::find(&self.database, &presented.session).await?.ok_or(SessionFault::Ended)?;
        if !presented.is_genuine(&self.refresh_key, &session.salt) || !is_live(&session, kit::clock::now()) {
            return Err(SessionFault::Ended);
        }
        Ok(session)
    }

    /// The session of this id, if it has not ended.
    pub(crate) async fn live(&self, id: &SessionId) -> Result<Option<StoredSession>, SessionFault> {
        let session = sessions::find(&self.database, id).await?;
        Ok(session.filter(|session| is_live(session, kit::clock::now())))
    }

    /// New tokens for a genuine refresh token of a live session, whose user still stands as `identity`.
    pub(crate) async fn refresh(
        &self,
        presented: &Presented,
        identity: &Identity,
    ) -> Result<Tokens, SessionFault> {
        let now = kit::clock::now();
        let transaction = self.database.begin_write().await?;
        let session =
            sessions::find_locked(&transaction, &presented.session).await?.ok_or(SessionFault::Ended)?;
        if !is_live(&session, now) {
            return Err(SessionFault::Ended);
        }
        let generation = match session.rotation.judge(presented.generation, now) {
            Decision::Repeat => session.rotation.generation,
            Decision::Rotate(next) => {
                let (from, expires) = (session.rotation.generation, now + self.lifetimes.sliding);
                if !sessions::rotate(&transaction, &session.id, from, &next, now, expires).await? {
                    return Err(SessionFault::Ended);
                }
                next.generation
            }
            Decision::Theft => {
                let row = self.end_within(&transaction, &session.id, Reason::Theft, now).await?;
                transaction.commit().await.map_err(DatabaseError::from)?;
                self.revoked.add(&row);
                tracing::warn!(session = %session.id, user = %session.user, "an old refresh token was presented; the session has ended");
                return Err(SessionFault::Reused);
            }
        };
        transaction.commit().await.map_err(DatabaseError::from)?;
        let signed_in = (&session.id, session.salt.as_slice(), session.second_factor, session.created_at);
        self.tokens(signed_in, generation, identity, now)
    }

    /// A user's live sessions, the last used first.
    pub(crate) async fn of_user(&self, user: UserId) -> Result<Vec<ListedSession>, SessionFault> {
        Ok(sessions::of_user(&self.database, user, kit::clock::now()).await?)
    }

    /// Live sessions of everybody, the newest first, below the id `before`.
    pub(crate) async fn page(
        &self,
        before: Option<&SessionId>,
        limit: u32,
    ) -> Result<Vec<ListedSession>, SessionFault> {
        Ok(sessions::page(&self.database, before, limit, kit::clock::now()).await?)
    }

    /// Ends one session and every token of it.
    pub(crate) async fn end(&self, id: &SessionId, reason: Reason) -> Result<(), SessionFault> {
        let transaction = self.database.begin_write().await?;
        let rows = self.end_within(&transaction, id, reason, kit::clock::now()).await?;
        transaction.commit().await.map_err(DatabaseError::from)?;
        self.revoked.add(&rows);
        Ok(())
    }

    /// Ends every session of a user and every token of it issued until now, and voids the links sent to them.
    pub(crate) async fn end_all(&self, user: UserId) -> Result<(), SessionFault> {
        self.end_all_by(user, Reason::CredentialsChanged).await
    }

    /// The same, for this reason.
    pub(crate) async fn end_all_by(&self, user: UserId, reason: Reason) -> Result<(), SessionFault> {
        let now = kit::clock::now();
        let transaction = self.database.begin_write().await?;
        sessions::end_all(&transaction, user, reason.name(), now).await?;
        one_time_tokens::void_all(&transaction, user).await?;
        let row = self.revoke_user(&transaction, user, now).await?;
        transaction.commit().await.map_err(DatabaseError::from)?;
        self.revoked.add(&[row]);
        Ok(())
    }

    /// Ends a user's access tokens issued until now; the sessions go on, and refresh to what the user may do now.
    pub(crate) async fn end_access_tokens(&self, user: UserId) -> Result<(), SessionFault> {
        let now = kit::clock::now();
        let transaction = self.database.begin_write().await?;
        let row = self.revoke_user(&transaction, user, now).await?;
        transaction.commit().await.map_err(DatabaseError::from)?;
        self.revoked.add(&[row]);
        Ok(())
    }

    async fn end_within(
        &self,
        transaction: &sea_orm::DatabaseTransaction,
        id: &SessionId,
        reason: Reason,
        now: Timestamp,
    ) -> Result<Vec<Revocation>, DatabaseError> {
        sessions::end(transaction, id, reason.name(), now).await?;
        let expires = now + self.lifetimes.access + MARGIN;
        Ok(vec![revocations::add(transaction, "session", id.to_string(), now, expires).await?])
    }

    async fn revoke_user(
        &self,
        transaction: &sea_orm::DatabaseTransaction,
        user: UserId,
        now: Timestamp,
    ) -> Result<Revocation, DatabaseError> {
        let expires = now + self.lifetimes.access + MARGIN;
        revocations::add(transaction, "user", user.to_string(), now, expires).await
    }

    fn tokens(
        &self,
        (id, salt, second_factor, signed_in_at): (&SessionId, &[u8], bool, Timestamp),
        generation: i64,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Tokens, SessionFault> {
        let roles: std::collections::BTreeSet<Role> = identity.user.roles.iter().cloned().collect();
        let grant = Grant {
            issuer: &self.issuer,
            audience: &self.audience,
            subject: &Subject::User(identity.user.id),
            session: Some(id),
            signed_in_at: Some(signed_in_at),
            methods: if second_factor { &["pwd", "otp", "mfa"] } else { &["pwd"] },
            roles: &roles,
            scopes: &contract::Scopes::default(),
            secret: None,
            lifetime: self.lifetimes.access,
        };
        let access = access_token::issue(&self.keys.load().signing, &grant, now)?;
        let refresh =
            refresh_token::make(&self.refresh_key, id, salt, generation).ok_or(SessionFault::Ended)?;
        Ok(Tokens { access, refresh, expires_in: self.lifetimes.access })
    }
}

fn is_live(session: &StoredSession, now: Timestamp) -> bool {
    let now = now.microseconds();
    !session.ended && now < session.expires_at && now < session.absolute_expires_at
}

/// The session a caller is signed in with.
pub(crate) fn own_session(caller: &Caller) -> Result<&SessionId, Problem> {
    caller.session.as_ref().ok_or_else(|| {
        Problem::new(contract::ProblemKind::Forbidden, "This token belongs to no session; it ends by itself")
    })
}
