//! Internal tokens: how a service knows, offline, for whom the gateway calls it.
//!
//! The gateway signs one for each caller and service (in the manner of RFC 8693); the service checks it against the
//! gateway's internal keys. It asks for them again where what it has is older than [`FRESH`], so that a compromised key is
//! gone within the second, and for a key it does not know, but seldom: the gateway publishes a key long before it signs, so
//! whoever sends unknown ones makes them up. What could be fetched last stays where the gateway can't be reached.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use contract::{Caller, Problem, ProblemKind, Role, Scopes, SessionId, Subject};
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{ETAG, IF_NONE_MATCH},
};
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

/// Keys that were fetched longer ago are asked for again when a token is checked.
const FRESH: Duration = Duration::from_millis(500);

/// At most one fetch in this time for keys that are not known.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);

/// At most one fetch in this time while there are no keys at all.
const EMPTY_PAUSE: Duration = Duration::from_millis(250);

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
    keys: ArcSwap<Fetched>,
    keys_url: String,
    client: reqwest::Client,
    fetching: Mutex<Tries>,
    verified: moka::sync::Cache<String, Verified>,
}

/// The keys as they were fetched last.
#[derive(Default)]
struct Fetched {
    set: KeySet,
    etag: Option<HeaderValue>,
    at: Option<Instant>,
}

/// When a fetch was last begun.
#[derive(Default)]
struct Tries {
    /// To have the keys anew.
    anew: Option<Instant>,
    /// To have keys at all.
    first: Option<Instant>,
    /// For a key that was not known.
    unknown: Option<Instant>,
}

/// A token that was verified.
#[derive(Clone)]
struct Verified {
    caller: Arc<Caller>,
    kid: Arc<str>,
    expires: i64,
    /// Whether the gateway makes the call, and not the caller itself.
    through_gateway: bool,
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
            keys: ArcSwap::from_pointee(Fetched::default()),
            keys_url: format!("{}{KEYS_PATH}", gateway_url.trim_end_matches('/')),
            client,
            fetching: Mutex::default(),
            verified: moka::sync::Cache::new(REMEMBERED),
        })
    }

    /// The caller a request is made for.
    async fn verified(&self, token: &str) -> Result<Verified, Fault> {
        let remembered = self.verified.get(token);
        let kid: Option<Arc<str>> = match &remembered {
            Some(verified) => Some(Arc::clone(&verified.kid)),
            None => crate::token::kid(token).map(Arc::from),
        };
        if let Some(kid) = &kid {
            self.look_up(kid).await?;
        }
        let keys = self.keys.load();
        if let Some(verified) = remembered
            && crate::clock::now().seconds() < verified.expires
            && keys.set.knows(&verified.kid)
        {
            return Ok(verified);
        }
        let claims: InternalClaims = keys.set.verify(token, &self.expected)?;
        let kid = kid.ok_or(TokenFault::UnknownKey)?;
        let (expires, through_gateway) = (claims.exp, claims.act.sub == GATEWAY);
        let caller = Arc::new(caller_of(claims)?);
        let verified = Verified { caller, kid, expires, through_gateway };
        self.verified.insert(token.to_owned(), verified.clone());
        Ok(verified)
    }

    /// Sees to it that the keys are fresh, or that a key that is not known was asked for.
    async fn look_up(&self, kid: &str) -> Result<(), Fault> {
        let known = {
            let keys = self.keys.load();
            let fresh = keys.at.is_some_and(|at| at.elapsed() < FRESH);
            keys.set.knows(kid).then_some(fresh)
        };
        match known {
            Some(true) => {}
            Some(false) => self.fetch_anew().await,
            None => self.fetch_unknown(kid).await?,
        }
        Ok(())
    }

    /// Only one request waits for this; the others go on with what there is, and so do all where it fails.
    async fn fetch_anew(&self) {
        let Ok(mut tries) = self.fetching.try_lock() else { return };
        if tries.anew.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        tries.anew = Some(Instant::now());
        self.fetch().await.unwrap_or_else(|error| warn_of(&error));
    }

    async fn fetch_unknown(&self, kid: &str) -> Result<(), Fault> {
        let Ok(mut tries) = tokio::time::timeout(FETCH_TIME, self.fetching.lock()).await else {
            return Err(Fault::Keys("another fetch is still going on".to_owned()));
        };
        let (known, empty) = {
            // Whoever held the lock may have fetched it.
            let keys = self.keys.load();
            (keys.set.knows(kid), keys.set.is_empty())
        };
        if known {
            return Ok(());
        }
        if empty {
            if tries.first.is_some_and(|at| at.elapsed() < EMPTY_PAUSE) {
                return Err(Fault::Keys("they could not be fetched a moment ago".to_owned()));
            }
            tries.first = Some(Instant::now());
            return self.fetch().await;
        }
        if tries.unknown.is_none_or(|at| at.elapsed() >= UNKNOWN_PAUSE) {
            tries.unknown = Some(Instant::now());
            self.fetch().await.unwrap_or_else(|error| warn_of(&error));
        }
        Ok(())
    }

    async fn fetch(&self) -> Result<(), Fault> {
        let fault = |error: reqwest::Error| Fault::Keys(error.to_string());
        let before = self.keys.load_full();
        let mut request = self.client.get(&self.keys_url);
        if let Some(etag) = &before.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let answer = request.send().await.and_then(reqwest::Response::error_for_status).map_err(fault)?;
        let at = Some(Instant::now());
        if answer.status() == StatusCode::NOT_MODIFIED {
            let (set, etag) = (before.set.clone(), before.etag.clone());
            self.keys.store(Arc::new(Fetched { set, etag, at }));
            return Ok(());
        }
        let etag = answer.headers().get(ETAG).cloned();
        let set = KeySet::of(&answer.json::<JwkSet>().await.map_err(fault)?);
        if set.is_empty() {
            return Err(Fault::Keys("the set holds no key".to_owned()));
        }
        self.keys.store(Arc::new(Fetched { set, etag, at }));
        Ok(())
    }
}

fn warn_of(error: &Fault) {
    tracing::warn!(%error, "the last keys of the gateway stay");
}

fn caller_of(claims: InternalClaims) -> Result<Caller, TokenFault> {
    let subject: Subject = claims.sub.parse().map_err(|_| TokenFault::Claims)?;
    if subject == Subject::Service(GATEWAY.to_owned()) && claims.act.sub != GATEWAY {
        return Err(TokenFault::Claims);
    }
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
    changes_through_gateway: bool,
}

impl<E> RequireInternalToken<E> {
    /// Around `inner`.
    pub fn new(inner: E, tokens: Arc<InternalTokens>) -> Self {
        Self { inner, tokens, changes_through_gateway: false }
    }

    /// Lets services that call directly read alone: for a service whose changes the gateway must know of.
    #[must_use]
    pub fn changes_through_gateway(mut self) -> Self {
        self.changes_through_gateway = true;
        self
    }
}

impl<E: Endpoint> Endpoint for RequireInternalToken<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let verified = self
            .admit(&request)
            .await
            .map_err(|problem| problem.header(REFUSED, HeaderValue::from_static("1")))?;
        if self.changes_through_gateway && !verified.through_gateway && request.method() != Method::GET {
            let detail = "Changes go through the gateway, which records them and ends what they end";
            return Err(Problem::new(ProblemKind::Forbidden, detail).into());
        }
        request.extensions_mut().insert(Arc::clone(&verified.caller));
        Ok(self.inner.call(request).await?.into_response())
    }
}

impl<E> RequireInternalToken<E> {
    async fn admit(&self, request: &Request) -> Result<Verified, Problem> {
        let token = bearer(request.headers())?.ok_or_else(Problem::missing_credentials)?;
        self.tokens.verified(token).await.map_err(refusal)
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
