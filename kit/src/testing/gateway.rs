//! What a service sees of a gateway: its internal keys, and the tokens signed with them.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{Role, Subject};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use poem::{
    EndpointExt, IntoResponse, Response, Route,
    endpoint::make_sync,
    http::{StatusCode, header},
};
use serde_json::{Value, json};
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
    kid: String,
    served: Arc<Served>,
    shutdown: CancellationToken,
}

/// What it serves, and how often it was asked.
#[derive(Default)]
struct Served {
    keys: Mutex<Vec<Value>>,
    down: Mutex<bool>,
    fetches: AtomicUsize,
}

impl Served {
    fn answer(&self, known: Option<&str>) -> Response {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        if *lock(&self.down) {
            return StatusCode::SERVICE_UNAVAILABLE.into();
        }
        let keys = lock(&self.keys).clone();
        let kids: Vec<&str> = keys.iter().filter_map(|key| key["kid"].as_str()).collect();
        let etag = format!("\"{}\"", kids.join("-"));
        if known == Some(&etag) {
            return Response::builder().status(StatusCode::NOT_MODIFIED).header(header::ETAG, etag).finish();
        }
        let body = json!({ "keys": keys }).to_string();
        body.with_content_type("application/json").with_header(header::ETAG, etag).into_response()
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TestGateway {
    /// Makes a key and serves its public half.
    pub async fn start() -> Self {
        let shown = Arc::new(Served::default());
        let (kid, key, public) = new_key(1);
        lock(&shown.keys).push(public);
        let answering = Arc::clone(&shown);
        let serve_keys = make_sync(move |request| answering.answer(request.header(header::IF_NONE_MATCH)));
        let app = Route::new().at(KEYS_PATH, poem::get(serve_keys)).boxed();
        let server =
            Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.expect("a port is free");
        let url = format!("http://{}", server.address());
        let shutdown = CancellationToken::new();
        tokio::spawn(server.run(app, shutdown.clone()));
        Self { url, key, kid, served: shown, shutdown }
    }

    /// Signs with another key from now on, published as well; the old one stays published.
    pub fn rotate(&mut self) {
        let mut keys = lock(&self.served.keys);
        let (kid, key, public) = new_key(keys.len() + 1);
        keys.push(public);
        (self.kid, self.key) = (kid, key);
    }

    /// Publishes the key that signs, and no other any more.
    pub fn withdraw_others(&self) {
        lock(&self.served.keys).retain(|key| key["kid"] == self.kid.as_str());
    }

    /// Whether it answers 503 instead of its keys from now on.
    pub fn set_down(&self, down: bool) {
        *lock(&self.served.down) = down;
    }

    /// How often it was asked for its keys.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.served.fetches.load(Ordering::Relaxed)
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
    pub fn sign(&self, claims: &impl serde::Serialize, kind: &str) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.clone());
        header.typ = Some(kind.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).expect("the claims can be signed")
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A key's name, its private half, and its public half as a JWK.
fn new_key(number: usize) -> (String, EncodingKey, Value) {
    let pair = Ed25519KeyPair::generate().expect("a key can be made");
    let document = pair.to_pkcs8v1().expect("the key can be written");
    let kid = format!("test-internal-{number}");
    let public = json!({
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid,
        "x": URL_SAFE_NO_PAD.encode(pair.public_key()),
    });
    (kid, EncodingKey::from_ed_der(document.as_ref()), public)
}
