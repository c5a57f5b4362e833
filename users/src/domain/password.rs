//! Passwords: which are good enough, how they are hashed and checked, and at what cost to everybody else.

mod policy;
mod pool;
mod scheme;

use std::fmt;

use contract::Secret;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

pub use self::{
    policy::{Owner, Policy},
    pool::Pool,
    scheme::{Argon2Cost, CostError},
};
use super::error::UsersError;

/// The longest password, in bytes as sent: long enough for any passphrase, short enough to cost nothing to read.
pub const LONGEST_PASSWORD: usize = 1024;

/// A password's hash, as kept: a PHC string. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct PasswordHash(SecretString);

impl PasswordHash {
    /// The hash as the store keeps it. Every use is a place to review.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for PasswordHash {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl PartialEq for PasswordHash {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for PasswordHash {}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// What came of checking a password.
#[derive(Debug)]
pub enum Verdict {
    /// It is not this password.
    Wrong,
    /// It is, and its hash is as strong as the settings want.
    Right,
    /// It is, and this hash of it should take the place of the old one.
    RightAndRehashed(PasswordHash),
}

/// Checks and hashes passwords, never more at once than the settings allow.
#[derive(Debug, Clone)]
pub struct Passwords {
    policy: Policy,
    cost: Argon2Cost,
    pool: Pool,
}

impl Passwords {
    /// With this policy and cost, on this pool.
    #[must_use]
    pub fn new(policy: Policy, cost: Argon2Cost, pool: Pool) -> Self {
        Self { policy, cost, pool }
    }

    /// Hashes a new password of `owner`, if it is good enough.
    ///
    /// # Errors
    /// [`UsersError::Invalid`] with the reason; [`UsersError::Busy`].
    pub async fn hash(&self, password: &Secret, owner: Owner) -> Result<PasswordHash, UsersError> {
        let password = self.policy.check_form(password)?;
        let cost = self.cost;
        self.pool
            .run(move || {
                // The estimate costs as much as a hash on a long password: it belongs on the pool too.
                Policy::check_strength(&password, &owner)?;
                cost.hash(password.expose_secret().as_bytes())
            })
            .await?
    }

    /// Checks a password against a hash, or, where there is none, spends the same time on nothing.
    ///
    /// # Errors
    /// [`UsersError::Invalid`] for a password that is too long; [`UsersError::Busy`].
    pub async fn verify(
        &self,
        password: &Secret,
        hash: Option<&PasswordHash>,
    ) -> Result<Verdict, UsersError> {
        policy::check_length(password)?;
        let as_sent = SecretString::from(password.expose());
        let hash = hash.cloned();
        let cost = self.cost;
        self.pool
            .run(move || {
                let normal = normalised(as_sent.expose_secret());
                let Some(hash) = hash else {
                    cost.spend(normal.expose_secret().as_bytes());
                    return Ok(Verdict::Wrong);
                };
                let verified = scheme::verify(&hash, as_sent.expose_secret(), normal.expose_secret());
                if !verified {
                    return Ok(Verdict::Wrong);
                }
                if cost.is_met_by(&hash) {
                    return Ok(Verdict::Right);
                }
                cost.hash(normal.expose_secret().as_bytes()).map(Verdict::RightAndRehashed)
            })
            .await?
    }
}

/// NFC, never NFKC: composed and decomposed letters are the same password, full-width ones are not.
fn normalised(password: &str) -> SecretString {
    password.nfc().collect::<String>().into()
}

#[cfg(test)]
mod tests;
