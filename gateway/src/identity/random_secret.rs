//! Secrets that are made here and given out: 256 random bits, kept as a hash alone. No guess finds one, so a plain hash keeps it.

use aws_lc_rs::{digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

/// The system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes")]
pub(crate) struct NoRandomness;

/// A new secret, after a prefix by which secret scanners know it.
pub(crate) fn with_prefix(prefix: &str) -> Result<SecretString, NoRandomness> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
}

/// What is kept of a secret (SHA-256).
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, secret.as_bytes()).as_ref().to_vec()
}
