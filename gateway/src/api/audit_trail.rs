//! Writes what the gateway's own operations did into the audit log, with where the request came from.

use std::sync::Arc;

use contract::Problem;
use kit::client_address::TrustedProxies;
use poem::Request;

use crate::{
    identity::audit::{Act, Audit, Source},
    services::proxied::source,
};

/// The audit log, as operations write to it.
#[derive(Clone)]
pub(crate) struct AuditTrail {
    pub(crate) audit: Arc<Audit>,
    pub(crate) trusted_proxies: TrustedProxies,
}

impl AuditTrail {
    /// Where a request comes from.
    pub(crate) fn source(&self, request: &Request) -> Result<Source, Problem> {
        source(request, &self.trusted_proxies)
    }

    /// Writes what a request did.
    ///
    /// # Errors
    /// 503 where that can't be done.
    pub(crate) async fn record(&self, request: &Request, act: Act) -> Result<(), Problem> {
        Ok(self.audit.record(act, &self.source(request)?).await?)
    }
}
