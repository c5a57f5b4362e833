//! Binds the gateway's listeners and runs what stands behind them until told to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use kit::{
    database::Database,
    edge::{Edge, Trust},
    health::{Check, Live, Ready},
    internal_token::KEYS_PATH,
    routes::Routes,
    server::{Limits, Server, Tls},
};
use poem::{EndpointExt, Route, http::Method};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, StartError,
    api::keys::JwkSetEndpoint,
    assembly::parts,
    document::Builtin,
    identity::{
        keyring::Keyring,
        keys::Purpose,
        session_count,
        watch::{self, Watch},
    },
    parts::Parts,
    reload::Reloader,
    standing::{self, Standings},
    store,
    valkey::Valkey,
};

/// Connections of the watch over revocations and keys.
const WATCH_CONNECTIONS: u32 = 1;

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
    let builtin = Builtin::new()?;
    let parts = parts(&config, database, server.address(), &builtin).await?;
    let own = Database::connect(&config.database_url, WATCH_CONNECTIONS, "platform-gateway-watch").await?;
    let watch = watch::begin(Arc::clone(&parts.revoked), Arc::clone(&parts.keyring), own).await?;
    let limits = config.limits;
    let reloader = Reloader::new(parts.clone(), builtin, &config, tls)?;
    Ok(Service { server, contract_every: config.contract_every, ops, parts, watch, reloader, limits })
}

async fn listen(setting: &'static str, address: SocketAddr, limits: Limits) -> Result<Server, StartError> {
    Server::bind(address, limits).await.map_err(|error| StartError::Bind { setting, address, error })
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
