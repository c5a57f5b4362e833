//! Authenticates requests once: a verified token is remembered until it expires, with the internal tokens made from it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use contract::{
    Caller, Problem, ProblemKind, ServiceName, Subject, Timestamp,
    operation::{Access, Operation},
};
use http::{HeaderMap, HeaderValue};
use kit::{
    checked::Guard,
    internal_token::{Actor, GATEWAY, ISSUER, InternalClaims, KIND},
    token::{Expected, LEEWAY, bearer},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    access_token::AccessClaims,
    external::{External, Issuers},
    keys::{Keys, SigningFault, SigningKey},
    refresh_token,
    revocation::Revoked,
};

/// Verified tokens remembered at most. Each takes about 3 KiB, with what was made of it.
const REMEMBERED: u64 = 20_000;

/// A token that was not used for so long is forgotten: verifying it again costs less than keeping what may never come back.
const REMEMBERED_UNUSED: Duration = Duration::from_mins(2);

/// Life of an internal token.
pub(crate) const INTERNAL_TOKEN_TIME: Duration = Duration::from_mins(1);

/// An internal token is used until this many seconds before its end.
const INTERNAL_MARGIN: Duration = Duration::from_secs(15);

/// When to try again while it is not known what was revoked.
const STALE_RETRY: Duration = Duration::from_secs(2);

/// A caller whose token was verified.
pub(crate) struct Verified {
    pub(crate) caller: Arc<Caller>,
    source: Source,
    /// One a service.
    internal: Mutex<Vec<InternalToken>>,
}

/// What it was verified by.
enum Source {
    /// It was not: nobody, or the gateway itself.
    None,
    /// One of the gateway's own tokens.
    Own(Box<Signed>),
    /// A token of another issuer.
    External(External),
}

/// What was signed, and with which key.
struct Signed {
    claims: AccessClaims,
    kid: String,
}

/// An internal token that is used again while it is fresh.
struct InternalToken {
    service: String,
    authorization: HeaderValue,
    kid: String,
    used_until: Timestamp,
}

impl Verified {
    fn new(caller: Caller, source: Source) -> Arc<Self> {
        Arc::new(Self { caller: Arc::new(caller), source, internal: Mutex::default() })
    }

    /// Whose answers are: the subject, and of a service's account the secret too, which no other account has had, and what the token
    /// is good for. An account that is made anew under a name is another one, and an answer to a token of more is none to one of less.
    pub(crate) fn whose(&self) -> String {
        let subject = self.caller.subject.to_string();
        match self.signed().and_then(|signed| signed.claims.client_secret_id) {
            Some(secret) => {
                let roles: Vec<&str> = self.caller.roles.iter().map(contract::Role::as_str).collect();
                format!("{subject} by secret {secret} as {} for {}", roles.join(" "), self.caller.scopes)
            }
            None => subject,
        }
    }

    fn signed(&self) -> Option<&Signed> {
        match &self.source {
            Source::Own(signed) => Some(signed),
            Source::None | Source::External(_) => None,
        }
    }
}

/// Guards the gateway's own operations.
impl Guard for Authenticator {
    fn caller(&self, operation: &Operation, headers: &HeaderMap) -> Result<Arc<Caller>, Problem> {
        let verified = self.admit(operation, headers)?;
        if operation.recent {
            self.require_recent(&verified)?;
        }
        Ok(Arc::clone(&verified.caller))
    }
}

/// Checks access tokens and exchanges them for internal ones.
pub(crate) struct Authenticator {
    access: Arc<ArcSwap<Keys>>,
    internal: Arc<ArcSwap<Keys>>,
    expected: Expected,
    revoked: Arc<Revoked>,
    /// How long ago a user who administers others may have signed in.
    recent: Option<Duration>,
    /// Whose tokens are taken where a service says so.
    issuers: Arc<Issuers>,
    remembered: moka::sync::Cache<[u8; 32], Arc<Verified>>,
    anonymous: Arc<Verified>,
    gateway: Arc<Verified>,
}

/// A caller, for people.
fn told(caller: &Caller) -> serde_json::Value {
    json!({
        "subject": caller.subject.to_string(),
        "roles": caller.roles.iter().map(contract::Role::as_str).collect::<Vec<_>>(),
        "scopes": caller.scopes.to_string(),
    })
}

impl Authenticator {
    pub(crate) fn new(
        access: Arc<ArcSwap<Keys>>,
        internal: Arc<ArcSwap<Keys>>,
        expected: Expected,
        revoked: Arc<Revoked>,
    ) -> Self {
        let gateway = Caller { subject: Subject::Service(GATEWAY.to_owned()), ..Caller::anonymous() };
        Self {
            access,
            internal,
            expected,
            revoked,
            recent: None,
            issuers: Arc::default(),
            remembered: moka::sync::Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_idle(REMEMBERED_UNUSED)
                .build(),
            anonymous: Verified::new(Caller::anonymous(), Source::None),
            gateway: Verified::new(gateway, Source::None),
        }
    }

    /// With how long ago a user who administers others may have signed in; unset, it is never asked.
    pub(crate) fn recent(self, recent: Option<Duration>) -> Self {
        Self { recent, ..self }
    }

    /// With other issuers, whose tokens are taken where a service says so.
    pub(crate) fn beside(self, issuers: Arc<Issuers>) -> Self {
        Self { issuers, ..self }
    }

    /// The gateway as a caller of its own.
    pub(crate) fn gateway(&self) -> &Arc<Verified> {
        &self.gateway
    }

    /// Who sends this request, if the operation is open to them; tokens of other issuers open nothing here.
    ///
    /// # Errors
    /// 400, 401 or 403.
    pub(crate) fn admit(&self, operation: &Operation, headers: &HeaderMap) -> Result<Arc<Verified>, Problem> {
        self.admit_from(operation, headers, &[])
    }

    /// Who sends this request, if the operation is open to them, also with a token of these issuers.
    ///
    /// # Errors
    /// 400, 401 or 403.
    pub(crate) fn admit_from(
        &self,
        operation: &Operation,
        headers: &HeaderMap,
        issuers: &[ServiceName],
    ) -> Result<Arc<Verified>, Problem> {
        if operation.access == Access::Public {
            return Ok(Arc::clone(&self.anonymous));
        }
        let verified = self.identify(headers)?;
        if let Source::External(external) = &verified.source
            && !issuers.contains(&external.issuer.name)
        {
            return Err(Problem::new(ProblemKind::Forbidden, "Tokens of this issuer are not taken here"));
        }
        operation.check_caller(&verified.caller)?;
        Ok(verified)
    }

    /// Who sends this request; nobody, where it holds no token.
    ///
    /// # Errors
    /// 400 or 401.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Result<Arc<Verified>, Problem> {
        let identified = match bearer(headers)? {
            Some(token) => self.verify(token),
            None => Ok(Arc::clone(&self.anonymous)),
        };
        kit::explain::tell("caller", || match &identified {
            Ok(verified) => told(&verified.caller),
            Err(problem) => json!({ "refused": problem.detail, "because": problem.cause }),
        });
        identified
    }

    /// Whether a user has signed in lately enough to administer others. An operator's token and a service's are short-lived by
    /// themselves.
    ///
    /// # Errors
    /// 401 `insufficient_user_authentication` (RFC 9470).
    pub(crate) fn require_recent(&self, verified: &Verified) -> Result<(), Problem> {
        let (Some(within), Some(signed)) = (self.recent, verified.signed()) else { return Ok(()) };
        let seconds = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
        let earliest = kit::clock::now().seconds().saturating_sub(seconds);
        match signed.claims.auth_time {
            Some(signed_in_at) if signed_in_at < earliest => Err(Problem::recent_sign_in(within)),
            _ => Ok(()),
        }
    }

    /// What an access token of this gateway says, if it is good now.
    ///
    /// # Errors
    /// 401 for one that is not, 503 while that can't be known.
    pub(crate) fn examine(&self, token: &str) -> Result<AccessClaims, Problem> {
        let verified = self.verify(token)?;
        let signed =
            verified.signed().ok_or_else(|| Problem::invalid_token("The token is another issuer's"))?;
        Ok(signed.claims.clone())
    }

    fn verify(&self, token: &str) -> Result<Arc<Verified>, Problem> {
        let name: [u8; 32] = match digest::digest(&digest::SHA256, token.as_bytes()).as_ref().try_into() {
            Ok(name) => name,
            Err(_) => return Err(Problem::internal("a digest of the wrong length")),
        };
        let verified = if let Some(verified) = self.remembered.get(&name) {
            verified
        } else {
            let verified = self.verify_anew(token)?;
            self.remembered.insert(name, Arc::clone(&verified));
            verified
        };
        self.still_good(&verified)?;
        Ok(verified)
    }

    fn verify_anew(&self, token: &str) -> Result<Arc<Verified>, Problem> {
        if token.starts_with(refresh_token::PREFIX) {
            return Err(Problem::invalid_token("Only access tokens are allowed"));
        }
        if let Some(verified) = self.issuers.verify(token) {
            return verified.map(|(caller, external)| Verified::new(caller, Source::External(external)));
        }
        let claims: AccessClaims =
            self.access.load().verifying.verify(token, &self.expected).map_err(|fault| match fault {
                kit::token::TokenFault::Expired => Problem::invalid_token("The token has expired"),
                kit::token::TokenFault::Kind => Problem::invalid_token("Only access tokens are allowed"),
                fault => Problem::invalid_token("The token is not good").because(fault),
            })?;
        let caller = claims.caller().ok_or_else(|| Problem::invalid_token("The token is not good"))?;
        let kid = kit::token::kid(token).unwrap_or_default();
        Ok(Verified::new(caller, Source::Own(Box::new(Signed { claims, kid }))))
    }

    /// Expiry and revocation, of the token, its session, its user and its key, asked every time.
    ///
    /// # Errors
    /// 401 for a token that is not good any more, 503 while that can't be known.
    pub(crate) fn still_good(&self, verified: &Verified) -> Result<(), Problem> {
        let (known, expires) = match &verified.source {
            Source::None => return Ok(()),
            Source::Own(signed) => (self.access.load().verifying.knows(&signed.kid), signed.claims.exp),
            Source::External(external) => (external.issuer.knows(&external.kid), external.expires),
        };
        if !known {
            return Err(Problem::invalid_token("The token is signed with a key that is retired"));
        }
        let leeway = i64::try_from(LEEWAY).unwrap_or_default();
        if kit::clock::now().seconds() > expires.saturating_add(leeway) {
            return Err(Problem::invalid_token("The token has expired"));
        }
        // Only the gateway's own tokens can be revoked.
        let Some(Signed { claims, .. }) = verified.signed() else { return Ok(()) };
        if self.revoked.freshness.is_stale() {
            return Err(Problem::unavailable("Service unavailable", STALE_RETRY)
                .because("the gateway's database has been gone for longer than gateway.revocation_grace"));
        }
        if self.revoked.refuses(claims, verified.caller.user()) {
            return Err(Problem::invalid_token("The token has been revoked"));
        }
        Ok(())
    }

    /// The `Authorization` under which a service is called for this caller.
    ///
    /// # Errors
    /// The token can't be signed.
    pub(crate) fn exchange(&self, verified: &Verified, service: &str) -> Result<HeaderValue, SigningFault> {
        let now = kit::clock::now();
        let mut tokens = verified.internal.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = self.internal.load();
        if let Some(token) = tokens.iter().find(|token| token.service == service)
            && now < token.used_until
            && keys.verifying.knows(&token.kid)
        {
            return Ok(token.authorization.clone());
        }
        let authorization =
            bearer_value(&sign_internal(&keys.signing, &verified.caller, GATEWAY, service, now)?)?;
        tokens.retain(|token| token.service != service);
        tokens.push(InternalToken {
            service: service.to_owned(),
            authorization: authorization.clone(),
            kid: keys.signing.kid().to_owned(),
            used_until: now + INTERNAL_TOKEN_TIME.saturating_sub(INTERNAL_MARGIN),
        });
        Ok(authorization)
    }

    /// An internal token with which a service's account calls a service itself.
    ///
    /// # Errors
    /// The token can't be signed.
    pub(crate) fn sign_for_itself(
        &self,
        account: &Caller,
        service: &str,
        now: Timestamp,
    ) -> Result<SecretString, SigningFault> {
        sign_internal(&self.internal.load().signing, account, &account.subject.to_string(), service, now)
    }
}

fn sign_internal(
    key: &SigningKey,
    caller: &Caller,
    actor: &str,
    service: &str,
    now: Timestamp,
) -> Result<SecretString, SigningFault> {
    let claims = InternalClaims {
        iss: ISSUER.to_owned(),
        aud: service.to_owned(),
        sub: caller.subject.to_string(),
        roles: caller.roles.clone(),
        scope: caller.scopes.clone(),
        sid: caller.session.clone(),
        act: Actor { sub: actor.to_owned() },
        iat: now.seconds(),
        nbf: now.seconds(),
        exp: (now + INTERNAL_TOKEN_TIME).seconds(),
        jti: uuid::Uuid::now_v7().to_string(),
    };
    key.sign(KIND, &claims)
}

/// A token as the value of `Authorization`.
fn bearer_value(token: &SecretString) -> Result<HeaderValue, SigningFault> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
        .map_err(|_| SigningFault::Generate)?;
    value.set_sensitive(true);
    Ok(value)
}
