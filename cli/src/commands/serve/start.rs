//! Everything before the first request: folder, key, schemas, listeners; each fault with what mends it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use kit::config::Settings;
use kit::database::DatabaseUrl;
use kit::service::Service;
use migration::Service as Schema;

use super::{Plan, addresses};
use crate::commands::migrate;
use crate::data_folder;
use crate::failure::{Failure, Outcome};
use crate::run_file::RunFile;
use crate::services;
use crate::settings;

/// Services that are bound and not serving yet.
pub(super) struct Started {
    pub(super) gateway: Option<gateway::Service>,
    /// What the gateway was told that stands in no file: its key, and where the other services are.
    pub(super) of_gateway: Option<(gateway::MasterKey, BTreeMap<&'static str, String>)>,
    /// The others, by name.
    pub(super) services: Vec<(&'static str, Service)>,
    /// The databases were made just now.
    pub(super) fresh: bool,
}

/// Prepares and binds what the plan names.
pub(super) async fn start(settings: &Settings, plan: &Plan) -> Outcome<Started> {
    let targets = targets(settings, plan)?;
    refuse_taken_addresses(settings, plan).await?;
    prepare_folders(settings, plan, &targets)?;
    refuse_second(settings, plan)?;
    let mut settings = settings.clone();
    let key_file = settings.master_key_file();
    let key_in_file = plan.gateway && settings.gateway.master_key.is_none();
    if let Some(failure) = data_folder::untrusted_key(&key_file).filter(|_| key_in_file) {
        return Err(failure);
    }
    let key = match (plan.gateway, !plan.services.is_empty() || plan.migrate) {
        (false, _) => None,
        (true, true) => Some(data_folder::master_key_or_new(&settings)?),
        // One replica of several never invents a key of its own.
        (true, false) => Some(data_folder::master_key(&settings)?),
    };
    if key_in_file && data_folder::is_open_to_others(&key_file) {
        let file = key_file.display();
        tracing::warn!(%file, "others on this machine may read the master key: `chmod 600` it");
    }
    let fresh = schemas(plan, &targets).await?;
    let listeners = if plan.gateway {
        let listeners = listeners(&settings).await?;
        // Where the port was 0, the other services and the issuer of tokens learn here which it is.
        settings.gateway.listen = listeners.address();
        settings.ops.listen = listeners.ops_address();
        Some(listeners)
    } else {
        None
    };
    let mut bound = Vec::new();
    for name in &plan.services {
        bound.push((*name, services::bind(name, &settings).await?));
    }
    let addresses: Vec<_> = bound.iter().map(|(name, service)| (*name, service.address())).collect();
    let urls = settings::service_urls(&settings, &addresses);
    let of_gateway = key.clone().map(|key| (key, urls.clone())).filter(|_| plan.gateway);
    let gateway = match key.zip(listeners) {
        Some((key, listeners)) => {
            let config = settings::gateway(&settings, key, urls)?;
            Some(gateway::bind_on(listeners, config).await.map_err(|error| gateway_failed(&error))?)
        }
        None => None,
    };
    Ok(Started { gateway, services: bound, of_gateway, fresh })
}

fn targets(settings: &Settings, plan: &Plan) -> Outcome<Vec<(Schema, DatabaseUrl)>> {
    let names = plan.services.iter().copied().chain(plan.gateway.then_some(services::GATEWAY));
    names
        .filter_map(|name| Some((name, services::schema(name)?)))
        .map(|(name, schema)| Ok((schema, settings::database(settings, name)?)))
        .collect()
}

/// Whether anything that must last is kept in the data folder.
pub(super) fn needs_folder(settings: &Settings, plan: &Plan) -> Outcome<bool> {
    let inside = |(_, url): &(Schema, DatabaseUrl)| {
        url.sqlite_path().is_some_and(|path| path.starts_with(&settings.data_dir))
    };
    Ok(targets(settings, plan)?.iter().any(inside) || (plan.gateway && settings.gateway.master_key.is_none()))
}

fn prepare_folders(settings: &Settings, plan: &Plan, targets: &[(Schema, DatabaseUrl)]) -> Outcome {
    if needs_folder(settings, plan)? {
        data_folder::prepare(&settings.data_dir)?;
        if let Some(failure) = data_folder::untrusted(&settings.data_dir) {
            return Err(failure);
        }
    }
    for path in targets.iter().filter_map(|(_, url)| url.sqlite_path()) {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            data_folder::prepare(folder)?;
        }
        // In WAL mode all three are written.
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_os_string();
            name.push(suffix);
            data_folder::check_file(Path::new(&name))?;
        }
    }
    Ok(())
}

/// Where this process writes what it tells of itself: two services that share a folder don't share the file.
pub(super) fn run_file_path(settings: &Settings, plan: &Plan) -> PathBuf {
    let path = settings.run_file();
    if !plan.gateway && RunFile::of_running(&path).is_some() {
        path.with_file_name(format!("platform-{}.run", plan.services.join("-")))
    } else {
        path
    }
}

/// Nothing is made where not everything can be listened on. A platform that runs already holds them all.
async fn refuse_taken_addresses(settings: &Settings, plan: &Plan) -> Outcome {
    let not_free = addresses::not_free(settings, plan.gateway, |name| plan.services.contains(&name)).await;
    match addresses::failure(&not_free) {
        Some(failure) => refuse_second(settings, plan).and(Err(failure)),
        None => Ok(()),
    }
}

/// Two gateways, or two of one service, on one data folder are a mistake.
fn refuse_second(settings: &Settings, plan: &Plan) -> Outcome {
    let path = settings.run_file();
    let Some(run) = RunFile::of_running(&path) else { return Ok(()) };
    let same = (plan.gateway && run.gateway.is_some())
        || plan.services.iter().any(|name| run.services.contains_key(*name));
    if !same {
        return Ok(());
    }
    let place =
        run.gateway.or(run.services.values().next().copied()).map(settings::local_url).unwrap_or_default();
    Err(Failure::failed(format!("the platform runs already: process {} at {place}", run.pid))
        .because(format!("so says {}", path.display()))
        .next(format!("Stop it with `kill {}`, or use another folder by --data-dir.", run.pid)))
}

async fn listeners(settings: &Settings) -> Outcome<gateway::Listeners> {
    let limits = settings::gateway_limits(settings);
    gateway::Listeners::bind(settings.gateway.listen, settings.ops.listen, limits)
        .await
        .map_err(|error| gateway_failed(&error))
}

/// Migrates, or makes sure that somebody did. Both wait for a database that is not up yet. Whether all was made from nothing.
async fn schemas(plan: &Plan, targets: &[(Schema, DatabaseUrl)]) -> Outcome<bool> {
    let mut fresh = false;
    for (service, url) in targets {
        if plan.migrate {
            let applied =
                migration::up(*service, url, None).await.map_err(|error| migrate::failed(&error, url))?;
            if !applied.is_empty() {
                tracing::info!(service = service.name(), count = applied.len(), "migrated");
            }
            fresh = fresh || applied.len() == service.schema().migrations.len();
            continue;
        }
        let missing = url.sqlite_path().is_some_and(|path| !path.exists());
        let pending = if missing {
            service.schema().migrations.iter().map(|name| (*name).to_owned()).collect()
        } else {
            migration::pending(*service, url).await.map_err(|error| migrate::failed(&error, url))?
        };
        if !pending.is_empty() {
            let name = service.name();
            return Err(Failure::failed(format!(
                "the {name} database is behind this version: {} migration(s) pending",
                pending.len()
            ))
            .because(format!("database: {url}"))
            .next(format!("Run `platform migrate up --service {name}` first, or add --migrate.")));
        }
    }
    Ok(fresh)
}

pub(crate) fn not_bound(setting: &str, address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::failed(format!("can't listen on {address} ({setting})"));
    let variable = kit::config::table::variable(setting);
    match error.kind() {
        io::ErrorKind::AddrInUse => failure
            .because("another process listens there")
            .next(format!("Stop it, or choose another address by {variable} (port 0 picks a free one).")),
        io::ErrorKind::AddrNotAvailable => failure
            .because("this machine has no such address")
            .next(format!("Choose another by {variable}; 0.0.0.0 means all of this machine's.")),
        io::ErrorKind::PermissionDenied => failure
            .because("ports below 1024 need a privilege that this process does not have")
            .next(format!("Choose another by {variable}.")),
        _ => failure.caused_by(error),
    }
}

fn gateway_failed(error: &gateway::StartError) -> Failure {
    match error {
        gateway::StartError::Bind { setting, address, error } => not_bound(setting, *address, error),
        gateway::StartError::Services(_) => crate::commands::service::refused(error),
        gateway::StartError::Keys(_) => Failure::failed("the gateway can't open its signing keys").caused_by(error).next(
            "Bring back the master key that the database was made with (gateway.master_key, or master.key in the data folder).",
        ),
        _ => Failure::failed("the gateway can't start").caused_by(error),
    }
}
