//! What the layers of the gateway share: built once, before anything is served.

use std::sync::Arc;

use arc_swap::ArcSwap;
use kit::{body::BodyLimit, client_address::TrustedProxies, cors::Origins, database::Database};

use crate::{
    cache::Cache,
    handshake::Handshake,
    identity::{
        audit::Audit, authenticate::Authenticator, client_grant::ClientGrants, external::Issuers,
        keyring::Keyring, revocation::Revoked, second_factor::SecondFactors,
        service_accounts::ServiceAccounts, sessions::Sessions, throttle::Throttle,
    },
    mail::{Outbox, Postman},
    policy::rate_limit::RateRule,
    rate_limits::RateLimits,
    services::{
        declared::{Bound, Own},
        typed::Typed,
    },
    tunnels::Tunnels,
    upstream::{Upstream, UsersClient},
    valkey::Valkey,
};

/// What the layers share. A reload makes new ones of it, in which what has state is the same.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "settings that do not exclude each other")]
pub(crate) struct Parts {
    /// Services of the platform's own.
    pub(crate) upstreams: Typed<Arc<Upstream>>,
    /// Whether each of them serves what it was bound by.
    pub(crate) handshakes: Typed<Arc<Handshake>>,
    pub(crate) users: Arc<UsersClient>,
    /// Services that are bound by their documents; swapped whole by a reload.
    pub(crate) declared: Arc<ArcSwap<Bound>>,
    /// The platform's own services, as parts of composed operations call them.
    pub(crate) own: Arc<[Own]>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) keyring: Arc<Keyring>,
    /// Whose tokens are taken beside the gateway's own.
    pub(crate) issuers: Arc<Issuers>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) letter_throttle: Arc<Throttle>,
    pub(crate) postman: Arc<Postman>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) require_verified_address: bool,
    pub(crate) cors: Origins,
    pub(crate) factors: Arc<SecondFactors>,
    pub(crate) service_accounts: Arc<ServiceAccounts>,
    pub(crate) client_grants: Arc<ClientGrants>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) database: Database,
    pub(crate) valkey: Option<Arc<Valkey>>,
    pub(crate) rate_limits: Arc<RateLimits>,
    pub(crate) rate_limit: Vec<RateRule>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) limit: BodyLimit,
    /// Whether the documents and pages are served.
    pub(crate) docs: bool,
    /// Whether the root leads to them.
    pub(crate) root_leads_to_docs: bool,
    /// Whether the page for administrators is.
    pub(crate) admin: bool,
    pub(crate) tunnels: Arc<Tunnels>,
}
