//! What the service must be told, as typed values. Whoever starts it reads them from files, the environment and flags.

use std::net::SocketAddr;

use kit::{body::BodyLimit, database::DatabaseUrl, server::Limits, service::ServiceConfig};

use crate::domain::{
    Rules, Visibility,
    password::{Argon2Cost, Policy},
};

/// The service's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the users are kept.
    pub database: DatabaseUrl,
    /// Connections to the database at once.
    pub database_connections: u32,
    /// Where the gateway serves the keys of its internal tokens.
    pub gateway_url: String,
    /// Whether anybody may create an account.
    pub registration_open: bool,
    /// Who sees other users.
    pub visibility: Visibility,
    /// Which new passwords are good enough.
    pub password_policy: Policy,
    /// What one hash costs.
    pub password_cost: Argon2Cost,
    /// Passwords hashed at once.
    pub hash_workers: usize,
    /// Passwords waiting to be hashed.
    pub hash_queue: usize,
    /// Behave as old clients need: everybody sees everybody, and one's own password changes without the current one.
    pub compat_fastapi: bool,
    /// What the listener takes.
    pub limits: Limits,
    /// What a request body may take.
    pub body_limit: BodyLimit,
}

impl Config {
    /// The settings of a fresh installation, for this address, database and gateway.
    #[must_use]
    pub fn new(listen: SocketAddr, database: DatabaseUrl, gateway_url: String) -> Self {
        Self {
            listen,
            database,
            database_connections: 10,
            gateway_url,
            registration_open: true,
            visibility: Visibility::default(),
            password_policy: Policy::default(),
            password_cost: Argon2Cost::default(),
            hash_workers: std::thread::available_parallelism().map_or(1, usize::from),
            hash_queue: 64,
            compat_fastapi: false,
            limits: Limits::default(),
            body_limit: BodyLimit::default(),
        }
    }

    /// What every service is told.
    pub(crate) fn service(&self) -> ServiceConfig {
        ServiceConfig {
            database_connections: self.database_connections,
            limits: self.limits,
            body_limit: self.body_limit,
            ..ServiceConfig::new(self.listen, self.database.clone(), self.gateway_url.clone())
        }
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            visibility: self.visibility,
            registration_open: self.registration_open,
            compat_fastapi: self.compat_fastapi,
        }
    }
}
