//! The master key: 32 random bytes from which the keys that seal and prove are derived.

use std::{fmt, str::FromStr};

use aws_lc_rs::{aead, hkdf, hmac, rand};
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretBox};

/// 32 random bytes, as base64 in settings and files. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct MasterKey(std::sync::Arc<SecretBox<[u8; 32]>>);

/// The text is no master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMasterKey {
    /// It is not base64.
    #[error("is not base64; make one with `head -c 32 /dev/urandom | base64`")]
    NotBase64,
    /// It is not 32 bytes long.
    #[error("must hold exactly 32 bytes; make one with `head -c 32 /dev/urandom | base64`")]
    WrongLength,
    /// All its bytes are the same, or it is text that somebody typed.
    #[error("is not random; make one with `head -c 32 /dev/urandom | base64`")]
    NotRandom,
    /// The system gives no random bytes.
    #[error("could not be made: the system gives no random bytes")]
    NoRandomness,
}

/// The seal is broken or of another master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored key can't be opened with this master key")]
pub(crate) struct SealBroken;

impl MasterKey {
    /// A new one.
    ///
    /// # Errors
    /// [`BadMasterKey::NoRandomness`].
    pub fn generate() -> Result<Self, BadMasterKey> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| BadMasterKey::NoRandomness)?;
        Ok(Self::of(bytes))
    }

    fn of(bytes: [u8; 32]) -> Self {
        Self(std::sync::Arc::new(SecretBox::new(Box::new(bytes))))
    }

    /// As base64, to be written to its file.
    #[must_use]
    pub fn to_base64(&self) -> secrecy::SecretString {
        STANDARD.encode(self.0.expose_secret()).into()
    }

    /// Encrypts `secret` (AES-256-GCM); `context` must be given again to open it.
    pub(crate) fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, SealBroken> {
        let key = self.sealing_key()?;
        let mut nonce = [0; aead::NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| SealBroken)?;
        let mut sealed = secret.to_vec();
        key.seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(context.as_bytes()),
            &mut sealed,
        )
        .map_err(|_| SealBroken)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`Self::seal`] made.
    pub(crate) fn open(&self, context: &str, sealed: &[u8]) -> Result<SecretBox<Vec<u8>>, SealBroken> {
        let (nonce, body) = sealed.split_at_checked(aead::NONCE_LEN).ok_or(SealBroken)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealBroken)?;
        let mut body = body.to_vec();
        let opened = self
            .sealing_key()?
            .open_in_place(nonce, aead::Aad::from(context.as_bytes()), &mut body)
            .map_err(|_| SealBroken)?;
        Ok(SecretBox::new(Box::new(opened.to_vec())))
    }

    /// The key that proves refresh tokens genuine.
    pub(crate) fn refresh_key(&self) -> Result<hmac::Key, SealBroken> {
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &self.derive(b"refresh-token")?))
    }

    fn sealing_key(&self) -> Result<aead::LessSafeKey, SealBroken> {
        let key =
            aead::UnboundKey::new(&aead::AES_256_GCM, &self.derive(b"seal")?).map_err(|_| SealBroken)?;
        Ok(aead::LessSafeKey::new(key))
    }

    /// 32 bytes for one purpose (HKDF-SHA256, RFC 5869).
    fn derive(&self, purpose: &[u8]) -> Result<[u8; 32], SealBroken> {
        let mut bytes = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"platform master key")
            .extract(self.0.expose_secret())
            .expand(&[purpose], hkdf::HKDF_SHA256)
            .and_then(|material| material.fill(&mut bytes))
            .map_err(|_| SealBroken)?;
        Ok(bytes)
    }
}

impl FromStr for MasterKey {
    type Err = BadMasterKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| BadMasterKey::NotBase64)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| BadMasterKey::WrongLength)?;
        let distinct = bytes.iter().collect::<std::collections::HashSet<_>>().len();
        // 32 random bytes with fewer than 16 different ones: less likely than one in 2^60.
        if distinct < 16 || bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(BadMasterKey::NotRandom);
        }
        Ok(Self::of(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_context_only() {
        let (key, other) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
        let sealed = key.seal("kid-1", b"private").unwrap();
        assert_eq!(key.open("kid-1", &sealed).unwrap().expose_secret().as_slice(), b"private");
        assert!(key.open("kid-2", &sealed).is_err());
        assert!(other.open("kid-1", &sealed).is_err());
        assert!(key.open("kid-1", &sealed[..5]).is_err());
    }

    #[test]
    fn a_key_somebody_typed_is_refused() {
        for text in [
            "",
            "changeme",
            "c2VjcmV0",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU=",
            "VGhpcyBpcyBhIGtleSBvZiAzMiBieXRlcyBsZW5ndGg=",
        ] {
            assert!(text.parse::<MasterKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_survives_its_file_and_is_not_shown() {
        let key = MasterKey::generate().unwrap();
        let text = key.to_base64();
        let again: MasterKey = format!("{}\n", text.expose_secret()).parse().unwrap();
        assert_eq!(again.to_base64().expose_secret(), text.expose_secret());
        assert!(!format!("{key:?}").contains(text.expose_secret()));
    }
}
