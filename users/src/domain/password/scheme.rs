//! How our own hashes are made, and the one place where passwords are held against hashes: what is done is counted there.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::phc::PasswordHash as PhcString,
};

use super::{
    PasswordHash,
    blocks::with_blocks,
    imported::{ImportedHash, MOST_WORK_KIB},
};
use crate::domain::error::UsersError;

/// The most that one hash may cost: what is made must be within what is checked.
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
    #[error("more than 1 GiB, 64 iterations, 4 GiB times iterations, or parallelism 16")]
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
        if memory_kib > MOST_MEMORY_KIB
            || iterations > MOST_ITERATIONS
            || parallelism > MOST_PARALLELISM
            || u64::from(memory_kib) * u64::from(iterations) > MOST_WORK_KIB
        {
            return Err(CostError::TooHigh);
        }
        Ok(Self { memory_kib, iterations, parallelism })
    }

    fn work_kib(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.iterations)
    }

    fn argon2(self) -> Result<Argon2<'static>, argon2::Error> {
        let params = Params::new(self.memory_kib, self.iterations, self.parallelism, None)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    fn hash(self, password: &[u8]) -> Result<PasswordHash, UsersError> {
        let failed = |error: &dyn std::fmt::Display| {
            UsersError::Failed(format!("the password can't be hashed: {error}"))
        };
        let argon2 = self.argon2().map_err(|error| failed(&error))?;
        let hash: PhcString = argon2.hash_password(password).map_err(|error| failed(&error))?;
        Ok(PasswordHash::from(hash.to_string()))
    }

    /// Takes as long as checking a password does.
    fn spend(self, password: &[u8]) {
        if let Ok(argon2) = self.argon2() {
            let mut nobody = [0; Params::DEFAULT_OUTPUT_LEN];
            let _ = with_blocks(argon2.params(), |blocks| {
                argon2.hash_password_into_with_memory(password, b"nobody's salt..", &mut nobody, blocks)
            });
            std::hint::black_box(nobody);
        }
    }
}

/// What hashing has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Hashes computed, those of nobody's password too.
    pub hashes: u64,
    /// Memory passed over by Argon2, in KiB.
    pub argon2_kib: u64,
}

/// Computes hashes, and counts them. Blocks: it belongs on the pool.
#[derive(Debug, Clone)]
pub(super) struct Hashing {
    cost: Argon2Cost,
    done: Arc<(AtomicU64, AtomicU64)>,
}

impl Hashing {
    pub(super) fn new(cost: Argon2Cost) -> Self {
        Self { cost, done: Arc::default() }
    }

    pub(super) fn work(&self) -> Work {
        let (hashes, argon2_kib) = &*self.done;
        Work { hashes: hashes.load(Ordering::Relaxed), argon2_kib: argon2_kib.load(Ordering::Relaxed) }
    }

    fn count(&self, argon2_kib: u64) {
        self.done.0.fetch_add(1, Ordering::Relaxed);
        self.done.1.fetch_add(argon2_kib, Ordering::Relaxed);
    }

    /// A new hash of ours.
    pub(super) fn hash(&self, password: &[u8]) -> Result<PasswordHash, UsersError> {
        self.count(self.cost.work_kib());
        self.cost.hash(password)
    }

    /// Whether the hash is that of the password: as it was sent, which is what other systems hashed, or in the normal form,
    /// which is what we do. Where there is no hash, or none that can be read, the same work is done on nothing.
    pub(super) fn verify(
        &self,
        hash: Option<&PasswordHash>,
        as_sent: &str,
        normal: &str,
    ) -> Option<ImportedHash> {
        let hash = hash.and_then(|hash| hash.expose().parse::<ImportedHash>().ok());
        let candidates = [Some(as_sent), (as_sent != normal).then_some(normal)];
        let matched = candidates.into_iter().flatten().any(|password| {
            if let Some(hash) = &hash {
                self.count(hash.argon2_kib());
                hash.matches(password.as_bytes())
            } else {
                self.count(self.cost.work_kib());
                self.cost.spend(password.as_bytes());
                false
            }
        });
        hash.filter(|_| matched)
    }

    /// Whether the hash is of the scheme and at least the cost that a new one would be.
    pub(super) fn is_met_by(&self, hash: &ImportedHash) -> bool {
        hash.is_argon2id_of(self.cost.memory_kib, self.cost.iterations)
    }
}
