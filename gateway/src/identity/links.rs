//! Links that are sent to a user's address: to set a password, to accept an invitation, to prove the address.
//!
//! A link's token is 256 random bits, good once and for a while. The database holds its hash alone, and the address it was sent to
//! sealed under the master key: who reads it can follow no link and knows no address.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{Email, Problem, ProblemKind, Timestamp, UserId};
use kit::database::{Database, DatabaseError};
use secrecy::{ExposeSecret, SecretString};

use super::{
    master_key::{MasterKey, SealBroken},
    random_secret::{self, NoRandomness, hash},
};
use crate::store::one_time_tokens::{self, NewToken};

/// What every token starts with, so that secret scanners know it.
pub(crate) const PREFIX: &str = "plt_";

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Setting a new password.
    ResetPassword,
    /// Setting the first password of an account that an admin made.
    Invitation,
    /// Proving that the address is the user's.
    VerifyAddress,
}

impl Purpose {
    /// Its name: of the stored token, of the template, of the page behind the link.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset-password",
            Self::Invitation => "accept-invitation",
            Self::VerifyAddress => "verify-address",
        }
    }

    /// How long a link is good.
    pub(crate) fn life(self) -> Duration {
        match self {
            Self::ResetPassword => Duration::from_hours(1),
            Self::VerifyAddress => Duration::from_hours(24),
            Self::Invitation => Duration::from_hours(7 * 24),
        }
    }
}

/// A link can't be made or taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkFault {
    #[error("the link is not known, has expired, or was used")]
    Void,
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Seal(#[from] SealBroken),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl From<LinkFault> for Problem {
    fn from(fault: LinkFault) -> Self {
        match fault {
            LinkFault::Void => {
                Self::new(ProblemKind::Refused, "This link is not valid: it has expired, or was used before")
            }
            LinkFault::Database(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

/// A link as it is sent.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) url: SecretString,
    pub(crate) expires_at: Timestamp,
}

/// A token that was taken: whose it is, and where it was sent.
#[derive(Debug)]
pub(crate) struct Taken {
    id: i64,
    pub(crate) user: UserId,
    pub(crate) email: Email,
}

/// Makes and takes links.
#[derive(Clone)]
pub(crate) struct Links {
    pub(crate) database: Database,
    pub(crate) master_key: MasterKey,
    /// What the links start with; the purpose and the token follow.
    pub(crate) base: String,
}

impl Links {
    /// A new link for a user, good for the address alone that it is sent to.
    pub(crate) async fn make(
        &self,
        purpose: Purpose,
        user: UserId,
        email: &Email,
    ) -> Result<Link, LinkFault> {
        let token = random_secret::with_prefix(PREFIX)?;
        let now = kit::clock::now();
        let expires_at = now + purpose.life();
        let hash = hash(token.expose_secret());
        let context = context(&hash);
        let stored = NewToken {
            address_sealed: self.master_key.seal(&context, email.as_written().as_bytes())?,
            hash,
            purpose: purpose.name(),
            user,
            created_at: now,
            expires_at,
        };
        one_time_tokens::add(&self.database, stored).await?;
        // After `#`: a browser sends it to nobody, and no log on the way holds it.
        let url = format!("{}/{}#token={}", self.base, purpose.name(), token.expose_secret());
        Ok(Link { url: url.into(), expires_at })
    }

    /// How many links of a user can be followed now.
    pub(crate) async fn outstanding(&self, purpose: Purpose, user: UserId) -> Result<u64, LinkFault> {
        let now = kit::clock::now();
        Ok(one_time_tokens::outstanding(&self.database, purpose.name(), user, now).await?)
    }

    /// Takes a token: nobody else can use it from now on.
    ///
    /// # Errors
    /// [`LinkFault::Void`].
    pub(crate) async fn take(&self, purposes: &[Purpose], token: &str) -> Result<Taken, LinkFault> {
        if !token.starts_with(PREFIX) || token.len() > 64 {
            return Err(LinkFault::Void);
        }
        let names: Vec<&str> = purposes.iter().map(|purpose| purpose.name()).collect();
        let hash = hash(token);
        let stored = one_time_tokens::take(&self.database, &hash, &names, kit::clock::now()).await?;
        let stored = stored.ok_or(LinkFault::Void)?;
        let address = self.master_key.open(&context(&hash), &stored.address_sealed)?;
        let email = std::str::from_utf8(address.expose_secret()).ok().and_then(|text| text.parse().ok());
        Ok(Taken { id: stored.id, user: stored.user, email: email.ok_or(SealBroken)? })
    }

    /// Gives a token back for which nothing was done: it can be used again.
    pub(crate) async fn give_back(&self, taken: &Taken) -> Result<(), LinkFault> {
        Ok(one_time_tokens::give_back(&self.database, taken.id).await?)
    }
}

/// An address opens only in the row it was sealed for.
fn context(hash: &[u8]) -> String {
    format!("one-time-token:{}", URL_SAFE_NO_PAD.encode(hash))
}
