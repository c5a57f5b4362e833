//! What a gateway would serve, without one that runs.

use std::{sync::Arc, time::Duration};

use contract::operation::Operation;
use kit::config::{Composed, Declared};

use crate::{
    StartError,
    assembly::{declared, handshake, typed_operations},
    document::Builtin,
    services::{
        declared::{Declarations, Times},
        typed::Typed,
    },
    upstream::{BadUpstreamUrl, PoolConfig, Upstream},
};

/// What a gateway with declared services serves.
#[derive(Debug)]
pub struct Published {
    /// The one document.
    pub document: serde_json::Value,
    /// Every operation with the service that has it.
    pub operations: Vec<(String, Operation)>,
}

/// What a gateway with these services, and what is composed of them, would serve; nothing is started.
///
/// # Errors
/// [`StartError::Services`], [`StartError::Document`].
pub async fn published(services: &[Declared], composed: &[Composed]) -> Result<Published, StartError> {
    let times =
        Times { connect: Duration::from_secs(1), total: Duration::from_secs(1), contract_every: None };
    // Nothing is called.
    let upstreams = Typed::each(|service| {
        let pool = PoolConfig::new(service, vec!["http://127.0.0.1:1".to_owned()]);
        let wrong = |error: BadUpstreamUrl| StartError::UpstreamUrl { service, fault: error.to_string() };
        Upstream::new(pool).map(Arc::new).map_err(wrong)
    })?;
    let builtin = Builtin::new()?;
    let own = typed_operations(&upstreams, &Typed::each(handshake)?, &builtin);
    let declarations = Declarations { services, composed };
    let bound = declared(declarations, &own, builtin.document, times, None).await?;
    let own = builtin.operations.into_iter().map(|(service, operation)| (service.to_owned(), operation));
    let operations = own.chain(bound.operations.iter().cloned()).collect();
    Ok(Published { document: bound.documents.whole(), operations })
}
