//! Every setting of the gateway, typed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use contract::Role;
use kit::{
    body::BodyLimit,
    client_address::TrustedProxies,
    config::{Composed, Declared, IssuerSettings},
    cors::Origins,
    database::DatabaseUrl,
    server::{Limits, TlsFiles},
};

use crate::{
    identity::master_key::MasterKey,
    mail::{Templates, Transport},
    policy::rate_limit::RateRule,
    services::declared::Declarations,
    valkey::ValkeyUrl,
};

/// What the gateway needs to run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The public listener.
    pub listen: SocketAddr,
    /// The operations listener (`/healthz`, `/readyz`), which is not public.
    pub ops_listen: SocketAddr,
    /// The gateway's own database.
    pub database_url: DatabaseUrl,
    /// Connections to it at most.
    pub database_connections: u32,
    /// How clients reach the gateway, without a trailing slash: the `iss` of its tokens. Unset: `http://` (or `https://`) and the address bound.
    pub public_url: Option<String>,
    /// The `aud` of access tokens.
    pub audience: String,
    /// Seals private keys at rest, and proves refresh tokens genuine.
    pub master_key: MasterKey,
    /// How long a signing key is published before it signs; 5 minutes by default.
    pub key_publish_time: Duration,
    /// How long an access token is good; 15 minutes by default.
    pub access_token_time: Duration,
    /// How long a session lives without a refresh; 30 days by default.
    pub refresh_sliding: Duration,
    /// How long a session lives at most; 90 days by default.
    pub refresh_absolute: Duration,
    /// Wrong passwords for an account from one address before a wait; 5 by default.
    pub login_attempts: u32,
    /// Without an attempt for so long, failures are forgotten; no wait is longer. 15 minutes by default.
    pub login_window: Duration,
    /// Who has one of these roles gets no token without a second factor.
    pub second_factor_roles: BTreeSet<Role>,
    /// How long ago a user who administers others may have signed in; unset, it is never asked. 12 hours by default.
    pub recent_sign_in: Option<Duration>,
    /// How long tokens are taken while the gateway's database can't be asked what was revoked; 30 seconds by default.
    pub revocation_grace: Duration,
    /// How often anybody may call, on top of what guards passwords; none by default.
    pub rate_limit: Vec<RateRule>,
    /// Where replicas count together; unset, each counts alone.
    pub valkey: Option<ValkeyUrl>,
    /// What the listener takes.
    pub limits: Limits,
    /// What the public listener shows its clients; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// Bytes of a request body at most.
    pub body_bytes: usize,
    /// Bytes of all cached answers at most, where they are kept in this process; 64 MiB by default.
    pub cache_bytes: u64,
    /// From a request's head to the last byte of its body; 408 past it.
    pub body_time: Duration,
    /// Where the platform's own services are, by name: `users` at `http://127.0.0.1:8002`.
    pub service_urls: BTreeMap<&'static str, String>,
    /// How often each instance of a service is asked by which contract it serves; unset, none is.
    pub contract_every: Option<Duration>,
    /// Services that are bound by their OpenAPI documents.
    pub services: Vec<Declared>,
    /// Operations that are composed of several calls.
    pub composed: Vec<Composed>,
    /// Whose access tokens are taken beside the gateway's own, where a service says so.
    pub issuers: Vec<IssuerSettings>,
    /// How long a connection to a service may take.
    pub upstream_connect_time: Duration,
    /// How long a service may take to answer whole.
    pub upstream_time: Duration,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Origins whose pages may call from a browser.
    pub cors: Origins,
    /// Letters to users.
    pub mail: Mail,
    /// Whether `/docs`, `/redoc` and the documents are served.
    pub docs: bool,
    /// Whether `/` and `/api_v1`, where nothing else is, lead to `/docs`; clients of the replaced system know a 404 there.
    pub root_leads_to_docs: bool,
    /// Whether `/admin` is served.
    pub admin: bool,
}

/// How letters are written and sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Unset: none is sent, and admins pass links on.
    pub transport: Option<Transport>,
    /// What they say.
    pub templates: Templates,
    /// What links start with, without a trailing slash. Unset: the gateway's own pages.
    pub link_url: Option<String>,
    /// Whether signing in needs an address that was proved.
    pub require_verified_address: bool,
}

impl Config {
    /// What is declared.
    pub(crate) fn declarations(&self) -> Declarations<'_> {
        Declarations { services: &self.services, composed: &self.composed }
    }

    /// The rules of `gateway.rate_limit`, named as such.
    pub(crate) fn rate_limits(&self) -> Vec<RateRule> {
        self.rate_limit.iter().map(|rule| rule.clone().within("gateway")).collect()
    }

    pub(crate) fn body_limit(&self) -> BodyLimit {
        BodyLimit { bytes: self.body_bytes, time: self.body_time }
    }

    /// The `iss` of access tokens, for a gateway that listens at `address`; `None` where that can't be known yet (port 0).
    #[must_use]
    pub fn issuer(&self, address: SocketAddr) -> Option<String> {
        match &self.public_url {
            Some(url) => Some(url.trim_end_matches('/').to_owned()),
            None if address.port() == 0 => None,
            None if self.tls.is_some() => Some(format!("https://{address}")),
            None => Some(format!("http://{address}")),
        }
    }
}
