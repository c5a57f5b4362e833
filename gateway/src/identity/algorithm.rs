//! The algorithms that keys are made for, and making one.

use aws_lc_rs::{
    digest,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::{
    keys::{Purpose, SigningFault},
    master_key::MasterKey,
};
use crate::store::keys::{State, StoredKey};

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Algorithm {
    /// Ed25519 (RFC 8037).
    #[default]
    EdDsa,
    /// ECDSA on P-256 (RFC 7518 §3.4), for clients that lack Ed25519.
    Es256,
}

impl Algorithm {
    /// As in `alg`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    pub(crate) fn of_name(name: &str) -> Result<Self, SigningFault> {
        [Self::EdDsa, Self::Es256]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| SigningFault::UnknownAlgorithm(name.to_owned()))
    }

    pub(super) fn of_tokens(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
        }
    }

    /// A private key in PKCS #8, as [`generate`] seals it.
    pub(super) fn encoding_key(self, private: &[u8]) -> EncodingKey {
        match self {
            Self::EdDsa => EncodingKey::from_ed_der(private),
            Self::Es256 => EncodingKey::from_ec_der(private),
        }
    }
}

/// Makes a next key, named by its thumbprint (RFC 7638), its private half sealed.
pub(crate) fn generate(
    purpose: Purpose,
    algorithm: Algorithm,
    master: &MasterKey,
    now: i64,
) -> Result<StoredKey, SigningFault> {
    let (private, required) = match algorithm {
        Algorithm::EdDsa => ed25519()?,
        Algorithm::Es256 => p256()?,
    };
    // The required members alone, in the order of their names.
    let thumbprint = digest::digest(&digest::SHA256, required.to_string().as_bytes());
    let kid = URL_SAFE_NO_PAD.encode(thumbprint.as_ref());
    let mut public = required;
    public["kid"] = json!(kid);
    public["alg"] = json!(algorithm.name());
    public["use"] = json!("sig");
    Ok(StoredKey {
        private_sealed: master.seal(&kid, private.as_ref())?,
        kid,
        purpose: purpose.name().to_owned(),
        algorithm: algorithm.name().to_owned(),
        state: State::Next,
        public_jwk: public.to_string(),
        created_at: now,
        activated_at: None,
        retired_at: None,
        verifies_until: None,
        longest_token: 0,
    })
}

/// A private key in PKCS #8 and the required members of its public half.
type Pair = (aws_lc_rs::pkcs8::Document, Value);

fn ed25519() -> Result<Pair, SigningFault> {
    let pair = Ed25519KeyPair::generate().map_err(|_| SigningFault::Generate)?;
    let private = pair.to_pkcs8().map_err(|_| SigningFault::Generate)?;
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    Ok((private, json!({ "crv": "Ed25519", "kty": "OKP", "x": x })))
}

fn p256() -> Result<Pair, SigningFault> {
    let pair =
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| SigningFault::Generate)?;
    let private = pair.to_pkcs8v1().map_err(|_| SigningFault::Generate)?;
    // An uncompressed point (SEC 1 §2.3.3): 4, then both coordinates.
    let point = pair.public_key().as_ref();
    let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
        return Err(SigningFault::Generate);
    };
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    Ok((private, json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y })))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_key_of_either_algorithm_signs_what_its_public_half_verifies() {
        let master = MasterKey::generate().unwrap();
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let key = generate(Purpose::Access, algorithm, &master, 0).unwrap();
            let private = master.open(&key.kid, &key.private_sealed).unwrap();
            let header = jsonwebtoken::Header::new(algorithm.of_tokens());
            let claims = json!({ "exp": 4_000_000_000_u64 });
            let signing = algorithm.encoding_key(private.expose_secret());
            let token = jsonwebtoken::encode(&header, &claims, &signing).unwrap();
            let public: jsonwebtoken::jwk::Jwk = serde_json::from_str(&key.public_jwk).unwrap();
            let verifying = jsonwebtoken::DecodingKey::from_jwk(&public).unwrap();
            let checks = jsonwebtoken::Validation::new(algorithm.of_tokens());
            let read = jsonwebtoken::decode::<Value>(&token, &verifying, &checks).unwrap();
            assert_eq!(read.claims, claims);
            assert_eq!(public.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), key.kid);
            assert_eq!(Algorithm::of_name(&key.algorithm).unwrap(), algorithm);
        }
        assert!(Algorithm::of_name("HS256").is_err());
    }
}
