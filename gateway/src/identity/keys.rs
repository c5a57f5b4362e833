//! Signing keys as they are used: the one that signs, and all that verify, with their public halves as a JWK set.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header, jwk::JwkSet};
use kit::token::KeySet;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use super::{algorithm::Algorithm, master_key::MasterKey};
use crate::store::keys::{State, StoredKey};

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Access tokens, for clients.
    Access,
    /// Internal tokens, for services.
    Internal,
}

impl Purpose {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Access, Self::Internal];

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
    #[error("a stored key is for the unknown algorithm {0:?}")]
    UnknownAlgorithm(String),
    #[error("a stored public key can't be read: {0}")]
    Stored(#[from] serde_json::Error),
}

/// A key that signs, with the one algorithm it is for.
#[derive(Clone)]
pub(crate) struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl SigningKey {
    /// Its name in the header of tokens.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs claims as a JWT of this kind.
    pub(crate) fn sign<C: Serialize>(&self, kind: &str, claims: &C) -> Result<SecretString, SigningFault> {
        let head = head(kind, &self.kid, self.algorithm);
        Ok(jsonwebtoken::encode(&head, claims, &self.key)?.into())
    }
}

fn head(typ: &str, kid: &str, algorithm: Algorithm) -> Header {
    Header { typ: Some(typ.to_owned()), kid: Some(kid.to_owned()), ..Header::new(algorithm.of_tokens()) }
}

/// The keys of one purpose: the one that signs, and all that verify.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) signing: SigningKey,
    pub(crate) verifying: KeySet,
    /// The JWK set as it is served, the signing key first.
    pub(crate) published: String,
    /// The first parts of the access tokens that these keys sign, by which they are told without reading them.
    heads: HashSet<String>,
}

impl Keys {
    /// Opens the stored keys of a purpose, those that verify at `now` (in microseconds since 1970).
    pub(crate) fn open(
        purpose: Purpose,
        stored: &[StoredKey],
        master: &MasterKey,
        now: i64,
    ) -> Result<Self, SigningFault> {
        let mut good: Vec<&StoredKey> =
            stored.iter().filter(|key| key.purpose == purpose.name() && verifies(key, now)).collect();
        good.sort_by_key(|key| match key.state {
            State::Active => 0,
            State::Next => 1,
            State::Retired => 2,
        });
        let active = good
            .first()
            .filter(|key| key.state == State::Active)
            .ok_or(SigningFault::NoActiveKey(purpose.name()))?;
        let algorithm = Algorithm::of_name(&active.algorithm)?;
        let private = master.open(&active.kid, &active.private_sealed)?;
        let signing = SigningKey {
            kid: active.kid.clone(),
            algorithm,
            key: algorithm.encoding_key(private.expose_secret()),
        };
        let public: Vec<Value> =
            good.iter().map(|key| serde_json::from_str(&key.public_jwk)).collect::<Result<_, _>>()?;
        let published = json!({ "keys": public }).to_string();
        let set: JwkSet = serde_json::from_str(&published)?;
        let heads = good
            .iter()
            .map(|key| {
                let head = head(super::access_token::KIND, &key.kid, Algorithm::of_name(&key.algorithm)?);
                Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&head)?))
            })
            .collect::<Result<_, SigningFault>>()?;
        Ok(Self { signing, verifying: KeySet::of(&set), published, heads })
    }

    /// Whether the key that signed this token is known here, as far as its header tells; `true` for what is no token.
    pub(crate) fn knows_the_key_of(&self, token: &str) -> bool {
        let known_head = token.split('.').next().is_some_and(|head| self.heads.contains(head));
        known_head || kit::token::kid(token).is_none_or(|kid| self.verifying.knows(&kid))
    }
}

/// Whether tokens signed with the key are taken at this moment.
pub(crate) fn verifies(key: &StoredKey, now: i64) -> bool {
    key.state != State::Retired || key.verifies_until.is_some_and(|until| now < until)
}
