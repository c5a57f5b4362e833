//! The second factor: codes of a generator (TOTP, RFC 6238), and recovery codes for whoever has lost it.
//!
//! Whoever signs in with a password and has a second factor shows a code beside it. A code is good once, also when many show it at
//! the same time; a wrong one counts as a failed attempt to sign in. Secrets are sealed under the master key, recovery codes
//! (80 random bits each) kept as hashes.

use std::collections::BTreeSet;

use aws_lc_rs::rand;
use contract::{
    Problem, ProblemKind, Role, Secret, Timestamp, UserId,
    users::{Identity, User},
};
use kit::database::{Database, DatabaseError};
use secrecy::{ExposeSecret, SecretString};
use totp_rs::{Builder, Totp};

use super::{
    master_key::{MasterKey, SealBroken},
    random_secret::{NoRandomness, hash},
};
use crate::store::second_factors;

/// Seconds a code lasts; those of the step before and after are taken too (RFC 6238 §5.2).
const STEP: u64 = 30;

/// Bytes of a generator's secret (RFC 4226 §4).
const SECRET: usize = 20;

/// Recovery codes given out at once.
const CODES: usize = 10;

/// Letters and digits of a recovery code (Crockford's base 32): 5 bits each.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a recovery code, without its dashes.
const CODE: usize = 16;

/// A second factor can't be made or checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FactorFault {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Seal(#[from] SealBroken),
    #[error("a code generator can't be made: {0}")]
    Generator(#[from] totp_rs::TotpError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl From<FactorFault> for Problem {
    fn from(fault: FactorFault) -> Self {
        match fault {
            FactorFault::Database(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

/// A secret to be put into a generator.
pub(crate) struct Proposed {
    /// In base 32, to be typed.
    pub(crate) secret: SecretString,
    /// `otpauth://…`, to be shown as a QR code.
    pub(crate) url: SecretString,
}

/// How a user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) enabled: bool,
    pub(crate) required: bool,
    pub(crate) recovery_codes_left: u64,
}

/// Makes and checks second factors.
pub(crate) struct SecondFactors {
    pub(crate) database: Database,
    pub(crate) master_key: MasterKey,
    /// Who has one of these roles gets no token without a second factor.
    pub(crate) required_of: BTreeSet<Role>,
    /// How generators call this platform.
    pub(crate) platform: String,
}

impl SecondFactors {
    /// Whether this user gets no token without one.
    pub(crate) fn is_required_of(&self, user: &User) -> bool {
        user.roles.iter().any(|role| self.required_of.contains(role))
    }

    /// How a user stands.
    pub(crate) async fn standing(&self, user: &User) -> Result<Standing, FactorFault> {
        Ok(Standing {
            enabled: self.active(user.id).await?.is_some(),
            required: self.is_required_of(user),
            recovery_codes_left: second_factors::codes_left(&self.database, user.id).await?,
        })
    }

    /// Whether a user whose password was right may have tokens, and whether a second factor was shown.
    ///
    /// # Errors
    /// 403 where a code, or a second factor at all, is missing; 400 for a wrong code.
    pub(crate) async fn check(&self, identity: &Identity, code: Option<&Secret>) -> Result<bool, Problem> {
        let user = &identity.user;
        match (self.active(user.id).await?, code) {
            (Some(totp), Some(code)) => {
                if self.take(&totp, user.id, code).await? {
                    Ok(true)
                } else {
                    Err(Problem::new(ProblemKind::Refused, "Incorrect code"))
                }
            }
            (Some(_), None) => Err(Problem::new(
                ProblemKind::SecondFactorRequired,
                "A code of the second factor is needed: send it as `code`",
            )),
            (None, _) if self.is_required_of(user) => Err(Problem::new(
                ProblemKind::SecondFactorEnrolmentRequired,
                "Set up a second factor first: POST /api_v1/auth/second-factor",
            )),
            (None, _) => Ok(false),
        }
    }

    /// A new secret for a user's generator. It asks for nothing until [`Self::confirm`].
    pub(crate) async fn propose(&self, user: &User) -> Result<Proposed, FactorFault> {
        let mut bytes = vec![0; SECRET];
        rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        let totp = self.generator(&bytes, Some(user))?;
        let sealed = self.master_key.seal(&context(user.id), &bytes)?;
        second_factors::propose(&self.database, user.id, sealed, kit::clock::now()).await?;
        Ok(Proposed { secret: totp.secret().to_base32().into(), url: totp.to_url()?.into() })
    }

    /// Takes the proposed secret into use, if this is a code of it; the recovery codes.
    pub(crate) async fn confirm(
        &self,
        user: UserId,
        code: &Secret,
    ) -> Result<Option<Vec<SecretString>>, FactorFault> {
        let Some(factor) = second_factors::find(&self.database, user).await? else { return Ok(None) };
        let Some(sealed) = factor.pending_sealed else { return Ok(None) };
        let secret = self.master_key.open(&context(user), &sealed)?;
        let now = kit::clock::now();
        let Some(step) = step(&self.generator(secret.expose_secret(), None)?, code, now) else {
            return Ok(None);
        };
        let (codes, hashes) = recovery_codes()?;
        let activated = second_factors::activate(&self.database, user, &sealed, step, hashes, now).await?;
        Ok(activated.then_some(codes))
    }

    /// New recovery codes; the old are void.
    pub(crate) async fn new_codes(&self, user: UserId) -> Result<Vec<SecretString>, FactorFault> {
        let (codes, hashes) = recovery_codes()?;
        second_factors::replace_codes(&self.database, user, hashes).await?;
        Ok(codes)
    }

    /// Takes a user's second factor away; `false` where there was none.
    pub(crate) async fn remove(&self, user: UserId) -> Result<bool, FactorFault> {
        Ok(second_factors::remove(&self.database, user).await?)
    }

    async fn active(&self, user: UserId) -> Result<Option<Totp>, FactorFault> {
        let factor = second_factors::find(&self.database, user).await?;
        let Some(sealed) = factor.and_then(|factor| factor.active_sealed) else { return Ok(None) };
        let secret = self.master_key.open(&context(user), &sealed)?;
        self.generator(secret.expose_secret(), None).map(Some)
    }

    async fn take(&self, totp: &Totp, user: UserId, code: &Secret) -> Result<bool, FactorFault> {
        let now = kit::clock::now();
        if let Some(step) = step(totp, code, now) {
            return Ok(second_factors::take_step(&self.database, user, step).await?);
        }
        match normal(code.expose()) {
            Some(code) => Ok(second_factors::take_code(&self.database, user, &hash(&code), now).await?),
            None => Ok(false),
        }
    }

    fn generator(&self, secret: &[u8], user: Option<&User>) -> Result<Totp, FactorFault> {
        // Generators take a colon for the end of the name.
        let account = user.map_or("user", |user| user.email.as_written()).replace(':', " ");
        Ok(Builder::new()
            .with_secret(secret.to_vec())
            .with_skew(1)
            .with_step_duration(STEP)
            .with_account_name(account)
            .with_issuer(Some(self.platform.replace(':', " ")))
            .build()?)
    }
}

/// A secret opens only for the user it was sealed for.
fn context(user: UserId) -> String {
    format!("second-factor:{user}")
}

/// The time step of a right code.
fn step(totp: &Totp, code: &Secret, now: Timestamp) -> Option<i64> {
    let digits: String = code.expose().chars().filter(|character| !character.is_whitespace()).collect();
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let counter = totp.check(&digits, u64::try_from(now.seconds()).ok()?)?;
    i64::try_from(counter).ok()
}

fn recovery_codes() -> Result<(Vec<SecretString>, Vec<Vec<u8>>), FactorFault> {
    let (mut codes, mut hashes) = (Vec::new(), Vec::new());
    for _ in 0..CODES {
        let mut bytes = [0; CODE];
        rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        let text: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
        hashes.push(hash(&text));
        let groups: Vec<&str> = (0..CODE).step_by(4).map(|start| &text[start..start + 4]).collect();
        codes.push(groups.join("-").into());
    }
    Ok((codes, hashes))
}

/// A recovery code as it was given out, however it was typed.
fn normal(code: &str) -> Option<String> {
    let text: String = code
        .chars()
        .filter(|character| !character.is_whitespace() && *character != '-')
        .map(|character| character.to_ascii_lowercase())
        .collect();
    (text.len() == CODE).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_all_different_and_found_however_they_are_typed() {
        let (codes, hashes) = recovery_codes().unwrap();
        let distinct: BTreeSet<&str> = codes.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!((distinct.len(), hashes.len()), (CODES, CODES));
        let first = codes[0].expose_secret();
        for typed in [first.to_owned(), first.to_uppercase(), first.replace('-', " "), format!(" {first}\n")]
        {
            assert_eq!(hash(&normal(&typed).unwrap()), hashes[0]);
        }
        assert!(normal("123456").is_none() && normal("").is_none());
    }
}
