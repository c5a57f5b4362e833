//! Hashes that other systems made: what form each has, what it may cost, and how a password is held against it.
//!
//! One reader for hashes that are imported and for those in the database: what can't be checked can't be imported, and what is
//! in the database is bounded again, whoever wrote it there.

mod argon2;
mod bcrypt;
mod fields;
mod pbkdf2;
mod scrypt;

use std::{fmt, str::FromStr};

use subtle::ConstantTimeEq;

use super::PasswordHash;

/// The longest hash, as text: many times what any known library writes.
const LONGEST: usize = 1024;

/// The most memory that checking one hash may take, in KiB.
pub(super) const MOST_MEMORY_KIB: u64 = 1024 * 1024;

/// The most memory that checking one hash may pass over in all, in KiB: a few seconds on the machines of today.
pub(super) const MOST_WORK_KIB: u64 = 4 * MOST_MEMORY_KIB;

/// A password's hash in one of the forms that can be checked. `Debug` shows its scheme alone.
#[derive(Clone)]
pub struct ImportedHash {
    text: String,
    scheme: Scheme,
}

#[derive(Clone)]
enum Scheme {
    Argon2(argon2::Argon2Hash),
    Bcrypt(bcrypt::BcryptHash),
    Pbkdf2Sha256(pbkdf2::Pbkdf2Hash),
    Scrypt(scrypt::ScryptHash),
}

/// Why a text is no hash that can be imported. No text of it repeats any part of a salt or a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportFault {
    /// Nothing is there.
    #[error("is empty")]
    Empty,
    /// Longer than any hash.
    #[error("has more than {LONGEST} bytes")]
    TooLong,
    /// Django's mark of an account whose password was taken away.
    #[error("is no hash but Django's mark of an unusable password: leave it out")]
    Unusable,
    /// None of the schemes.
    #[error("is of no scheme that can be checked: argon2id, argon2i, bcrypt, pbkdf2-sha256, scrypt")]
    UnknownScheme,
    /// The scheme is known; a part of the text is not as it writes it.
    #[error("is no {scheme} hash: {part} {fault}")]
    Malformed {
        /// The scheme.
        scheme: &'static str,
        /// Which part of the text.
        part: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The parts are right, and what they ask for is not.
    #[error("is a {scheme} hash whose {part} must be {least} to {most}")]
    OutOfBounds {
        /// The scheme.
        scheme: &'static str,
        /// Which parameter.
        part: &'static str,
        /// The least that is taken.
        least: u64,
        /// The most that is taken.
        most: u64,
    },
    /// Each parameter is in bounds, and together they ask for too much.
    #[error("is a {scheme} hash that costs too much to check: more than {most_kib} KiB of {of}")]
    TooCostly {
        /// The scheme.
        scheme: &'static str,
        /// The most, in KiB.
        most_kib: u64,
        /// Memory at once, or memory passed over in all.
        of: &'static str,
    },
}

impl FromStr for ImportedHash {
    type Err = ImportFault;

    fn from_str(text: &str) -> Result<Self, ImportFault> {
        if text.is_empty() {
            return Err(ImportFault::Empty);
        }
        if text.len() > LONGEST {
            return Err(ImportFault::TooLong);
        }
        if text.starts_with('!') {
            return Err(ImportFault::Unusable);
        }
        // Django writes the name of its hasher before what the library wrote.
        let django = |hasher, own| text.strip_prefix(hasher).filter(|rest| rest.starts_with(own));
        let written = django("argon2", "$argon2").or_else(|| django("bcrypt$", "$2")).unwrap_or(text);
        let (first, rest) = match written.strip_prefix('$') {
            Some(inner) => inner.split_once('$').unwrap_or((inner, "")),
            // Django's own forms begin without a dollar sign.
            None => match written.split_once('$') {
                Some(("pbkdf2_sha256", rest)) => ("pbkdf2_sha256", rest),
                Some(("scrypt", rest)) => ("django-scrypt", rest),
                _ => return Err(ImportFault::UnknownScheme),
            },
        };
        let scheme = match first {
            "argon2id" | "argon2i" => Scheme::Argon2(argon2::read(first, rest)?),
            "2a" | "2b" | "2y" => Scheme::Bcrypt(bcrypt::read(rest)?),
            "pbkdf2_sha256" => Scheme::Pbkdf2Sha256(pbkdf2::read_django(rest)?),
            "pbkdf2-sha256" => Scheme::Pbkdf2Sha256(pbkdf2::read_passlib(rest)?),
            "scrypt" => Scheme::Scrypt(scrypt::read_phc(rest)?),
            "django-scrypt" => Scheme::Scrypt(scrypt::read_django(rest)?),
            _ => return Err(ImportFault::UnknownScheme),
        };
        Ok(Self { text: text.to_owned(), scheme })
    }
}

impl ImportedHash {
    /// The scheme's name.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match &self.scheme {
            Scheme::Argon2(hash) => hash.name(),
            Scheme::Bcrypt(_) => bcrypt::NAME,
            Scheme::Pbkdf2Sha256(_) => pbkdf2::NAME,
            Scheme::Scrypt(_) => scrypt::NAME,
        }
    }

    /// Whether it is the hash of these bytes. Always does the whole work.
    ///
    /// What holds a NUL matches nothing: bcrypt ends there, and HMAC (in PBKDF2 and scrypt) can't tell NULs at the end from none.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let matched = match &self.scheme {
            Scheme::Argon2(hash) => hash.matches(password),
            Scheme::Bcrypt(hash) => hash.matches(password),
            Scheme::Pbkdf2Sha256(hash) => hash.matches(password),
            Scheme::Scrypt(hash) => hash.matches(password),
        };
        matched && !password.contains(&0)
    }

    /// The memory that Argon2 passes over to check it, in KiB; none for other schemes.
    pub(super) fn argon2_kib(&self) -> u64 {
        match &self.scheme {
            Scheme::Argon2(hash) => hash.work_kib(),
            Scheme::Bcrypt(_) | Scheme::Pbkdf2Sha256(_) | Scheme::Scrypt(_) => 0,
        }
    }

    /// Whether it is an Argon2id hash of this cost at least.
    pub(super) fn is_argon2id_of(&self, memory_kib: u32, iterations: u32) -> bool {
        matches!(&self.scheme, Scheme::Argon2(hash) if hash.is_current(memory_kib, iterations))
    }
}

impl fmt::Debug for ImportedHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ImportedHash").field(&self.scheme()).finish()
    }
}

impl From<ImportedHash> for PasswordHash {
    fn from(hash: ImportedHash) -> Self {
        Self::from(hash.text)
    }
}

/// Compares in a time that depends on the lengths alone.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests;
