//! Where service accounts prove themselves to the OAuth operations.

use std::sync::Arc;

use contract::{Problem, ProblemKind, ServiceName, Subject};
use poem::Request;

use super::audit_trail::AuditTrail;
use crate::identity::{
    audit::{Act, Outcome},
    client_credentials::ClientCredentials,
    client_grant::ClientGrants,
    service_accounts::Proved,
};

/// What the OAuth operations share.
pub(crate) struct ClientDoor {
    pub(crate) grants: Arc<ClientGrants>,
    pub(crate) trail: AuditTrail,
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
        let client = self.trail.source(request)?.address;
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
            self.trail.record(request, act).await?;
        }
        proved
    }
}

/// An account as the audit log names it.
pub(crate) fn target(name: &ServiceName) -> String {
    format!("service-accounts/{name}")
}
