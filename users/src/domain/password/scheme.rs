//! How hashes are made, and how each scheme found in the database is checked.
//!
//! The scheme stands in the PHC string's first field. A further scheme is one more arm of [`verify`].

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash as PhcString,
};

use super::PasswordHash;
use crate::domain::error::UsersError;

/// The most that a stored hash may cost, so that an imported one can't stop the service.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_ITERATIONS: u32 = 64;
const MOST_PARALLELISM: u32 = 16;

/// What one Argon2id hash costs. OWASP's figures are the least that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
}

/// A cost out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// Below what OWASP asks for.
    #[error("below the least that is safe: 19456 KiB, 2 iterations, parallelism 1")]
    TooLow,
    /// More than this service ever spends on one hash.
    #[error("more than 1 GiB, 64 iterations or parallelism 16")]
    TooHigh,
}

impl Default for Argon2Cost {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

impl Argon2Cost {
    /// A cost: memory in KiB, iterations, lanes.
    ///
    /// # Errors
    /// [`CostError`].
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, CostError> {
        let least = Self::default();
        if memory_kib < least.memory_kib || iterations < least.iterations || parallelism < least.parallelism {
            return Err(CostError::TooLow);
        }
        if memory_kib > MOST_MEMORY_KIB || iterations > MOST_ITERATIONS || parallelism > MOST_PARALLELISM {
            return Err(CostError::TooHigh);
        }
        Ok(Self { memory_kib, iterations, parallelism })
    }

    fn argon2(self) -> Result<Argon2<'static>, argon2::Error> {
        let params = Params::new(self.memory_kib, self.iterations, self.parallelism, None)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    pub(super) fn hash(self, password: &[u8]) -> Result<PasswordHash, UsersError> {
        let failed = |error: &dyn std::fmt::Display| {
            UsersError::Failed(format!("the password can't be hashed: {error}"))
        };
        let argon2 = self.argon2().map_err(|error| failed(&error))?;
        let hash: PhcString = argon2.hash_password(password).map_err(|error| failed(&error))?;
        Ok(PasswordHash::from(hash.to_string()))
    }

    /// Takes as long as checking a password does.
    pub(super) fn spend(self, password: &[u8]) {
        if let Ok(argon2) = self.argon2() {
            let mut nobody = [0; Params::DEFAULT_OUTPUT_LEN];
            let _ = argon2.hash_password_into(password, b"nobody's salt..", &mut nobody);
            std::hint::black_box(nobody);
        }
    }

    /// Whether the hash is of the scheme and at least the cost that a new one would be.
    pub(super) fn is_met_by(self, hash: &PasswordHash) -> bool {
        let Ok(hash) = PhcString::new(hash.expose()) else { return false };
        let Ok(params) = Params::try_from(&hash) else { return false };
        hash.algorithm.as_str() == "argon2id"
            && hash.version == Some(Version::V0x13.into())
            && params.m_cost() >= self.memory_kib
            && params.t_cost() >= self.iterations
    }
}

/// Whether the hash is that of the password. A hash of ours is of the normal form; one that was imported may be of the bytes
/// as they were sent.
pub(super) fn verify(hash: &PasswordHash, as_sent: &str, normal: &str) -> bool {
    let scheme = hash.expose().split('$').nth(1).unwrap_or_default();
    match scheme {
        "argon2id" | "argon2i" => {
            argon2_verifies(hash, normal) || (as_sent != normal && argon2_verifies(hash, as_sent))
        }
        _ => false,
    }
}

fn argon2_verifies(hash: &PasswordHash, password: &str) -> bool {
    let Ok(hash) = PhcString::new(hash.expose()) else { return false };
    let bounded = Params::try_from(&hash).is_ok_and(|params| {
        params.m_cost() <= MOST_MEMORY_KIB
            && params.t_cost() <= MOST_ITERATIONS
            && params.p_cost() <= MOST_PARALLELISM
    });
    bounded && Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}
