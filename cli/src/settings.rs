//! From the global flags to resolved settings, and from those to what each service wants to be told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use kit::body::BodyLimit;
use kit::client_address::TrustedProxies;
use kit::config::{
    self, Fault, Faults, Loaded, Own, PasswordPolicy, Registration, Settings, Sources, Visibility,
};
use kit::database::DatabaseUrl;
use kit::server::{Limits, TlsFiles};
use kit::service::ServiceConfig;
use secrecy::{ExposeSecret, SecretString};

use crate::arguments::{Global, known_variables};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::services;

/// How often services are asked by which contract they serve.
const CONTRACT_EVERY: Duration = Duration::from_secs(5);

/// The sources of the configuration, as this command was called.
#[must_use]
pub(crate) fn sources(context: &Context, global: &Global, flags: &[(&str, String, &str)]) -> Sources {
    let mut all: Vec<(String, String, String)> = Vec::new();
    for pair in &global.settings {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        all.push((key.trim().to_owned(), value.to_owned(), format!("--set {}", key.trim())));
    }
    if let Some(folder) = &global.data_dir {
        all.push(("data_dir".to_owned(), folder.display().to_string(), "--data-dir".to_owned()));
    }
    for (key, value, flag) in flags {
        all.push(((*key).to_owned(), value.clone(), (*flag).to_owned()));
    }
    Sources {
        environment: context.environment.clone(),
        // One that came from the variable is told as such: the loader reads it there.
        file: global.config.clone().filter(|path| context.variable("PLATFORM_CONFIG") != path.to_str()),
        folder: context.folder.clone(),
        flags: all,
        known_variables: known_variables(),
        strict: global.strict,
    }
}

/// Loads the configuration, or tells everything that is wrong with it. Warnings go to standard error.
pub(crate) fn load(
    context: &mut Context,
    global: &Global,
    flags: &[(&str, String, &str)],
) -> Outcome<Loaded> {
    let loaded = config::load(&sources(context, global, flags)).map_err(|faults| refused(&faults))?;
    for warning in &loaded.warnings {
        context.warn(&warning.to_string());
    }
    Ok(loaded)
}

/// All faults of a configuration as one failure: a line for each.
#[must_use]
pub(crate) fn refused(faults: &Faults) -> Failure {
    let count = faults.0.len();
    let what = if count == 1 {
        "the configuration is wrong".to_owned()
    } else {
        format!("the configuration has {count} faults")
    };
    let lines: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
    Failure::failed(what)
        .because(lines.join("\n  "))
        .next("`platform config init -` shows every setting; `platform config check` checks again.")
}

fn database_url(text: &SecretString, key: &str) -> Outcome<DatabaseUrl> {
    let parsed = text.expose_secret().parse::<DatabaseUrl>();
    parsed.map_err(|error| Failure::failed(format!("{key} {error}")))
}

/// A service's database.
pub(crate) fn database(settings: &Settings, service: &str) -> Outcome<DatabaseUrl> {
    database_url(&settings.database_url(service), &format!("{service}.database_url"))
}

fn limits(settings: &Settings) -> Limits {
    let gateway = &settings.gateway;
    Limits {
        head_bytes: gateway.head_limit,
        connections: gateway.max_connections,
        head_time: gateway.header_timeout,
        idle_time: gateway.idle_timeout,
        drain_time: gateway.drain_timeout,
        ..Limits::default()
    }
}

/// What the gateway's listeners take: a balancer stands before them alone.
pub(crate) fn gateway_limits(settings: &Settings) -> Limits {
    Limits { accept_time: settings.gateway.drain_delay, ..limits(settings) }
}

/// A URL without the slash that `Url` puts behind a bare host.
fn without_slash(url: &url::Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// What the gateway wants to be told.
pub(crate) fn gateway(
    settings: &Settings,
    master_key: gateway::MasterKey,
    service_urls: BTreeMap<&'static str, String>,
) -> Outcome<gateway::Config> {
    checked_gateway(settings, master_key, service_urls).map_err(|faults| refused(&faults))
}

/// What the gateway wants to be told, or everything that it would not take, each with where it stands.
pub(crate) fn checked_gateway(
    settings: &Settings,
    master_key: gateway::MasterKey,
    service_urls: BTreeMap<&'static str, String>,
) -> Result<gateway::Config, Faults> {
    let gateway = &settings.gateway;
    let mut faults = Vec::new();
    let proxies = TrustedProxies::parse(&gateway.trusted_proxies);
    let proxies = taken(settings, "gateway.trusted_proxies", proxies, &mut faults);
    let cors = kit::cors::Origins::parse(gateway.cors_origins.as_deref().unwrap_or_default());
    let cors = taken(settings, "gateway.cors_origins", cors, &mut faults);
    let rates = gateway::RateRule::list(gateway.rate_limit.as_deref().unwrap_or_default());
    let rates = taken(settings, "gateway.rate_limit", rates, &mut faults);
    let roles = second_factor_roles(gateway.second_factor_roles.as_deref());
    let roles = taken(settings, "gateway.second_factor_roles", roles, &mut faults);
    let valkey = gateway.valkey_url.as_ref().map(gateway::ValkeyUrl::new).transpose();
    let valkey = taken(settings, "gateway.valkey_url", valkey, &mut faults);
    let database = settings.database_url(services::GATEWAY).expose_secret().parse::<DatabaseUrl>();
    let database = taken(settings, "gateway.database_url", database, &mut faults);
    let mail = mail(settings, &mut faults);
    let (
        Some(trusted_proxies),
        Some(cors),
        Some(rate_limit),
        Some(roles),
        Some(valkey),
        Some(database),
        Some(mail),
    ) = (proxies, cors, rates, roles, valkey, database, mail)
    else {
        return Err(Faults(faults));
    };
    Ok(gateway::Config {
        listen: gateway.listen,
        ops_listen: settings.ops.listen,
        database_url: database,
        database_connections: settings.database.max_connections,
        public_url: gateway.public_url.as_ref().map(without_slash),
        audience: gateway.audience.clone(),
        master_key,
        key_publish_time: gateway.key_publish_time,
        access_token_time: gateway.access_token_ttl,
        refresh_sliding: gateway.refresh_sliding,
        refresh_absolute: gateway.refresh_absolute,
        login_attempts: gateway.login_attempts,
        body_time: gateway.body_timeout,
        login_window: gateway.login_window,
        revocation_grace: gateway.revocation_grace,
        cors,
        // Clients of the replaced system know nothing of it.
        recent_sign_in: (!settings.compat.fastapi).then_some(gateway.recent_sign_in),
        second_factor_roles: roles,
        rate_limit,
        valkey,
        limits: gateway_limits(settings),
        tls: gateway
            .tls_certificate
            .clone()
            .zip(gateway.tls_key.clone())
            .map(|(certificate, key)| TlsFiles { certificate, key }),
        body_bytes: gateway.request_body_limit,
        cache_bytes: gateway.cache_bytes,
        service_urls,
        contract_every: Some(CONTRACT_EVERY),
        services: settings.services.clone(),
        composed: settings.composed.clone(),
        issuers: settings.issuers.clone(),
        upstream_connect_time: gateway.upstream_connect_timeout,
        upstream_time: gateway.upstream_timeout,
        trusted_proxies,
        mail,
        docs: gateway.docs,
        root_leads_to_docs: !settings.compat.fastapi,
        admin: gateway.admin,
    })
}

/// The value; a fault with the place of its setting otherwise.
fn taken<T>(
    settings: &Settings,
    key: &str,
    value: Result<T, impl std::fmt::Display>,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let fault = |error: String| Fault {
        origin: settings.origin(key),
        key: Some(key.to_owned()),
        problem: error,
        remedy: None,
    };
    value.map_err(|error| faults.push(fault(error.to_string()))).ok()
}

fn second_factor_roles(roles: Option<&str>) -> Result<std::collections::BTreeSet<contract::Role>, String> {
    let roles = roles.into_iter().flat_map(|roles| roles.split(',')).map(str::trim);
    roles.map(|role| role.parse().map_err(|error| format!("{role:?} {error}"))).collect()
}

fn mail(settings: &Settings, faults: &mut Vec<Fault>) -> Option<gateway::Mail> {
    let mail = &settings.mail;
    let transport = match (&mail.smtp_url, &mail.from) {
        (Some(url), Some(from)) => {
            // Each of the two errors names its setting first.
            let made = gateway::Transport::new(url, from).map_err(|error| error.to_string());
            let key = if made.as_ref().is_err_and(|error| error.starts_with("mail.from")) {
                "mail.from"
            } else {
                "mail.smtp_url"
            };
            let made =
                made.map_err(|error| error.trim_start_matches(key).trim_start_matches([':', ' ']).to_owned());
            taken(settings, key, made, faults).map(Some)
        }
        _ => Some(None),
    };
    let templates = gateway::Templates::load(mail.templates.as_deref());
    let templates = taken(settings, "mail.templates", templates, faults);
    Some(gateway::Mail {
        transport: transport?,
        templates: templates?,
        link_url: mail.link_url.as_ref().map(without_slash),
        require_verified_address: mail.require_verified_address,
    })
}

/// What the users service wants to be told.
pub(crate) fn users(settings: &Settings) -> Outcome<users::Config> {
    let users = &settings.users;
    let cost =
        users::Argon2Cost::new(users.argon2_memory_kib, users.argon2_iterations, users.argon2_parallelism)
            .map_err(|error| Failure::failed(format!("users.argon2_…: {error}")))?;
    let every = service(settings, "users")?;
    Ok(users::Config {
        database_connections: every.database_connections,
        registration_open: users.registration == Registration::Open,
        visibility: match users.visibility {
            Visibility::Admins => users::Visibility::Admins,
            Visibility::Members => users::Visibility::Members,
        },
        password_policy: match users.password_policy {
            PasswordPolicy::Asvs => users::PasswordPolicy::Asvs,
            PasswordPolicy::Nist => users::PasswordPolicy::Nist,
        },
        password_cost: cost,
        hash_workers: settings.hash_workers(),
        hash_queue: users.hash_queue,
        compat_fastapi: settings.compat.fastapi,
        limits: every.limits,
        body_limit: every.body_limit,
        ..users::Config::new(every.listen, every.database, every.gateway_url)
    })
}

/// What every service wants to be told.
pub(crate) fn service(settings: &Settings, name: &str) -> Outcome<ServiceConfig> {
    let own = settings
        .own_service(name)
        .ok_or_else(|| Failure::failed(format!("the service {name} has no section of settings")))?;
    // The operations listener has the keys as well, and speaks plain HTTP always.
    let keys = if settings.gateway.tls_certificate.is_some() {
        settings.ops.listen
    } else {
        settings.gateway.listen
    };
    let gateway_url = own.gateway_url.map_or_else(|| local_url(keys), without_slash);
    Ok(ServiceConfig {
        database_connections: settings.database.max_connections,
        limits: limits(settings),
        body_limit: BodyLimit { bytes: settings.gateway.request_body_limit, ..BodyLimit::default() },
        ..ServiceConfig::new(own.listen, database(settings, name)?, gateway_url)
    })
}

/// Where the gateway finds the platform's own services; `bound` are those that run in this process, with where they listen.
#[must_use]
pub(crate) fn service_urls(
    settings: &Settings,
    bound: &[(&'static str, SocketAddr)],
) -> BTreeMap<&'static str, String> {
    let url = |own: &Own<'_>| {
        let here = bound.iter().find(|(name, _)| *name == own.name).map(|(_, address)| *address);
        own.url.map_or_else(|| local_url(here.unwrap_or(own.listen)), without_slash)
    };
    settings.own().iter().map(|own| (own.name, url(own))).collect()
}

/// The URL by which this machine reaches the public API.
#[must_use]
pub(crate) fn public_url(settings: &Settings, address: std::net::SocketAddr) -> String {
    local_url(address).replacen("http", settings.scheme(), 1)
}

/// The URL by which this machine reaches a listener: one that listens everywhere is reached by loopback.
#[must_use]
pub(crate) fn local_url(address: SocketAddr) -> String {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}
