//! `platform backup` and `platform restore`: the embedded databases in a folder, and back.
//!
//! A backup is a folder with a copy of each database, as it stood at one moment, and a manifest with their sums. The gateway's is
//! copied first: whoever is signed in by it is then among the users.

mod manifest;
pub(super) mod restore;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use kit::config::Settings;
use kit::database::{DatabaseUrl, copy_sqlite};
use secrecy::ExposeSecret as _;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::arguments::Global;
use crate::context::Context;
use crate::data_folder;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, one};
use crate::services;
use crate::settings;
use manifest::{Copied, Manifest};

/// The copy of the master key within a backup.
const KEY_FILE: &str = "master.key";

const SHOWN: &[Column] = &[
    Column::new("Backup", "folder"),
    Column::new("Databases", "databases"),
    Column::new("Bytes", "bytes"),
    Column::with("Master key", "master_key", |row| {
        if row["master_key"] == true { "in it" } else { "not in it" }.to_owned()
    }),
];

/// Copies the embedded databases, also while the platform runs.
pub(crate) async fn run(
    context: &mut Context,
    global: &Global,
    folder: Option<PathBuf>,
    with_master_key: bool,
) -> Outcome {
    let settings = settings::load(context, global, &[])?.settings;
    let embedded = embedded(context, &settings)?;
    let now = (context.now)().replace_nanosecond(0).unwrap_or_else(|_| (context.now)());
    let folder = context.folder.join(folder.map_or_else(
        || {
            let stamp = now.format(format_description!("[year][month][day]T[hour][minute][second]Z"));
            Ok(PathBuf::from(format!("platform-backup-{}", stamp.map_err(|error| unwritable(&error))?)))
        },
        Ok::<_, Failure>,
    )?);
    if folder.exists() {
        return Err(Failure::failed(format!("{} is there already", folder.display()))
            .next("Name another folder: a backup never overwrites one."));
    }
    let mut partial = folder.clone().into_os_string();
    partial.push(format!(".partial-{}", std::process::id()));
    let partial = PathBuf::from(partial);
    let written = write(&settings, &embedded, &partial, now, with_master_key).await;
    let finished = written.and_then(|manifest| {
        fs::rename(&partial, &folder).map_err(|error| unwritable(&error))?;
        Ok(manifest)
    });
    let manifest = finished.inspect_err(|_| {
        let _ = fs::remove_dir_all(&partial);
    })?;
    told(context, &settings, &folder, &manifest)
}

/// The services whose database is a file here, the gateway first; tells of the others.
fn embedded(context: &mut Context, settings: &Settings) -> Outcome<Vec<(&'static str, DatabaseUrl)>> {
    let mut found = Vec::new();
    let mut elsewhere = Vec::new();
    for service in std::iter::once(services::GATEWAY).chain(services::NAMES.iter().copied()) {
        let url = settings::database(settings, service)?;
        match url.sqlite_path() {
            Some(path) if path.exists() => found.push((service, url)),
            Some(_) => {}
            None => elsewhere.push(format!("{service} ({url})")),
        }
    }
    if !elsewhere.is_empty() {
        context.warn(&format!(
            "not in it, for they are on a server: {}; back them up by pg_dump",
            elsewhere.join(", ")
        ));
    }
    if found.is_empty() {
        return Err(Failure::failed("there is no embedded database to back up").because(format!(
            "none is in {}",
            settings.data_dir.display()
        )).next("Say by --data-dir or --config which platform is meant; databases on PostgreSQL are backed up by pg_dump."));
    }
    Ok(found)
}

async fn write(
    settings: &Settings,
    embedded: &[(&'static str, DatabaseUrl)],
    folder: &Path,
    created_at: OffsetDateTime,
    with_master_key: bool,
) -> Outcome<Manifest> {
    DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::failed(format!("can't make {}", folder.display())).caused_by(&error))?;
    let mut databases = Vec::new();
    for (service, url) in embedded {
        let file = format!("{service}.db");
        let to = folder.join(&file);
        copy_sqlite(url, &to).await.map_err(|error| {
            Failure::failed(format!("the {service} database can't be copied"))
                .caused_by(&error)
                .next("`platform doctor` tells whether it is damaged or the disk full.")
        })?;
        let (bytes, sha256) = finish(&to).map_err(|error| unwritable(&error))?;
        databases.push(Copied { service: (*service).to_owned(), file, bytes, sha256 });
    }
    if with_master_key {
        let key = data_folder::master_key(settings)?;
        let write = || {
            let path = folder.join(KEY_FILE);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            writeln!(file, "{}", key.to_base64().expose_secret())?;
            file.sync_all()
        };
        write().map_err(|error: io::Error| unwritable(&error))?;
    }
    let manifest = Manifest {
        format: manifest::FORMAT,
        platform: env!("CARGO_PKG_VERSION").to_owned(),
        created_at,
        master_key: with_master_key,
        databases,
    };
    manifest.write(folder)?;
    Ok(manifest)
}

/// Brings a copy to the disk, readable by its owner alone; its length and sum.
fn finish(path: &Path) -> io::Result<(u64, String)> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    let file = File::open(path)?;
    file.sync_all()?;
    manifest::sum(file, io::sink())
}

fn unwritable(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::failed("the backup can't be written").caused_by(error)
}

fn told(context: &mut Context, settings: &Settings, folder: &Path, manifest: &Manifest) -> Outcome {
    let names: Vec<&str> = manifest.databases.iter().map(|one| one.service.as_str()).collect();
    let bytes: u64 = manifest.databases.iter().map(|one| one.bytes).sum();
    let created_at = manifest.created_at.format(&Rfc3339).map_err(|error| unwritable(&error))?;
    let value = json!({
        "folder": folder, "created_at": created_at, "databases": names, "bytes": bytes,
        "master_key": manifest.master_key,
    });
    one(context, SHOWN, &value)?;
    let note = if manifest.master_key {
        "Whoever has this folder can sign tokens for anybody: keep it as you keep the master key.".to_owned()
    } else {
        let kept = if settings.gateway.master_key.is_some() {
            settings.origin("gateway.master_key").to_string()
        } else {
            settings.master_key_file().display().to_string()
        };
        format!(
            "The master key is not in it: keep a copy of it ({kept}) apart from this folder. Without it a restore brings back the users \
             alone, and everyone signs in again."
        )
    };
    context.note(&note);
    Ok(())
}
