//! From the global flags to resolved settings, and from those to what each service wants to be told.

use kit::body::BodyLimit;
use kit::client_address::TrustedProxies;
use kit::config::{self, Faults, Loaded, PasswordPolicy, Registration, Settings, Sources, Visibility};
use kit::database::DatabaseUrl;
use kit::server::Limits;
use secrecy::{ExposeSecret, SecretString};

use crate::arguments::{Global, known_variables};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

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

/// The gateway's database.
pub(crate) fn gateway_database(settings: &Settings) -> Outcome<DatabaseUrl> {
    database_url(&settings.gateway_database_url(), "gateway.database_url")
}

/// The users service's database.
pub(crate) fn users_database(settings: &Settings) -> Outcome<DatabaseUrl> {
    database_url(&settings.users_database_url(), "users.database_url")
}

pub(crate) fn limits(settings: &Settings) -> Limits {
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

/// A URL without the slash that `Url` puts behind a bare host.
fn without_slash(url: &url::Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// What the gateway wants to be told.
pub(crate) fn gateway(
    settings: &Settings,
    master_key: gateway::MasterKey,
    users_url: String,
) -> Outcome<gateway::Config> {
    let gateway = &settings.gateway;
    let trusted_proxies = TrustedProxies::parse(&gateway.trusted_proxies)
        .map_err(|error| Failure::failed(format!("gateway.trusted_proxies: {error}")))?;
    Ok(gateway::Config {
        listen: gateway.listen,
        ops_listen: settings.ops.listen,
        database_url: gateway_database(settings)?,
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
        // Clients of the replaced system know nothing of it.
        cors: kit::cors::Origins::parse(gateway.cors_origins.as_deref().unwrap_or_default())
            .map_err(|error| Failure::failed(format!("gateway.cors_origins: {error}")))?,
        recent_sign_in: (!settings.compat.fastapi).then_some(gateway.recent_sign_in),
        second_factor_roles: second_factor_roles(gateway.second_factor_roles.as_deref())?,
        rate_limit: gateway::RateRule::list(gateway.rate_limit.as_deref().unwrap_or_default())
            .map_err(|error| Failure::failed(format!("gateway.rate_limit: {error}")))?,
        valkey: valkey(gateway.valkey_url.as_ref())?,
        limits: limits(settings),
        body_bytes: gateway.request_body_limit,
        users_url,
        services: settings.services.clone(),
        issuers: settings.issuers.clone(),
        upstream_connect_time: gateway.upstream_connect_timeout,
        upstream_time: gateway.upstream_timeout,
        trusted_proxies,
        mail: mail(&settings.mail)?,
        docs: gateway.docs,
    })
}

fn valkey(url: Option<&SecretString>) -> Outcome<Option<gateway::ValkeyUrl>> {
    let parsed = url.map(gateway::ValkeyUrl::new).transpose();
    parsed.map_err(|error| Failure::failed(format!("gateway.valkey_url {error}")))
}

fn second_factor_roles(roles: Option<&str>) -> Outcome<std::collections::BTreeSet<contract::Role>> {
    let roles = roles.into_iter().flat_map(|roles| roles.split(',')).map(str::trim);
    let parsed = roles.map(|role| {
        role.parse()
            .map_err(|error| Failure::failed(format!("gateway.second_factor_roles: {role:?} {error}")))
    });
    parsed.collect()
}

fn mail(mail: &kit::config::MailSettings) -> Outcome<gateway::Mail> {
    let transport = match (&mail.smtp_url, &mail.from) {
        (Some(url), Some(from)) => {
            Some(gateway::Transport::new(url, from).map_err(|error| Failure::failed(error.to_string()))?)
        }
        _ => None,
    };
    let templates = gateway::Templates::load(mail.templates.as_deref())
        .map_err(|error| Failure::failed(format!("mail.templates: {error}")))?;
    Ok(gateway::Mail {
        transport,
        templates,
        link_url: mail.link_url.as_ref().map(without_slash),
        require_verified_address: mail.require_verified_address,
    })
}

/// What the users service wants to be told.
pub(crate) fn users(settings: &Settings) -> Outcome<users::Config> {
    let users = &settings.users;
    let gateway_url =
        users.gateway_url.as_ref().map_or_else(|| local_url(settings.gateway.listen), without_slash);
    let cost =
        users::Argon2Cost::new(users.argon2_memory_kib, users.argon2_iterations, users.argon2_parallelism)
            .map_err(|error| Failure::failed(format!("users.argon2_…: {error}")))?;
    Ok(users::Config {
        database_connections: settings.database.max_connections,
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
        limits: limits(settings),
        body_limit: BodyLimit { bytes: settings.gateway.request_body_limit, ..BodyLimit::default() },
        ..users::Config::new(users.listen, users_database(settings)?, gateway_url)
    })
}

/// Where the gateway finds the users service; `bound` is where it listens when it runs in this process.
#[must_use]
pub(crate) fn users_url(settings: &Settings, bound: Option<std::net::SocketAddr>) -> String {
    match &settings.users.url {
        Some(url) => without_slash(url),
        None => local_url(bound.unwrap_or(settings.users.listen)),
    }
}

/// The URL by which this machine reaches a listener: one that listens everywhere is reached by loopback.
#[must_use]
pub(crate) fn local_url(address: std::net::SocketAddr) -> String {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}
