//! A service of the platform's own, from its contract to its listener: what all of them have alike, written once.
//!
//! Its operations are checked against its own document, behind internal tokens; `/healthz`, `/readyz`, `/metrics`, the document
//! and the contract that a gateway compares with its own need none.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use contract::{
    document::{self, About, DocumentError},
    handshake::{self, Offer},
    operation::Operation,
    schema::CompileError,
};
use futures_util::future::BoxFuture;
use poem::{
    Endpoint, IntoEndpoint, IntoResponse, Response, Route,
    endpoint::make_sync,
    http::{Method, StatusCode, header},
};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    body::BodyLimit,
    database::{Database, DatabaseError, DatabaseUrl, Schema},
    edge::{Edge, Trust},
    health::{Check, Live, Ready},
    internal_token::{InternalTokens, RequireInternalToken},
    metrics::MetricsEndpoint,
    routes::Routes,
    server::{Limits, Server},
};

/// Where a service's document is found at the service itself.
const DOCUMENT_PATH: &str = "/api_v1/openapi.json";

/// What every service must be told.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where its data is kept.
    pub database: DatabaseUrl,
    /// Connections to the database at once.
    pub database_connections: u32,
    /// Where the gateway serves the keys of its internal tokens.
    pub gateway_url: String,
    /// What the listener takes.
    pub limits: Limits,
    /// What a request body may take.
    pub body_limit: BodyLimit,
}

impl ServiceConfig {
    /// The settings of a fresh installation, for this address, database and gateway.
    #[must_use]
    pub fn new(listen: SocketAddr, database: DatabaseUrl, gateway_url: String) -> Self {
        Self {
            listen,
            database,
            database_connections: 10,
            gateway_url,
            limits: Limits::default(),
            body_limit: BodyLimit::default(),
        }
    }
}

/// What a service says of itself.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The name by which it is bound, and the `aud` of its internal tokens.
    pub name: &'static str,
    /// The head of its document.
    pub about: About,
    /// The documents of its public operations.
    pub public: Vec<Value>,
    /// The documents of operations for the gateway alone, which it does not publish.
    pub internal: Vec<Value>,
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be opened, or its schema is not the one of this binary.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The address can't be bound.
    #[error("the {service} service can't listen on {address}: {cause}")]
    Listen {
        /// The service.
        service: &'static str,
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

/// Why a service did not end well. It has served until it was told to stop all the same.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database could not be closed in order.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// A listener and a database that are open, for a service whose operations are not put together yet.
pub struct Host {
    name: &'static str,
    title: String,
    server: Server,
    database: Database,
    operations: Arc<Vec<Operation>>,
    body_limit: BodyLimit,
    document: String,
    offer: Offer,
    tokens: Arc<InternalTokens>,
}

impl Host {
    /// Opens the database, which must have this schema, and binds the listener.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn open(
        contract: Contract,
        schema: &Schema,
        config: ServiceConfig,
    ) -> Result<Self, StartError> {
        let Contract { name, about, public, internal } = contract;
        let document = document::merge(&about, public.clone())?.to_string();
        let offer = Offer::new(handshake::shared(name, public.clone())?);
        let operations = Operation::all(&document::merge(&about, public.into_iter().chain(internal))?)?;
        let tokens = InternalTokens::new(name, &config.gateway_url)
            .map_err(|error| StartError::Keys(error.to_string()))?;
        let application = format!("platform-{name}");
        let database = Database::connect(&config.database, config.database_connections, &application).await?;
        database.require_schema(schema).await?;
        let server = Server::bind(config.listen, config.limits)
            .await
            .map_err(|cause| StartError::Listen { service: name, address: config.listen, cause })?;
        Ok(Self {
            name,
            title: about.title,
            server,
            database,
            operations: Arc::new(operations),
            body_limit: config.body_limit,
            document,
            offer,
            tokens: Arc::new(tokens),
        })
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Every operation of the contract, compiled: what [`crate::checked::Checked`] is given.
    #[must_use]
    pub fn operations(&self) -> &Arc<Vec<Operation>> {
        &self.operations
    }

    /// What a request body may take.
    #[must_use]
    pub fn body_limit(&self) -> BodyLimit {
        self.body_limit
    }

    /// The service, with these operations.
    #[must_use]
    pub fn serving<A: OpenApi + 'static>(self, api: A) -> Service {
        let Self { name, title, server, database, operations, document, offer, tokens, .. } = self;
        let address = server.address();
        let api = OpenApiService::new(api, title, env!("CARGO_PKG_VERSION")).into_endpoint();
        let guarded = RequireInternalToken::new(api, tokens).changes_through_gateway();
        let run = move |shutdown: CancellationToken| -> BoxFuture<'static, Result<(), ServeError>> {
            Box::pin(async move {
                let routes = plain(&database, document, &offer, &shutdown).nest("/", guarded);
                server.run(app(name, &operations, routes), shutdown).await;
                database.close().await.map_err(ServeError::from)
            })
        };
        Service { address, run: Box::new(run) }
    }
}

fn app(name: &'static str, operations: &[Operation], routes: Route) -> impl Endpoint + use<> {
    let mut paths = Routes::of(operations);
    for path in ["/healthz", "/readyz", "/metrics", DOCUMENT_PATH, handshake::PATH] {
        paths.add(path, Method::GET);
    }
    Edge::new(routes, name, Arc::new(paths), Trust::Peer)
}

/// What is served without a token.
fn plain(database: &Database, document: String, offer: &Offer, shutdown: &CancellationToken) -> Route {
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
    Route::new()
        .at("/healthz", poem::get(Live))
        .at("/readyz", poem::get(Ready::new(vec![database_answers], shutdown.clone())))
        .at("/metrics", poem::get(MetricsEndpoint::default()))
        .at(
            DOCUMENT_PATH,
            poem::get(make_sync(move |_| document.clone().with_content_type("application/json"))),
        )
        .at(handshake::PATH, poem::get(contract_of(offer)))
}

/// The contract, which who knows it already need not read again.
fn contract_of(offer: &Offer) -> impl Endpoint + use<> {
    let tag = format!("\"{}\"", offer.fingerprint);
    let body = serde_json::to_string(offer).unwrap_or_default();
    make_sync(move |request| {
        let known = request.header(header::IF_NONE_MATCH) == Some(tag.as_str());
        let answer = Response::builder().header(header::ETAG, &tag).header(header::CACHE_CONTROL, "no-cache");
        if known {
            answer.status(StatusCode::NOT_MODIFIED).finish()
        } else {
            answer.content_type("application/json").body(body.clone())
        }
    })
}

type Run = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, Result<(), ServeError>> + Send>;

/// A service, bound and not serving yet.
pub struct Service {
    address: SocketAddr,
    run: Run,
}

impl Service {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// With work that is done every so often while it serves, the first time at once.
    #[must_use]
    pub fn every<F, W>(self, pause: Duration, mut work: F) -> Self
    where
        F: FnMut() -> W + Send + 'static,
        W: Future<Output = ()> + Send,
    {
        let run = self.run;
        let both = move |shutdown: CancellationToken| -> BoxFuture<'static, Result<(), ServeError>> {
            let until = shutdown.clone();
            let working = async move {
                let mut ticks = tokio::time::interval(pause);
                loop {
                    tokio::select! {
                        () = until.cancelled() => return,
                        _ = ticks.tick() => work().await,
                    }
                }
            };
            Box::pin(async move { tokio::join!(run(shutdown), working).0 })
        };
        Self { address: self.address, run: Box::new(both) }
    }

    /// Serves until `shutdown`, finishes what is in flight, and closes the database.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        (self.run)(shutdown).await
    }
}
