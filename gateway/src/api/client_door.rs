//! Where service accounts prove themselves to the OAuth operations.

use std::sync::Arc;

use contract::{Problem, ProblemKind, ServiceName, Subject};
use kit::client_address::TrustedProxies;
use poem::Request;

use crate::{
    identity::{
        audit::{Act, Audit, Outcome},
        client_credentials::ClientCredentials,
        client_grant::ClientGrants,
        service_accounts::Proved,
    },
    services::proxied::{client_address, source},
};

/// What the OAuth operations share.
pub(crate) struct ClientDoor {
    pub(crate) grants: Arc<ClientGrants>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) trusted_proxies: TrustedProxies,
}

impl ClientDoor {
    /// The account behind the credentials. Who fails to prove itself is audited, by the account's name where there is one.
    ///
    /// # Errors
    /// 401 `invalid_client`, 429, 503.
    pub(crate) async fn authenticate(
        &self,
        request: &Request,
        action: &'static str,
        credentials: &ClientCredentials,
    ) -> Result<Proved, Problem> {
        let client = client_address(request, &self.trusted_proxies);
        let proved = self.grants.authenticate(credentials, client).await;
        if let Err(problem) = &proved
            && problem.kind == ProblemKind::InvalidClient
        {
            let known = match credentials.id.parse() {
                Ok(name) => self.grants.accounts.find(&name).await.is_ok().then_some(name),
                Err(_) => None,
            };
            let act = Act {
                actor: Subject::Anonymous,
                action,
                target: known.as_ref().map(target),
                outcome: Outcome::Refused,
                detail: Some(problem.detail.clone().into_owned()),
            };
            self.record(request, act).await?;
        }
        proved
    }

    /// Writes to the audit log.
    ///
    /// # Errors
    /// 503 where that can't be done.
    pub(crate) async fn record(&self, request: &Request, act: Act) -> Result<(), Problem> {
        Ok(self.audit.record(act, &source(request, &self.trusted_proxies)?).await?)
    }
}

/// An account as the audit log names it.
pub(crate) fn target(name: &ServiceName) -> String {
    format!("service-accounts/{name}")
}
