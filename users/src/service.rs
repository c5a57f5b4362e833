//! Puts the parts together: database, rules, routes, listener.

use std::{sync::Arc, time::Duration};

use contract::{
    document::About,
    users::{self as wire, ImportApi, InternalApi, RolesApi, UsersApi},
};
use kit::{
    checked::Checked,
    service::{Contract, Host, Service, StartError},
};

use crate::{
    api::Api,
    config::Config,
    domain::{
        Passwords, Users,
        once::{self, OnceStore},
        password::Pool,
    },
    store::{SCHEMA, SqlStore},
};

/// How often the keys of old requests are forgotten.
const PURGE: Duration = Duration::from_mins(10);

/// Opens the database, which must be migrated, and binds the listener.
///
/// # Errors
/// See [`StartError`].
pub async fn bind(config: Config) -> Result<Service, StartError> {
    let contract = Contract {
        name: wire::SERVICE,
        about: About {
            title: "Users".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "The users service. Called through the gateway, with its internal tokens."
                .to_owned(),
        },
        public: wire::documents()?,
        internal: vec![wire::internal_document()?],
    };
    let host = Host::open(contract, &SCHEMA, config.service()).await?;
    let pool = Pool::new(config.hash_workers, config.hash_queue);
    let passwords = Passwords::new(config.password_policy, config.password_cost, pool);
    let store = SqlStore::new(host.database().clone());
    let users = Users::new(store.clone(), passwords, config.rules(), kit::clock::now);
    let api = Api::new(Arc::new(users));
    let operations = host.operations();
    let limit = host.body_limit();
    let operations = (
        Checked::new(UsersApi::new(api.clone()), Arc::clone(operations), limit),
        Checked::new(ImportApi::new(api.clone()), Arc::clone(operations), limit),
        Checked::new(RolesApi::new(api.clone()), Arc::clone(operations), limit),
        Checked::new(InternalApi::new(api), Arc::clone(operations), limit),
    );
    Ok(host.serving(operations).every(PURGE, move || forget_keys(store.clone())))
}

/// Forgets the keys of old requests.
async fn forget_keys(store: SqlStore) {
    let Some(until) = once::forgotten_until(kit::clock::now()) else { return };
    if let Err(error) = store.purge_keys(until).await {
        tracing::warn!(%error, "the keys of old requests could not be forgotten");
    }
}
