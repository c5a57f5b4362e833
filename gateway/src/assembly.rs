//! Makes the gateway's parts as the configuration says, each given what it stands on.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use kit::{database::Database, token::Expected};

use crate::{
    Config, StartError,
    cache::{Cache, Kept},
    document::{Builtin, OperationsError},
    handshake::Handshake,
    identity::{
        access_token, attempts,
        audit::Audit,
        authenticate::{Authenticator, INTERNAL_TOKEN_TIME},
        client_grant::ClientGrants,
        external::Issuers,
        keyring::{KeyTimes, Keyring},
        keys::{Purpose, SigningFault},
        links::Links,
        operator::OPERATOR_TOKEN_TIME,
        revocation::Revoked,
        second_factor::SecondFactors,
        service_accounts::ServiceAccounts,
        sessions::{Lifetimes, Sessions},
        throttle::{self, Throttle},
    },
    mail::{Outbox, Postman},
    parts::Parts,
    rate_limits::RateLimits,
    services::{
        declared::{self, Bound, Declarations, Own, Times},
        typed::{self, Typed},
    },
    tunnels::Tunnels,
    upstream::{PoolConfig, Upstream, UsersClient},
    valkey::Valkey,
};

/// Letters that can be asked for about one account from one address before a wait, and how long they are remembered.
const LETTERS: u32 = 5;
const LETTER_WINDOW: Duration = Duration::from_hours(1);

/// Bytes of one cached answer at most.
const CACHED_ANSWER_BYTES: usize = 1024 * 1024;

/// Everything that requests stand on.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn parts(
    config: &Config,
    database: Database,
    address: SocketAddr,
    builtin: &Builtin,
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
        known: builtin.known(),
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
    let own: Arc<[Own]> = typed_operations(&upstreams, &handshakes, builtin).into();
    let declared = first_declared(config, &own, builtin).await?;
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
        root_leads_to_docs: config.root_leads_to_docs,
        admin: config.admin,
    })
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

/// The comparison of what a service of the platform's own serves with what the gateway was built with.
pub(crate) fn handshake(service: &'static str) -> Result<Arc<Handshake>, StartError> {
    let bound = typed::shared(service).map_err(OperationsError::from)?;
    Ok(Arc::new(Handshake::new(service, &bound)))
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
async fn first_declared(config: &Config, own: &[Own], builtin: &Builtin) -> Result<Bound, StartError> {
    let times = service_times(config);
    declared(config.declarations(), own, builtin.document.clone(), times, None).await
}

/// The platform's own services with their operations.
pub(crate) fn typed_operations(
    upstreams: &Typed<Arc<Upstream>>,
    handshakes: &Typed<Arc<Handshake>>,
    builtin: &Builtin,
) -> Vec<Own> {
    let pairs = upstreams.all().into_iter().zip(handshakes.all());
    let own = |((name, upstream), (_, handshake)): ((_, &Arc<Upstream>), (_, &Arc<Handshake>))| Own {
        upstream: Arc::clone(upstream),
        handshake: Arc::clone(handshake),
        operations: builtin.of(name).into(),
    };
    pairs.map(own).collect()
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
