//! Passwords: which are good enough, how they are hashed and checked, and at what cost to everybody else.

mod blocks;
mod imported;
mod policy;
mod pool;
mod scheme;

use std::fmt;

use contract::Secret;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use self::scheme::Hashing;
pub use self::{
    imported::{ImportFault, ImportedHash},
    policy::{Owner, Policy},
    pool::Pool,
    scheme::{Argon2Cost, CostError, Work},
};
use super::error::UsersError;

/// The longest password, in bytes as sent: long enough for any passphrase, short enough to cost nothing to read.
pub const LONGEST_PASSWORD: usize = 1024;

/// A password's hash, as kept: a PHC string of ours, or what another system wrote until its user signs in for the first
/// time. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct PasswordHash(SecretString);

impl PasswordHash {
    /// Where there is no password: nothing matches it.
    #[must_use]
    pub fn none() -> Self {
        Self::from(String::new())
    }

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
    hashing: Hashing,
    pool: Pool,
}

impl Passwords {
    /// With this policy and cost, on this pool.
    #[must_use]
    pub fn new(policy: Policy, cost: Argon2Cost, pool: Pool) -> Self {
        Self { policy, hashing: Hashing::new(cost), pool }
    }

    /// What hashing has cost since the start.
    #[must_use]
    pub fn work(&self) -> Work {
        self.hashing.work()
    }

    /// Hashes a new password of `owner`, if it is good enough.
    ///
    /// # Errors
    /// [`UsersError::Invalid`] with the reason; [`UsersError::Busy`].
    pub async fn hash(&self, password: &Secret, owner: Owner) -> Result<PasswordHash, UsersError> {
        let password = self.policy.check_form(password)?;
        let hashing = self.hashing.clone();
        self.pool
            .run(move || {
                // The estimate costs as much as a hash on a long password: it belongs on the pool too.
                Policy::check_strength(&password, &owner)?;
                hashing.hash(password.expose_secret().as_bytes())
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
        let hashing = self.hashing.clone();
        self.pool
            .run(move || {
                let normal = normalised(as_sent.expose_secret());
                match hashing.verify(hash.as_ref(), as_sent.expose_secret(), normal.expose_secret()) {
                    None => Ok(Verdict::Wrong),
                    Some(hash) if hashing.is_met_by(&hash) => Ok(Verdict::Right),
                    Some(_) => hashing.hash(normal.expose_secret().as_bytes()).map(Verdict::RightAndRehashed),
                }
            })
            .await?
    }
}

/// NFC, never NFKC: composed and decomposed letters are the same password, full-width ones are not.
fn normalised(password: &str) -> SecretString {
    password.nfc().collect::<String>().into()
}

/// Whether two texts are one password.
#[must_use]
pub fn is_same_password(one: &Secret, other: &Secret) -> bool {
    normalised(one.expose()).expose_secret() == normalised(other.expose()).expose_secret()
}

#[cfg(test)]
mod tests;
