//! Whoever holds a signing key of the gateway: signs any text as a token, so that nothing but the text can be what is refused.

use aws_lc_rs::{aead, hkdf, signature::Ed25519KeyPair};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use kit::testing::TestDatabase;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Gateway;

/// The active key of a purpose, taken out of its seal by the master key.
pub(crate) struct Forge {
    pub(crate) kid: String,
    /// The public half, as it is served.
    pub(crate) public: Value,
    key: Ed25519KeyPair,
}

impl Forge {
    /// Opens the key that signs `purpose` tokens of this gateway.
    pub(crate) async fn of(gateway: &Gateway, database: &TestDatabase, purpose: &str) -> Self {
        let query = format!(
            "SELECT kid, public_jwk, private_sealed FROM signing_keys WHERE state = 'active' AND purpose = '{purpose}'"
        );
        let opened = database.open().await;
        let backend = sea_orm::ConnectionTrait::get_database_backend(opened.reader());
        let statement = sea_orm::Statement::from_string(backend, query);
        let row = sea_orm::ConnectionTrait::query_one_raw(opened.reader(), statement).await.unwrap().unwrap();
        let kid: String = row.try_get("", "kid").unwrap();
        let public: String = row.try_get("", "public_jwk").unwrap();
        let sealed: Vec<u8> = row.try_get("", "private_sealed").unwrap();
        let master = STANDARD.decode(gateway.config.master_key.to_base64().expose_secret()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(&unsealed(&master, &kid, &sealed)).unwrap();
        Self { kid, public: serde_json::from_str(&public).unwrap(), key }
    }

    /// A header as the gateway writes it.
    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": self.kid })
    }

    /// A token of these texts.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// AES-256-GCM under a key derived from the master key (HKDF-SHA256), with the kid beside it.
fn unsealed(master: &[u8], kid: &str, sealed: &[u8]) -> Vec<u8> {
    let mut key = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"platform master key")
        .extract(master)
        .expand(&[b"seal"], hkdf::HKDF_SHA256)
        .unwrap()
        .fill(&mut key)
        .unwrap();
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &key).unwrap());
    let (nonce, body) = sealed.split_at(aead::NONCE_LEN);
    let mut body = body.to_vec();
    let nonce = aead::Nonce::try_assume_unique_for_key(nonce).unwrap();
    key.open_in_place(nonce, aead::Aad::from(kid.as_bytes()), &mut body).unwrap().to_vec()
}
