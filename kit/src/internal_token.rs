//! Internal tokens: how a service knows, offline, for whom the gateway calls it.
//!
//! The gateway signs one for each caller and service (in the manner of RFC 8693); the service checks it against the
//! gateway's internal keys. It asks for them again where what it has is older than [`FRESH`], so that a compromised key is
//! gone within the second, and for a key it does not know, but seldom: the gateway publishes a key long before it signs, so
//! whoever sends unknown ones makes them up. What could be fetched last stays where the gateway can't be reached.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use contract::{Caller, Problem, ProblemKind, Role, Scopes, SessionId, Subject};
use http::{HeaderName, HeaderValue, Method};
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use serde::{Deserialize, Serialize};

use crate::{
    remote_keys::{KeysFault, RemoteKeys},
    token::{Expected, KeySet, TokenFault, bearer},
};

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

/// Verified tokens remembered.
const REMEMBERED: u64 = 10_000;

/// Longer than any is good for: a gateway makes one a minute for each of its callers.
const REMEMBERED_TIME: Duration = Duration::from_mins(2);

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
    #[error(transparent)]
    Keys(#[from] KeysFault),
}

/// Verifies internal tokens for one service.
pub struct InternalTokens {
    expected: Expected,
    keys: RemoteKeys,
    verified: moka::sync::Cache<String, Verified>,
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
        let keys_url = format!("{}{KEYS_PATH}", gateway_url.trim_end_matches('/'));
        Ok(Self {
            expected: Expected::of_ours(KIND, ISSUER, service),
            keys: RemoteKeys::new("the gateway", keys_url, FRESH, KeySet::of)?,
            verified: moka::sync::Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(REMEMBERED_TIME)
                .build(),
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
            self.keys.look_up(kid).await?;
        }
        if let Some(verified) = remembered
            && crate::clock::now().seconds() < verified.expires
            && self.keys.knows(&verified.kid)
        {
            return Ok(verified);
        }
        let claims: InternalClaims = self.keys.verify(token, &self.expected)?;
        let kid = kid.ok_or(TokenFault::UnknownKey)?;
        let (expires, through_gateway) = (claims.exp, claims.act.sub == GATEWAY);
        let caller = Arc::new(caller_of(claims)?);
        let verified = Verified { caller, kid, expires, through_gateway };
        self.verified.insert(token.to_owned(), verified.clone());
        Ok(verified)
    }
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
