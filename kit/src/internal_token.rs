//! Internal tokens: how a service knows, offline, for whom the gateway calls it.
//!
//! The gateway signs one for each caller and service (in the manner of RFC 8693); the service checks it against the
//! gateway's internal keys, which it fetches once and again only for a `kid` it does not know.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use contract::{Caller, Problem, Role, Scopes, SessionId, Subject};
use http::{HeaderName, HeaderValue};
use jsonwebtoken::jwk::JwkSet;
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::token::{Expected, KeySet, TokenFault, bearer};

/// The `typ` of an internal token.
pub const KIND: &str = "int+jwt";

/// The `iss` of an internal token.
pub const ISSUER: &str = "urn:platform:gateway";

pub use contract::caller::GATEWAY;

/// Where the gateway serves its internal public keys.
pub const KEYS_PATH: &str = "/.well-known/internal-jwks.json";

/// On a refusal of the token itself, so that the gateway can tell it from a caller who is gone: the one is the gateway's fault.
pub const REFUSED: HeaderName = HeaderName::from_static("platform-token-refused");

/// At most one fetch of the keys in this time.
const FETCH_PAUSE: Duration = Duration::from_secs(2);

/// The longest a fetch of the keys may take.
const FETCH_TIME: Duration = Duration::from_secs(3);

/// Verified tokens remembered.
const REMEMBERED: u64 = 10_000;

/// The claims of an internal token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InternalClaims {
    /// [`ISSUER`].
    pub iss: String,
    /// The one service it is for.
    pub aud: String,
    /// For whom the call is made.
    pub sub: String,
    /// That caller's roles.
    pub roles: BTreeSet<Role>,
    /// What that caller's token may be used for.
    #[serde(default, skip_serializing_if = "Scopes::is_empty")]
    pub scope: Scopes,
    /// That caller's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// Who makes the call (RFC 8693 §4.1).
    pub act: Actor,
    /// Issued at, seconds.
    pub iat: i64,
    /// Not before, seconds.
    pub nbf: i64,
    /// Expires, seconds.
    pub exp: i64,
    /// Names this token.
    pub jti: String,
}

/// Who acts for the subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Actor {
    /// The actor's name.
    pub sub: String,
}

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Token(#[from] TokenFault),
    #[error("the gateway's keys could not be fetched: {0}")]
    Keys(String),
}

/// Verifies internal tokens for one service.
pub struct InternalTokens {
    expected: Expected,
    keys: ArcSwap<KeySet>,
    keys_url: String,
    client: reqwest::Client,
    last_fetch: Mutex<Option<Instant>>,
    verified: moka::sync::Cache<String, (i64, Arc<Caller>)>,
}

impl InternalTokens {
    /// For the service named, with the keys of the gateway at `gateway_url`. Nothing is fetched before the first call.
    ///
    /// # Errors
    /// The HTTP client can't be built.
    pub fn new(service: &str, gateway_url: &str) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(FETCH_TIME)
            .build()?;
        Ok(Self {
            expected: Expected { kind: KIND, issuer: ISSUER.to_owned(), audience: service.to_owned() },
            keys: ArcSwap::from_pointee(KeySet::default()),
            keys_url: format!("{}{KEYS_PATH}", gateway_url.trim_end_matches('/')),
            client,
            last_fetch: Mutex::new(None),
            verified: moka::sync::Cache::new(REMEMBERED),
        })
    }

    /// The caller a request is made for.
    async fn caller(&self, token: &str) -> Result<Arc<Caller>, Fault> {
        let now = crate::clock::now().seconds();
        if let Some((expires, caller)) = self.verified.get(token)
            && now < expires
        {
            return Ok(caller);
        }
        let claims = match self.keys.load().verify::<InternalClaims>(token, &self.expected) {
            Err(TokenFault::UnknownKey) => {
                self.fetch().await?;
                self.keys.load().verify(token, &self.expected)?
            }
            other => other?,
        };
        let expires = claims.exp;
        let caller = Arc::new(caller_of(claims)?);
        self.verified.insert(token.to_owned(), (expires, Arc::clone(&caller)));
        Ok(caller)
    }

    /// Fetches the keys, at most once in [`FETCH_PAUSE`]; the last good set stays where that fails.
    async fn fetch(&self) -> Result<(), Fault> {
        let Ok(mut last) = tokio::time::timeout(FETCH_TIME, self.last_fetch.lock()).await else {
            return Err(Fault::Keys("another fetch is still going on".to_owned()));
        };
        if last.is_some_and(|at| at.elapsed() < FETCH_PAUSE) {
            return Ok(());
        }
        let result = self.fetch_set().await;
        *last = Some(Instant::now());
        match result {
            Ok(set) => {
                self.keys.store(Arc::new(KeySet::of(&set)));
                Ok(())
            }
            Err(error) => {
                // A gateway that was not up yet is asked again at the next call.
                *last = None;
                Err(Fault::Keys(error.to_string()))
            }
        }
    }

    async fn fetch_set(&self) -> Result<JwkSet, reqwest::Error> {
        self.client.get(&self.keys_url).send().await?.error_for_status()?.json().await
    }
}

fn caller_of(claims: InternalClaims) -> Result<Caller, TokenFault> {
    let subject: Subject = claims.sub.parse().map_err(|_| TokenFault::Claims)?;
    Ok(Caller { subject, roles: claims.roles, scopes: claims.scope, session: claims.sid })
}

/// Whether the caller is the gateway itself.
#[must_use]
pub fn is_gateway(caller: &Caller) -> bool {
    caller.subject == Subject::Service(GATEWAY.to_owned())
}

/// Lets only requests with an internal token for this service through to `inner`.
pub struct RequireInternalToken<E> {
    inner: E,
    tokens: Arc<InternalTokens>,
}

impl<E> RequireInternalToken<E> {
    /// Around `inner`.
    pub fn new(inner: E, tokens: Arc<InternalTokens>) -> Self {
        Self { inner, tokens }
    }
}

impl<E: Endpoint> Endpoint for RequireInternalToken<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let caller = self
            .admit(&request)
            .await
            .map_err(|problem| problem.header(REFUSED, HeaderValue::from_static("1")))?;
        request.extensions_mut().insert(caller);
        Ok(self.inner.call(request).await?.into_response())
    }
}

impl<E> RequireInternalToken<E> {
    async fn admit(&self, request: &Request) -> Result<Arc<Caller>, Problem> {
        let token = bearer(request.headers())?.ok_or_else(Problem::missing_credentials)?;
        self.tokens.caller(token).await.map_err(refusal)
    }
}

fn refusal(fault: Fault) -> Problem {
    match fault {
        Fault::Token(fault) => Problem::invalid_token("The internal token is not good").because(fault),
        Fault::Keys(cause) => {
            Problem::unavailable("The gateway's keys can't be fetched", Duration::from_secs(1)).because(cause)
        }
    }
}
