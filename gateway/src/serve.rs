//! Builds the gateway's parts and runs them until told to stop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use contract::operation::Operation;
use kit::{
    config::{Composed, Declared},
    database::{Database, DatabaseError},
    edge::{Edge, Trust},
    health::{Check, Live, Ready},
    internal_token::KEYS_PATH,
    routes::Routes,
    server::{Limits, Server, Tls, TlsFault},
    token::Expected,
};
use poem::{EndpointExt, Route, http::Method};
use tokio_util::sync::CancellationToken;

use crate::{
    Config,
    api::keys::JwkSetEndpoint,
    cache::{Cache, Kept},
    document::{OperationsError, known, operations, public_document},
    handshake::Handshake,
    identity::{
        access_token, attempts,
        audit::Audit,
        authenticate::{Authenticator, INTERNAL_TOKEN_TIME},
        client_grant::ClientGrants,
        external::{IssuerFault, Issuers},
        keyring::{KeyTimes, Keyring, KeyringFault},
        keys::{Purpose, SigningFault},
        links::Links,
        operator::OPERATOR_TOKEN_TIME,
        revocation::Revoked,
        second_factor::SecondFactors,
        service_accounts::ServiceAccounts,
        session_count,
        sessions::{Lifetimes, Sessions},
        throttle::{self, Throttle},
        watch::{self, Watch},
    },
    mail::{Outbox, Postman},
    parts::Parts,
    rate_limits::RateLimits,
    reload::Reloader,
    services::{
        declared::{self, BindFault, Bound, Declarations, Own, Times},
        typed::{self, Typed},
    },
    standing::{self, Standings},
    store,
    tunnels::Tunnels,
    upstream::{BadUpstreamUrl, PoolConfig, Upstream, UsersClient},
    valkey::Valkey,
};

/// Letters that can be asked for about one account from one address before a wait, and how long they are remembered.
const LETTERS: u32 = 5;
const LETTER_WINDOW: Duration = Duration::from_hours(1);

/// Bytes of one cached answer at most.
const CACHED_ANSWER_BYTES: usize = 1024 * 1024;

/// Connections of the watch over revocations and keys.
const WATCH_CONNECTIONS: u32 = 1;

/// The gateway can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener can't be bound.
    #[error("{setting}: {address} can't be bound: {error}")]
    Bind {
        /// The setting that names the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The database can't be opened, or its schema is another's.
    #[error("the gateway's database: {0}")]
    Database(#[from] DatabaseError),
    /// The signing keys can't be made or opened.
    #[error("gateway.master_key: {0}")]
    Keys(String),
    /// A service's address is no URL, or is not there.
    #[error("{service}.url: {fault}")]
    UpstreamUrl {
        /// The service.
        service: &'static str,
        /// What is wrong with it.
        fault: String,
    },
    /// Declared services can't be bound; a line each.
    #[error("{}", lines(.0))]
    Services(Vec<BindFault>),
    /// Another issuer can't be known.
    #[error(transparent)]
    Issuer(#[from] IssuerFault),
    /// The certificate or its key can't be used.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// The documents do not fit together.
    #[error(transparent)]
    Document(#[from] OperationsError),
}

fn lines(faults: &[BindFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

impl From<KeyringFault> for StartError {
    fn from(fault: KeyringFault) -> Self {
        match fault {
            KeyringFault::Database(error) => Self::Database(error),
            other => Self::Keys(other.to_string()),
        }
    }
}

impl From<SigningFault> for StartError {
    fn from(fault: SigningFault) -> Self {
        Self::Keys(fault.to_string())
    }
}

/// A gateway that is bound and not serving yet.
pub struct Service {
    server: Server,
    contract_every: Option<Duration>,
    ops: Server,
    parts: Parts,
    watch: Watch,
    reloader: Reloader,
    limits: Limits,
}

/// The gateway's listeners, bound before anything else: whoever must know its address learns it from them, also where the
/// port was 0.
pub struct Listeners {
    public: Server,
    ops: Server,
}

impl Listeners {
    /// Binds both.
    ///
    /// # Errors
    /// [`StartError::Bind`].
    pub async fn bind(public: SocketAddr, ops: SocketAddr, limits: Limits) -> Result<Self, StartError> {
        Ok(Self {
            public: listen("gateway.listen", public, limits).await?,
            // It goes on until the public one has ended.
            ops: listen("ops.listen", ops, Limits { accept_time: Duration::ZERO, ..limits }).await?,
        })
    }

    /// Where the public listener is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.public.address()
    }

    /// Where the operations listener is.
    #[must_use]
    pub fn ops_address(&self) -> SocketAddr {
        self.ops.address()
    }
}

/// Binds the listeners that the configuration names, and everything behind them, as [`bind_on`].
///
/// # Errors
/// [`StartError`].
pub async fn bind(config: Config) -> Result<Service, StartError> {
    let listeners = Listeners::bind(config.listen, config.ops_listen, config.limits).await?;
    bind_on(listeners, config).await
}

/// Opens the database and makes what keys are missing, behind listeners that are bound already. It does not migrate.
///
/// # Errors
/// [`StartError`].
pub async fn bind_on(listeners: Listeners, config: Config) -> Result<Service, StartError> {
    let database =
        Database::connect(&config.database_url, config.database_connections, "platform-gateway").await?;
    database.require_schema(&store::SCHEMA).await?;
    let Listeners { public, ops } = listeners;
    let tls = config.tls.as_ref().map(Tls::read).transpose()?.map(Arc::new);
    let server = public.encrypted(tls.clone());
    let operations = all_operations()?;
    let parts = parts(&config, database, server.address()).await?;
    let own = Database::connect(&config.database_url, WATCH_CONNECTIONS, "platform-gateway-watch").await?;
    let watch = watch::begin(Arc::clone(&parts.revoked), Arc::clone(&parts.keyring), own).await?;
    let limits = config.limits;
    let reloader = Reloader::new(parts.clone(), operations, own_document()?, &config, tls);
    Ok(Service { server, contract_every: config.contract_every, ops, parts, watch, reloader, limits })
}

/// Every operation that is bound without any declaration.
pub(crate) fn all_operations() -> Result<Arc<Vec<Operation>>, OperationsError> {
    Ok(Arc::new(operations()?.into_iter().map(|(_, operation)| operation).collect()))
}

async fn listen(setting: &'static str, address: SocketAddr, limits: Limits) -> Result<Server, StartError> {
    Server::bind(address, limits).await.map_err(|error| StartError::Bind { setting, address, error })
}

pub(crate) async fn parts(
    config: &Config,
    database: Database,
    address: SocketAddr,
) -> Result<Parts, StartError> {
    let times = KeyTimes {
        publish: config.key_publish_time,
        // Whatever signs access tokens for longer than these must be named here: a rotation waits for their end.
        access_token: config.access_token_time.max(OPERATOR_TOKEN_TIME),
        internal_token: INTERNAL_TOKEN_TIME,
    };
    let keyring = Arc::new(Keyring::open(database.clone(), config.master_key.clone(), times).await?);
    let revoked = Arc::new(Revoked::new(config.revocation_grace));
    let issuer = config.issuer(address).unwrap_or_default();
    let expected = Expected::of_ours(access_token::KIND, &issuer, &config.audience);
    let issuers = Arc::new(Issuers::new(&config.issuers, &issuer)?);
    let authenticator = Arc::new(
        Authenticator::new(
            Arc::clone(keyring.keys(Purpose::Access)),
            Arc::clone(keyring.keys(Purpose::Internal)),
            expected,
            Arc::clone(&revoked),
        )
        .recent(config.recent_sign_in)
        .beside(Arc::clone(&issuers)),
    );
    let sessions = Arc::new(Sessions {
        database: database.clone(),
        keys: Arc::clone(keyring.keys(Purpose::Access)),
        refresh_key: config.master_key.refresh_key().map_err(SigningFault::from)?,
        revoked: Arc::clone(&revoked),
        lifetimes: Lifetimes {
            access: config.access_token_time,
            sliding: config.refresh_sliding,
            absolute: config.refresh_absolute,
        },
        issuer: issuer.clone(),
        audience: config.audience.clone(),
    });
    let service_accounts = Arc::new(ServiceAccounts {
        database: database.clone(),
        revoked: Arc::clone(&revoked),
        known: known()?,
        access_time: config.access_token_time,
    });
    let client_grants = Arc::new(ClientGrants {
        accounts: Arc::clone(&service_accounts),
        throttle: guesses(throttle::Kind::Client, &database, config),
        authenticator: Arc::clone(&authenticator),
        access_keys: Arc::clone(keyring.keys(Purpose::Access)),
        issuer: sessions.issuer.clone(),
        audience: config.audience.clone(),
    });
    let upstreams = Typed::each(|service| upstream(config, service))?;
    let handshakes = Typed::each(handshake)?;
    let users = Arc::new(UsersClient::new(Arc::clone(&upstreams.users), Arc::clone(&authenticator)));
    let own: Arc<[Own]> = typed_operations(&upstreams, &handshakes)?.into();
    let declared = first_declared(config, &own).await?;
    let postman = Arc::new(postman(config, &database, &issuer));
    let factors = Arc::new(second_factors(config, &database, &postman.platform));
    let valkey = valkey(config).await;
    Ok(Parts {
        upstreams,
        handshakes,
        users: Arc::clone(&users),
        declared: Arc::new(ArcSwap::from_pointee(declared)),
        own,
        authenticator,
        sessions,
        keyring,
        issuers,
        trusted_proxies: config.trusted_proxies.clone(),
        throttle: guesses(throttle::Kind::SignIn, &database, config),
        letter_throttle: letter_throttle(&database),
        outbox: Outbox::new(users, Arc::clone(&postman)),
        postman,
        require_verified_address: config.mail.require_verified_address,
        cors: config.cors.clone(),
        factors,
        service_accounts,
        client_grants,
        audit: Arc::new(Audit::new(database.clone(), Arc::clone(&revoked))),
        revoked,
        database,
        rate_limits: Arc::new(RateLimits::new(valkey.clone())),
        cache: Arc::new(new_cache(valkey.clone(), config)),
        valkey,
        tunnels: Arc::new(Tunnels::default()),
        rate_limit: config.rate_limits(),
        limit: config.body_limit(),
        docs: config.docs,
        admin: config.admin,
    })
}

/// Binds what is declared over the gateway's own document; what runs of `before` goes on. Operations of `own` can be parts of
/// composed ones as well.
pub(crate) async fn declared(
    declarations: Declarations<'_>,
    own: &[Own],
    public: serde_json::Value,
    times: Times,
    before: Option<&Bound>,
) -> Result<Bound, StartError> {
    declared::bind(declarations, public, own, times, before).await.map_err(StartError::Services)
}

/// What is declared at start. Its instances are watched once it is served.
async fn first_declared(config: &Config, own: &[Own]) -> Result<Bound, StartError> {
    let times = service_times(config);
    declared(config.declarations(), own, own_document()?, times, None).await
}

/// The platform's own services with their operations.
fn typed_operations(
    upstreams: &Typed<Arc<Upstream>>,
    handshakes: &Typed<Arc<Handshake>>,
) -> Result<Vec<Own>, OperationsError> {
    let all = operations()?;
    let of =
        |name: &str| all.iter().filter(|(service, _)| *service == name).map(|(_, one)| one.clone()).collect();
    let pairs = upstreams.all().into_iter().zip(handshakes.all());
    let own = |((name, upstream), (_, handshake)): ((_, &Arc<Upstream>), (_, &Arc<Handshake>))| Own {
        upstream: Arc::clone(upstream),
        handshake: Arc::clone(handshake),
        operations: of(name),
    };
    Ok(pairs.map(own).collect())
}

fn second_factors(config: &Config, database: &Database, platform: &str) -> SecondFactors {
    SecondFactors {
        database: database.clone(),
        master_key: config.master_key.clone(),
        required_of: config.second_factor_roles.clone(),
        platform: platform.to_owned(),
    }
}

fn guesses(kind: throttle::Kind, database: &Database, config: &Config) -> Arc<Throttle> {
    Throttle::new(kind, database.clone(), attempts::Limits::new(config.login_attempts, config.login_window))
}

fn letter_throttle(database: &Database) -> Arc<Throttle> {
    Throttle::new(throttle::Kind::Letter, database.clone(), attempts::Limits::new(LETTERS, LETTER_WINDOW))
}

/// The document of what is bound without any declaration.
fn own_document() -> Result<serde_json::Value, StartError> {
    Ok(public_document().map_err(OperationsError::from)?)
}

/// Times of services that say none.
pub(crate) fn service_times(config: &Config) -> Times {
    Times {
        connect: config.upstream_connect_time,
        total: config.upstream_time,
        contract_every: config.contract_every,
    }
}

/// An empty cache.
pub(crate) fn new_cache(valkey: Option<Arc<Valkey>>, config: &Config) -> Cache {
    let kept = valkey.map_or(Kept::Memory { bytes: config.cache_bytes }, Kept::Valkey);
    Cache::new(kept, CACHED_ANSWER_BYTES)
}

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
    let own = typed_operations(&upstreams, &Typed::each(handshake)?)?;
    let declarations = Declarations { services, composed };
    let bound = declared(declarations, &own, own_document()?, times, None).await?;
    let own = operations()?.into_iter().map(|(service, operation)| (service.to_owned(), operation));
    let operations = own.chain(bound.operations.iter().cloned()).collect();
    Ok(Published { document: bound.document.clone(), operations })
}

/// The comparison of what a service of the platform's own serves with what the gateway was built with.
fn handshake(service: &'static str) -> Result<Arc<Handshake>, StartError> {
    let bound = typed::shared(service).map_err(OperationsError::from)?;
    Ok(Arc::new(Handshake::new(service, bound)))
}

/// Calls of a service of the platform's own.
fn upstream(config: &Config, service: &'static str) -> Result<Arc<Upstream>, StartError> {
    let wrong = |fault: String| StartError::UpstreamUrl { service, fault };
    let url = config.service_urls.get(service).ok_or_else(|| wrong("is not set".to_owned()))?;
    let pool = PoolConfig {
        connect_time: config.upstream_connect_time,
        total_time: config.upstream_time,
        ..PoolConfig::new(service, vec![url.clone()])
    };
    Ok(Arc::new(Upstream::new(pool).map_err(|error| wrong(error.to_string()))?))
}

async fn valkey(config: &Config) -> Option<Arc<Valkey>> {
    let url = config.valkey.clone()?;
    Some(Arc::new(Box::pin(Valkey::open(url)).await))
}

fn postman(config: &Config, database: &Database, issuer: &str) -> Postman {
    let host = url::Url::parse(issuer).ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
    let name = config.mail.transport.as_ref().and_then(|transport| transport.name().map(ToOwned::to_owned));
    Postman {
        links: Links {
            database: database.clone(),
            master_key: config.master_key.clone(),
            base: config.mail.link_url.clone().unwrap_or_else(|| format!("{issuer}/account")),
        },
        templates: config.mail.templates.clone(),
        transport: config.mail.transport.clone(),
        platform: name.or(host).unwrap_or_default(),
    }
}

impl Service {
    /// Where the public listener is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where the operations listener is.
    #[must_use]
    pub fn ops_address(&self) -> SocketAddr {
        self.ops.address()
    }

    /// By which the configuration is changed while this runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until `shutdown`, then drains: not ready at once, connections taken for the accept time, requests in flight finished,
    /// the database closed. `/readyz` tells of it to the end.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { server, contract_every, ops, parts, watch, reloader, limits } = self;
        let public = reloader.current();
        parts.declared.load().watch();
        let ready = Ready::new(checks(&parts.database), shutdown.clone());
        let pairs = || parts.upstreams.all().into_iter().zip(parts.handshakes.all());
        let own: Vec<_> = pairs()
            .map(|((_, upstream), (_, handshake))| (Arc::clone(upstream), Arc::clone(handshake)))
            .collect();
        let standings = Standings::of(&parts);
        // What requests stand on goes on until the last of them is answered.
        let (stopped, answered) = (CancellationToken::new(), CancellationToken::new());
        let following = tokio::spawn(watch.run(answered.clone()));
        let sending = tokio::spawn(Arc::clone(&parts.outbox).run(answered.clone()));
        let counting = tokio::spawn(session_count::keep(parts.database.clone(), answered.clone()));
        let sharing = tokio::spawn(keep(parts.valkey.clone(), answered.clone()));
        for (upstream, handshake) in &own {
            tokio::spawn(Arc::clone(upstream).watch(answered.clone()));
            if let Some(every) = contract_every {
                tokio::spawn(Arc::clone(handshake).watch(Arc::clone(upstream), every, answered.clone()));
            }
        }
        let tunnels = Arc::clone(&parts.tunnels);
        let public = async {
            tokio::join!(
                server.run(public, shutdown.clone()),
                tunnels.run(stopped.clone(), limits.drain_time),
                async {
                    shutdown.cancelled().await;
                    tokio::time::sleep(limits.accept_time).await;
                    stopped.cancel();
                }
            );
            answered.cancel();
        };
        let operations = operations_listener(ready, standings, &parts.keyring);
        tokio::join!(public, ops.run(operations, answered.clone()));
        for (what, task) in [
            ("watch over revocations and keys", following),
            ("sending of letters", sending),
            ("count of sessions", counting),
            ("connection to Valkey", sharing),
        ] {
            if task.await.is_err() {
                tracing::error!(what, "ended early");
            }
        }
        if let Err(error) = parts.database.close().await {
            tracing::warn!(%error, "the gateway's database was not closed cleanly");
        }
    }
}

async fn keep(valkey: Option<Arc<Valkey>>, shutdown: CancellationToken) {
    if let Some(valkey) = valkey {
        valkey.run(shutdown).await;
    }
}

fn checks(database: &Database) -> Vec<Check> {
    let database = database.clone();
    vec![Check::new("database", move || {
        let database = database.clone();
        async move { database.ping().await.map_err(|_| "does not answer".to_owned()) }
    })]
}

fn operations_listener(
    ready: Ready,
    standings: Standings,
    keyring: &Arc<Keyring>,
) -> impl poem::Endpoint<Output = poem::Response> + use<> {
    let mut paths = Routes::default();
    for path in ["/healthz", "/readyz", "/metrics", standing::PATH, KEYS_PATH] {
        paths.add(path, Method::GET);
    }
    let route = Route::new()
        .at("/healthz", poem::get(Live))
        .at("/readyz", poem::get(ready))
        .at("/metrics", poem::get(standings.clone().metrics()))
        .at(standing::PATH, poem::get(standings))
        // For services beside a gateway whose public listener speaks TLS.
        .at(KEYS_PATH, poem::get(JwkSetEndpoint::new(keyring, Purpose::Internal)))
        .map_to_response();
    Edge::new(route, "ops", Arc::new(paths), Trust::Nobody)
}
