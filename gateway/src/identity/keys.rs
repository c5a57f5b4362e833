//! Signing keys: made here, kept sealed in the gateway's database, their public halves served as JWK sets.

use aws_lc_rs::{
    digest,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::JwkSet};
use kit::token::KeySet;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use super::master_key::MasterKey;
use crate::store::keys::StoredKey;

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Access tokens, for clients.
    Access,
    /// Internal tokens, for services.
    Internal,
}

impl Purpose {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Internal => "internal",
        }
    }
}

/// A token could not be signed, or a key not made or opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningFault {
    #[error("a key could not be made")]
    Generate,
    #[error(transparent)]
    Seal(#[from] super::master_key::SealBroken),
    #[error("a token could not be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
    #[error("there is no active key for {0} tokens")]
    NoActiveKey(&'static str),
    #[error("a stored public key can't be read: {0}")]
    Stored(#[from] serde_json::Error),
}

/// A key that signs.
#[derive(Clone)]
pub(crate) struct SigningKey {
    kid: String,
    key: EncodingKey,
}

impl SigningKey {
    /// Signs claims as a JWT of this kind.
    pub(crate) fn sign<C: Serialize>(&self, kind: &str, claims: &C) -> Result<SecretString, SigningFault> {
        let header = Header {
            typ: Some(kind.to_owned()),
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        Ok(jsonwebtoken::encode(&header, claims, &self.key)?.into())
    }
}

/// The keys of one purpose: the one that signs, and all that verify.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) signing: SigningKey,
    pub(crate) verifying: KeySet,
    /// The JWK set as it is served.
    pub(crate) published: Value,
}

impl Keys {
    /// Opens the stored keys of a purpose.
    pub(crate) fn open(
        purpose: Purpose,
        stored: &[StoredKey],
        master: &MasterKey,
    ) -> Result<Self, SigningFault> {
        let active = stored
            .iter()
            .find(|key| key.state == "active")
            .ok_or(SigningFault::NoActiveKey(purpose.name()))?;
        let private = master.open(&active.kid, &active.private_sealed)?;
        let signing =
            SigningKey { kid: active.kid.clone(), key: EncodingKey::from_ed_der(private.expose_secret()) };
        let public: Vec<Value> =
            stored.iter().map(|key| serde_json::from_str(&key.public_jwk)).collect::<Result<_, _>>()?;
        let published = json!({ "keys": public });
        let set: JwkSet = serde_json::from_value(published.clone())?;
        Ok(Self { signing, verifying: KeySet::of(&set), published })
    }
}

/// Makes an active Ed25519 key (RFC 8037), named by its thumbprint (RFC 7638), its private half sealed.
pub(crate) fn generate(purpose: Purpose, master: &MasterKey) -> Result<StoredKey, SigningFault> {
    let pair = Ed25519KeyPair::generate().map_err(|_| SigningFault::Generate)?;
    let private = pair.to_pkcs8().map_err(|_| SigningFault::Generate)?;
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let thumbprint =
        digest::digest(&digest::SHA256, format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
    let kid = URL_SAFE_NO_PAD.encode(thumbprint.as_ref());
    let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig" });
    Ok(StoredKey {
        private_sealed: master.seal(&kid, private.as_ref())?,
        kid,
        purpose: purpose.name().to_owned(),
        algorithm: "EdDSA".to_owned(),
        state: "active".to_owned(),
        public_jwk: public.to_string(),
    })
}
