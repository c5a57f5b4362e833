//! What a service sees of a gateway: its internal keys, and the tokens signed with them.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{Role, Subject};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use poem::{EndpointExt, IntoResponse, Route, endpoint::make_sync};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    internal_token::{Actor, GATEWAY, ISSUER, InternalClaims, KEYS_PATH, KIND},
    server::{Limits, Server},
};

/// A stand-in for the gateway, on a port of its own until it is dropped.
pub struct TestGateway {
    url: String,
    key: EncodingKey,
    shutdown: CancellationToken,
}

const KEY_ID: &str = "test-internal";

impl TestGateway {
    /// Makes a key and serves its public half.
    pub async fn start() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key can be made");
        let document = pair.to_pkcs8v1().expect("the key can be written");
        let jwk = serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(pair.public_key()),
        });
        let keys = serde_json::json!({ "keys": [jwk] }).to_string();
        let serve_keys =
            make_sync(move |_| keys.clone().with_content_type("application/json").into_response());
        let app = Route::new().at(KEYS_PATH, poem::get(serve_keys)).boxed();
        let server =
            Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.expect("a port is free");
        let url = format!("http://{}", server.address());
        let shutdown = CancellationToken::new();
        tokio::spawn(server.run(app, shutdown.clone()));
        Self { url, key: EncodingKey::from_ed_der(document.as_ref()), shutdown }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// An internal token for `service`, good for a minute.
    #[must_use]
    pub fn token(&self, service: &str, subject: &Subject, roles: &[Role]) -> String {
        self.sign(&self.claims(service, subject, roles), KIND)
    }

    /// The claims of such a token, to be bent.
    #[must_use]
    pub fn claims(&self, service: &str, subject: &Subject, roles: &[Role]) -> InternalClaims {
        let now = clock::now().seconds();
        InternalClaims {
            iss: ISSUER.to_owned(),
            aud: service.to_owned(),
            sub: subject.to_string(),
            roles: roles.iter().cloned().collect(),
            scope: contract::Scopes::default(),
            sid: None,
            act: Actor { sub: GATEWAY.to_owned() },
            iat: now,
            nbf: now,
            exp: now + 60,
            jti: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// These claims as a token of this kind.
    #[must_use]
    pub fn sign(&self, claims: &InternalClaims, kind: &str) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(KEY_ID.to_owned());
        header.typ = Some(kind.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).expect("the claims can be signed")
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
