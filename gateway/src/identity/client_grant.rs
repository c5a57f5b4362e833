//! Tokens for service accounts (RFC 6749 §4.4): who asks proves itself, and gets no more than it may have.

use std::{net::IpAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use contract::{Caller, Problem, Scopes, ServiceName, Subject};
use secrecy::SecretString;

use super::{
    access_token::{self, Grant},
    authenticate::{Authenticator, INTERNAL_TOKEN_TIME},
    client_credentials::ClientCredentials,
    keys::{Keys, SigningFault},
    service_accounts::{AccountFault, Proved, ServiceAccounts},
    throttle::{Throttle, ThrottleFault},
};

/// Checks client credentials and gives out tokens for them.
pub(crate) struct ClientGrants {
    pub(crate) accounts: Arc<ServiceAccounts>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) access_keys: Arc<ArcSwap<Keys>>,
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

/// A token that was given out.
pub(crate) struct Granted {
    pub(crate) token: SecretString,
    pub(crate) expires_in: Duration,
    pub(crate) scopes: Scopes,
    /// The service that it is for; the gateway, if none.
    pub(crate) service: Option<ServiceName>,
}

impl ClientGrants {
    /// The account behind these credentials.
    ///
    /// Failures are counted, for the account and for the address, and refused where there are too many. A right secret is never
    /// held back: guesses at 256 random bits need no lock, so that nobody can lock an account out.
    ///
    /// # Errors
    /// 401 `invalid_client`, 429, 503.
    pub(crate) async fn authenticate(
        &self,
        credentials: &ClientCredentials,
        client: IpAddr,
    ) -> Result<Proved, Problem> {
        let proved = self.accounts.prove(&credentials.id, credentials.secret.expose()).await;
        if let Some(proved) = proved.map_err(AccountFault::from)? {
            return Ok(proved);
        }
        let attempt = self.throttle.begin(&credentials.id, client).await?;
        attempt.failed().await.map_err(ThrottleFault::from)?;
        Err(Problem::invalid_client("The client is unknown, disabled, or its secret is wrong"))
    }

    /// A token for an account that has proved itself: for the gateway, or for the service that `audience` names.
    ///
    /// # Errors
    /// 400 `invalid_scope` or `invalid_target`.
    pub(crate) fn grant(
        &self,
        proved: &Proved,
        scope: Option<&str>,
        audience: Option<&str>,
    ) -> Result<Granted, Problem> {
        let scopes = narrowed(&proved.account.scopes, scope)?;
        let service = match audience {
            None => None,
            Some(own) if own == self.audience || own == self.issuer => None,
            Some(name) => {
                let known = proved.account.audiences.iter().find(|service| service.as_str() == name);
                Some(known.cloned().ok_or_else(|| {
                    Problem::oauth(
                        "invalid_target",
                        "The account may not call the service that audience names",
                    )
                })?)
            }
        };
        let subject = Subject::Service(proved.account.name.to_string());
        let (token, expires_in) = match &service {
            None => self.access(proved, &subject, &scopes).map_err(Problem::internal)?,
            Some(service) => {
                let roles = proved.account.roles.clone();
                let caller = Caller { subject, roles, scopes: scopes.clone(), session: None };
                let signed = self.authenticator.sign_for_itself(&caller, service.as_str(), proved.at);
                (signed.map_err(Problem::internal)?, INTERNAL_TOKEN_TIME)
            }
        };
        Ok(Granted { token, expires_in, scopes, service })
    }

    fn access(
        &self,
        proved: &Proved,
        subject: &Subject,
        scopes: &Scopes,
    ) -> Result<(SecretString, Duration), SigningFault> {
        let left = proved
            .secret
            .expires_at
            .and_then(|expires| Duration::try_from(expires.date_time() - proved.at.date_time()).ok());
        let lifetime = left.map_or(self.accounts.access_time, |left| left.min(self.accounts.access_time));
        let grant = Grant {
            issuer: &self.issuer,
            audience: &self.audience,
            subject,
            session: None,
            signed_in_at: None,
            methods: &[],
            roles: &proved.account.roles,
            scopes,
            secret: Some(proved.secret.id),
            lifetime,
        };
        Ok((access_token::issue(&self.access_keys.load().signing, &grant, proved.at)?, lifetime))
    }
}

/// The account's scopes, or those of them that are asked for.
fn narrowed(own: &Scopes, asked: Option<&str>) -> Result<Scopes, Problem> {
    let invalid = |detail: String| Problem::oauth("invalid_scope", detail);
    let scopes = match asked {
        None => own.clone(),
        Some(text) => text.parse::<Scopes>().map_err(|_| invalid("A scope can't be read".to_owned()))?,
    };
    if let Some(beyond) = scopes.iter().find(|scope| !own.contains(scope)) {
        return Err(invalid(format!("The account does not have the scope {beyond}")));
    }
    if scopes.is_empty() {
        return Err(invalid("The token would have no scope, and be good for nothing".to_owned()));
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_narrows_and_never_widens() {
        let own: Scopes = "users:read audit:read".parse().unwrap();
        let ask = |scope| narrowed(&own, scope).map(|scopes| scopes.to_string());
        assert_eq!(ask(None).unwrap(), "audit:read users:read");
        assert_eq!(ask(Some("users:read")).unwrap(), "users:read");
        for bad in ["users:write", "users:read users:write", "Users", " ", "a\"b"] {
            assert_eq!(ask(Some(bad)).unwrap_err().error, Some("invalid_scope"), "{bad:?}");
        }
        assert_eq!(narrowed(&Scopes::default(), None).unwrap_err().error, Some("invalid_scope"));
    }
}
