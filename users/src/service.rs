//! Puts the parts together: database, rules, routes, listener.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use contract::{
    document::{self, About, DocumentError},
    operation::Operation,
    schema::CompileError,
    users::{self as wire, ImportApi, InternalApi, RolesApi, UsersApi},
};
use kit::{
    checked::Checked,
    database::{Database, DatabaseError},
    edge::{Edge, Trust},
    health::{Check, Live, Ready},
    internal_token::{InternalTokens, RequireInternalToken},
    routes::Routes,
    server::Server,
};
use poem::{Endpoint, IntoEndpoint, IntoResponse, Route, endpoint::make_sync, http::Method};
use poem_openapi::OpenApiService;
use tokio_util::sync::CancellationToken;

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

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be opened, or its schema is not the one of this binary.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The address can't be bound.
    #[error("the users service can't listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// The client that fetches the gateway's keys can't be built.
    #[error("the gateway's keys can't be fetched: {0}")]
    Keys(String),
    /// The contract has no document.
    #[error("the contract can't be documented: {0}")]
    Document(#[from] DocumentError),
    /// The contract's schemas can't be compiled.
    #[error("the contract can't be compiled: {0}")]
    Contract(#[from] CompileError),
}

/// Why the service did not end well. It has served until it was told to stop all the same.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database could not be closed in order.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The service, bound and not serving yet.
pub struct Service {
    server: Server,
    database: Database,
    config: Config,
    operations: Arc<Vec<Operation>>,
    document: String,
    tokens: Arc<InternalTokens>,
}

/// Opens the database, which must be migrated, and binds the listener.
///
/// # Errors
/// See [`StartError`].
pub async fn bind(config: Config) -> Result<Service, StartError> {
    let public = wire::documents()?;
    let about = About {
        title: "Users".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: "The users service. Called through the gateway, with its internal tokens.".to_owned(),
    };
    let whole = document::merge(&about, &[public.as_slice(), &[wire::internal_document()?]].concat())?;
    let operations = Operation::all(&whole)?;
    let document = document::merge(&about, &public)?.to_string();
    let tokens = InternalTokens::new(wire::SERVICE, &config.gateway_url)
        .map_err(|error| StartError::Keys(error.to_string()))?;
    let database = Database::connect(&config.database, config.database_connections, "platform-users").await?;
    database.require_schema(&SCHEMA).await?;
    let server = Server::bind(config.listen, config.limits)
        .await
        .map_err(|cause| StartError::Listen { address: config.listen, cause })?;
    Ok(Service {
        server,
        database,
        config,
        operations: Arc::new(operations),
        document,
        tokens: Arc::new(tokens),
    })
}

impl Service {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Serves until `shutdown`, finishes what is in flight, and closes the database.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let app = app(&self.config, &self.database, &self.operations, self.document, self.tokens, &shutdown);
        let forgetting = forget_keys(SqlStore::new(self.database.clone()), shutdown.clone());
        tokio::join!(self.server.run(app, shutdown), forgetting);
        Ok(self.database.close().await?)
    }
}

/// Forgets the keys of old requests, now and then.
async fn forget_keys(store: SqlStore, shutdown: CancellationToken) {
    let mut purging = tokio::time::interval(PURGE);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = purging.tick() => {
                let Some(until) = once::forgotten_until(kit::clock::now()) else { continue };
                if let Err(error) = store.purge_keys(until).await {
                    tracing::warn!(%error, "the keys of old requests could not be forgotten");
                }
            }
        }
    }
}

fn app(
    config: &Config,
    database: &Database,
    operations: &Arc<Vec<Operation>>,
    document: String,
    tokens: Arc<InternalTokens>,
    shutdown: &CancellationToken,
) -> impl Endpoint + use<> {
    let mut routes = Routes::of(operations);
    for path in ["/healthz", "/readyz", "/metrics", "/api_v1/openapi.json"] {
        routes.add(path, Method::GET);
    }
    let pool = Pool::new(config.hash_workers, config.hash_queue);
    let passwords = Passwords::new(config.password_policy, config.password_cost, pool);
    let users = Users::new(SqlStore::new(database.clone()), passwords, config.rules(), kit::clock::now);
    let api = Api::new(Arc::new(users));
    let operations_of = |limit| {
        (
            Checked::new(UsersApi::new(api.clone()), Arc::clone(operations), limit),
            Checked::new(ImportApi::new(api.clone()), Arc::clone(operations), limit),
            Checked::new(RolesApi::new(api.clone()), Arc::clone(operations), limit),
            Checked::new(InternalApi::new(api.clone()), Arc::clone(operations), limit),
        )
    };
    let service = OpenApiService::new(operations_of(config.body_limit), "Users", env!("CARGO_PKG_VERSION"));
    let database = database.clone();
    let database_answers = Check::new("database", move || {
        let database = database.clone();
        async move {
            database.ping().await.map_err(|error| {
                tracing::warn!(%error, "the database does not answer");
                "does not answer".to_owned()
            })
        }
    });
    let app = Route::new()
        .at("/healthz", poem::get(Live))
        .at("/readyz", poem::get(Ready::new(vec![database_answers], shutdown.clone())))
        .at("/metrics", poem::get(kit::metrics::MetricsEndpoint::default()))
        .at(
            "/api_v1/openapi.json",
            poem::get(make_sync(move |_| document.clone().with_content_type("application/json"))),
        )
        .nest("/", RequireInternalToken::new(service.into_endpoint(), tokens).changes_through_gateway());
    Edge::new(app, wire::SERVICE, Arc::new(routes), Trust::Peer)
}
