//! Access tokens of other issuers: whose they are, and the keys that they are checked with.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use contract::{Caller, Problem, Role, Scopes, ServiceName, Subject};
use kit::{
    config::IssuerSettings,
    remote_keys::RemoteKeys,
    token::{self, Expected, KeySet, TokenFault},
};
use serde::Deserialize;
use serde_json::Value;

/// Keys of another issuer are asked for again after this time: so long goes on what it has withdrawn.
const FRESH: Duration = Duration::from_mins(10);

/// Bytes of a subject at most (`OpenID` Connect Core §2).
const LONGEST_SUBJECT: usize = 255;

/// Issuers can't be made out of the settings.
#[derive(Debug, thiserror::Error)]
#[error("[[issuer]] {name}: {problem}")]
pub struct IssuerFault {
    name: ServiceName,
    problem: String,
}

/// The other issuers that are known.
#[derive(Default)]
pub(crate) struct Issuers(Vec<Arc<Issuer>>);

/// One of them.
pub(crate) struct Issuer {
    pub(crate) name: ServiceName,
    expected: Expected,
    keys: RemoteKeys,
    settings: IssuerSettings,
}

/// What is remembered of a token that was good.
pub(crate) struct External {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) kid: String,
    /// Seconds since 1970.
    pub(crate) expires: i64,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default)]
    scope: Option<String>,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

impl Issuers {
    /// # Errors
    /// One of them says that it is this gateway, or no HTTP client can be made.
    pub(crate) fn new(settings: &[IssuerSettings], own: &str) -> Result<Self, IssuerFault> {
        let issuers = settings.iter().map(|settings| {
            let fault = |problem: String| IssuerFault { name: settings.name.clone(), problem };
            if settings.issuer == own {
                return Err(fault("issuer is this gateway's own".to_owned()));
            }
            let keys = RemoteKeys::new(&settings.issuer, settings.keys.to_string(), FRESH, KeySet::of_issuer)
                .map_err(|error| fault(error.to_string()))?;
            Ok(Arc::new(Issuer {
                name: settings.name.clone(),
                expected: Expected::of_issuer(&settings.issuer, &settings.audience),
                keys,
                settings: settings.clone(),
            }))
        });
        issuers.collect::<Result<_, _>>().map(Self)
    }

    /// Sees to it that the keys of the issuer of this token are known, as far as they can be.
    pub(crate) async fn look_up_key_of(&self, token: &str) {
        let Some(issuer) = self.of(token) else { return };
        let Some(kid) = token::kid(token) else { return };
        if let Err(error) = issuer.keys.look_up(&kid).await {
            tracing::warn!(%error, issuer = issuer.name.as_str(), "tokens of an issuer can't be checked");
        }
    }

    /// Whether a token says that it is of one of these.
    pub(crate) fn have(&self, token: &str) -> bool {
        self.of(token).is_some()
    }

    /// Whose token this says it is; `None` for none of these.
    fn of(&self, token: &str) -> Option<&Arc<Issuer>> {
        if self.0.is_empty() {
            return None;
        }
        let named = token::issuer(token)?;
        self.0.iter().find(|issuer| issuer.expected.issuer == named)
    }

    /// The caller that a token stands for; `None` for a token of none of these.
    ///
    /// # Errors
    /// 401 for one that is not good.
    pub(crate) fn verify(&self, token: &str) -> Option<Result<(Caller, External), Problem>> {
        let issuer = self.of(token)?;
        Some(issuer.verify(token).map_err(|fault| match fault {
            TokenFault::Expired => Problem::invalid_token("The token has expired"),
            fault => Problem::invalid_token("The token is not good").because(fault),
        }))
    }
}

impl Issuer {
    /// Whether it still publishes this key, as far as is known.
    pub(crate) fn knows(&self, kid: &str) -> bool {
        self.keys.knows(kid)
    }

    fn verify(self: &Arc<Self>, token: &str) -> Result<(Caller, External), TokenFault> {
        let claims: Claims = self.keys.verify(token, &self.expected)?;
        let kid = token::kid(token).ok_or(TokenFault::UnknownKey)?;
        let named = (1..=LONGEST_SUBJECT).contains(&claims.sub.len())
            && claims.sub.bytes().all(|byte| byte.is_ascii_graphic());
        if !named {
            return Err(TokenFault::Claims);
        }
        let caller = Caller {
            roles: self.roles(&claims.others),
            scopes: scopes(claims.scope.as_deref()),
            session: None,
            subject: Subject::External { issuer: self.name.to_string(), subject: claims.sub },
        };
        Ok((caller, External { issuer: Arc::clone(self), kid, expires: claims.exp }))
    }

    /// The roles that the settings give for those of the token.
    fn roles(&self, claims: &serde_json::Map<String, Value>) -> BTreeSet<Role> {
        let Some(pointer) = &self.settings.roles_claim else { return BTreeSet::new() };
        let mut tokens = pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"));
        let first = tokens.next().and_then(|name| claims.get(&name));
        let found = tokens.fold(first, |value, name| value.and_then(|value| value.get(name)));
        let named = match found {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(names)) => names.split(' ').collect(),
            _ => Vec::new(),
        };
        named.into_iter().filter_map(|name| self.settings.roles.get(name).cloned()).collect()
    }
}

/// Scopes limit a token where they are of this platform's form, such as `orders:read`; `openid` and its like say nothing here.
fn scopes(claim: Option<&str>) -> Scopes {
    claim
        .unwrap_or_default()
        .split(' ')
        .filter(|name| name.contains(':'))
        .filter_map(|name| name.parse().ok())
        .collect()
}
