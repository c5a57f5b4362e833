//! Puts the parts together: database, rules, routes, listener.

use std::sync::Arc;

use contract::{
    document::About,
    widgets::{self as wire, WidgetsApi},
};
use kit::{
    checked::Checked,
    service::{Contract, Host, Service, StartError},
};

use crate::{
    Config,
    api::Api,
    store::{SCHEMA, Store},
};

/// Opens the database, which must be migrated, and binds the listener.
///
/// # Errors
/// See [`StartError`].
pub async fn bind(config: Config) -> Result<Service, StartError> {
    let contract = Contract {
        name: wire::SERVICE,
        about: About {
            title: "Widgets".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "The widgets service. Called through the gateway, with its internal tokens."
                .to_owned(),
        },
        public: wire::documents()?,
        internal: Vec::new(),
    };
    let host = Host::open(contract, &SCHEMA, config).await?;
    let api = Api::new(Store::new(host.database().clone()));
    let operations = Checked::new(WidgetsApi::new(api), Arc::clone(host.operations()), host.body_limit());
    Ok(host.serving(operations))
}
