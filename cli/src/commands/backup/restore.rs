//! `platform restore`: a backup in the place of what is there, which is kept beside it.
//!
//! Everything is checked before anything is moved: sums, the databases themselves, their schemas, and that the master key at hand
//! is the one that they were sealed with.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use gateway::MasterKey;
use kit::config::{Settings, read_secret_file};
use kit::database::{Database, DatabaseError, DatabaseUrl};
use secrecy::ExposeSecret as _;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::KEY_FILE;
use super::manifest::{self, Copied, Manifest, sum};
use crate::arguments::Global;
use crate::context::Context;
use crate::data_folder;
use crate::failure::{Failure, Outcome};
use crate::output::safe;
use crate::prompt;
use crate::run_file::RunFile;
use crate::services;
use crate::settings;

/// A database that is ready to take its place.
struct Staged {
    service: String,
    /// Where it lies now.
    path: PathBuf,
    /// Where it belongs.
    target: PathBuf,
    /// Migrations of this version are still to be applied.
    behind: bool,
}

/// Files that go again unless all went well.
#[derive(Default)]
struct Leftovers(Vec<PathBuf>);

impl Drop for Leftovers {
    fn drop(&mut self) {
        for path in self.0.iter().flat_map(|path| companions(path)) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Puts the databases of a backup, or those named, in the place of what is there.
pub(crate) async fn run(
    context: &mut Context,
    global: &Global,
    folder: &Path,
    only: &[String],
    yes: bool,
) -> Outcome {
    prompt::answerable(context, yes)?;
    let settings = settings::load(context, global, &[])?.settings;
    let folder = context.folder.join(folder);
    let manifest = Manifest::read(&folder)?;
    let wanted: Vec<&Copied> =
        manifest.databases.iter().filter(|one| only.is_empty() || only.contains(&one.service)).collect();
    if wanted.is_empty() {
        return Err(Failure::failed(format!("the backup holds no database of {}", only.join(", "))));
    }
    let targets = targets(&settings, &wanted)?;
    refuse_running(&settings, &targets)?;
    data_folder::prepare(&settings.data_dir)?;
    let mut leftovers = Leftovers::default();
    let mut staged = Vec::new();
    for (one, target) in wanted.iter().zip(&targets) {
        staged.push(stage(&folder, one, target, &mut leftovers).await?);
    }
    let key = if let Some(gateway) = staged.iter().find(|one| one.service == services::GATEWAY) {
        fitting_key(&settings, &folder, gateway).await?
    } else {
        None
    };
    let names = staged.iter().map(|one| one.service.as_str()).collect::<Vec<_>>().join(", ");
    let made = manifest.created_at.to_offset(UtcOffset::UTC);
    let untold = |error: time::error::Format| Failure::failed("its date can't be told").caused_by(&error);
    let of = made.format(&Rfc3339).map_err(untold)?;
    let stamp = made.format(format_description!("[year]-[month]-[day]T[hour][minute][second]Z"));
    let stamp = stamp.map_err(untold)?;
    prompt::confirmed(
        context,
        yes,
        &format!("Put the backup of {of} ({names}) in the place of what is there?"),
    )?;
    // Somebody may have started it while the question stood there.
    refuse_running(&settings, &targets)?;
    let kept = replace(&staged, &stamp)?;
    if let Some(key) = key {
        place_key(&settings, &key)?;
    }
    for path in kept {
        context.note(&format!("What was there is kept in {}.", path.display()));
    }
    let behind = staged.iter().any(|one| one.behind);
    context.note(&format!("Restored: {names}, as of {of}."));
    if behind {
        context.note("It is of an older version: `platform serve` (or `platform migrate up`) brings it to this one's schema.");
    }
    context.note("Sessions, roles and keys stand as they did then: what was ended since is alive again (docs/OPERATIONS.md).");
    Ok(())
}

/// Where each belongs.
fn targets(settings: &Settings, wanted: &[&Copied]) -> Outcome<Vec<PathBuf>> {
    let path = |one: &&Copied| {
        if services::schema(&one.service).is_none() {
            return Err(Failure::failed(format!("there is no service {}", safe(&one.service))));
        }
        let url = settings::database(settings, &one.service)?;
        url.sqlite_path().map(Path::to_owned).ok_or_else(|| {
            Failure::failed(format!("{}.database_url is a server's: {url}", one.service))
                .because("A backup holds embedded databases, and they are restored as such.")
                .next("Restore on a configuration without it, or leave it out by --service.")
        })
    };
    wanted.iter().map(path).collect()
}

fn companions(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_os_string();
        name.push(suffix);
        PathBuf::from(name)
    })
}

/// A database must not be taken away below whoever has it open.
fn refuse_running(settings: &Settings, targets: &[PathBuf]) -> Outcome {
    let own = settings.run_file();
    let beside = own.with_file_name(format!("platform-{}.run", services::NAMES.join("-")));
    let by_file = [own, beside].iter().find_map(|path| RunFile::of_running(path)).map(|run| run.pid);
    let Some(pid) = by_file.or_else(|| holder(targets)) else { return Ok(()) };
    Err(Failure::failed(format!("the platform runs: process {pid} has these databases"))
        .because("Nothing is restored below a running platform: it would go on with half of each.")
        .next(format!("Stop it with `kill {pid}`, then restore.")))
}

/// A process of this machine that has one of the files open, as far as this user may see.
fn holder(targets: &[PathBuf]) -> Option<u32> {
    let files: Vec<PathBuf> = targets.iter().filter_map(|path| path.canonicalize().ok()).collect();
    if files.is_empty() {
        return None;
    }
    fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let mut open = fs::read_dir(process.path().join("fd")).ok()?.filter_map(Result::ok);
        let holds = open.any(|one| fs::read_link(one.path()).is_ok_and(|file| files.contains(&file)));
        (holds && pid != std::process::id()).then_some(pid)
    })
}

/// Copies a database beside its place and makes sure that it is whole and of a schema that this version knows.
async fn stage(folder: &Path, one: &Copied, target: &Path, leftovers: &mut Leftovers) -> Outcome<Staged> {
    let service = &one.service;
    let name = Path::new(&one.file).file_name().unwrap_or_default();
    let source = folder.join(name);
    let mut path = target.as_os_str().to_os_string();
    path.push(format!(".restoring-{}", std::process::id()));
    let path = PathBuf::from(path);
    if let Some(above) = target.parent().filter(|above| !above.as_os_str().is_empty()) {
        data_folder::prepare(above)?;
    }
    leftovers.0.push(path.clone());
    let copy = || -> io::Result<(u64, String)> {
        let from = manifest::open(&source)?;
        require_room(&path, one.bytes)?;
        let to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        // One byte more tells a longer one, however long it is.
        let summed = sum(from.take(one.bytes.saturating_add(1)), &to)?;
        to.sync_all()?;
        Ok(summed)
    };
    let (bytes, sha256) = copy().map_err(|error| {
        Failure::failed(format!("{} can't be copied to {}", source.display(), path.display()))
            .caused_by(&error)
    })?;
    let damaged = |why: String| {
        Failure::failed(format!("the backup of {service} is damaged: {}", source.display()))
            .because(why)
            .next("Nothing was changed. Take another backup.")
    };
    if (bytes, &sha256) != (one.bytes, &one.sha256) {
        return Err(damaged("its length or sum is not the one in the manifest".to_owned()));
    }
    let behind = examine(service, &path).await.map_err(|error| match error {
        Examined::Damaged(why) => damaged(why),
        Examined::Refused(failure) => failure,
    })?;
    Ok(Staged { service: service.clone(), path, target: target.to_owned(), behind })
}

/// That there is room for so many bytes beside this path.
fn require_room(path: &Path, bytes: u64) -> io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let told = rustix::fs::statvfs(above)?;
    let room = told.f_bavail.saturating_mul(told.f_frsize);
    if bytes > room {
        return Err(io::Error::other(format!("it has {bytes} bytes, and there is room for {room}")));
    }
    Ok(())
}

enum Examined {
    Damaged(String),
    Refused(Failure),
}

impl From<DatabaseError> for Examined {
    fn from(error: DatabaseError) -> Self {
        Self::Damaged(error.to_string())
    }
}

fn sqlite(path: &Path) -> DatabaseUrl {
    DatabaseUrl::Sqlite(path.to_owned())
}

/// Whether migrations are pending in it.
async fn examine(service: &str, path: &Path) -> Result<bool, Examined> {
    let database = Database::connect(&sqlite(path), 1, "platform-restore").await?;
    let damage = database.damage().await;
    let schema = match services::schema(service) {
        Some(schema) => database.require_schema(&schema.schema()).await,
        None => Ok(()),
    };
    database.close().await?;
    if let Some(damage) = damage? {
        return Err(Examined::Damaged(damage.replace('\n', "; ")));
    }
    match schema {
        Ok(()) => Ok(false),
        Err(DatabaseError::SchemaOlder { .. }) => Ok(true),
        Err(error @ DatabaseError::SchemaNewer { .. }) => Err(Examined::Refused(
            Failure::failed(format!("the backup of {service} is of a newer version"))
                .because(error.to_string())
                .next("Nothing was changed. Restore it with that version."),
        )),
        Err(error) => Err(error.into()),
    }
}

/// The master key that belongs to the gateway's database: one that is to be put in its place, or none where it is there already.
async fn fitting_key(settings: &Settings, folder: &Path, gateway: &Staged) -> Outcome<Option<MasterKey>> {
    let here = settings.gateway.master_key.is_some() || settings.master_key_file().exists();
    let (key, brought) = if here {
        (data_folder::master_key(settings)?, false)
    } else if manifest::open(&folder.join(KEY_FILE)).is_ok()
        && let Ok(text) = read_secret_file(&folder.join(KEY_FILE))
    {
        let key = text.expose_secret().parse::<MasterKey>();
        (key.map_err(|error| Failure::failed(format!("the master key in the backup {error}")))?, true)
    } else {
        return Err(Failure::failed("there is no master key for the gateway's database")
            .because("Its signing keys and second factors are sealed with the one it was made with, which is not in the backup.")
            .next(format!(
                "Put it in {} (mode 0600), or restore the users alone by --service users: everyone then signs in again.",
                settings.master_key_file().display()
            )));
    };
    let fits = gateway::master_key_fits(&sqlite(&gateway.path), &key).await;
    let fits =
        fits.map_err(|error| Failure::failed("the keys in the backup can't be read").caused_by(&error))?;
    if fits == Some(false) {
        let whose = if here { "the master key here" } else { "the master key in the backup" };
        return Err(Failure::failed(format!("{whose} is not the one of the backup's gateway"))
            .because(
                "Its signing keys and second factors could not be opened, and the gateway would not start.",
            )
            .next("Put the right one in its place, or restore the users alone by --service users."));
    }
    Ok(brought.then_some(key))
}

/// Moves what is there aside and the new in its place; where the old lies. `stamp` is a part of a path.
fn replace(staged: &[Staged], stamp: &str) -> Outcome<Vec<PathBuf>> {
    let mut kept: Vec<PathBuf> = Vec::new();
    for one in staged {
        let above = one.target.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new(".")).to_owned();
        let aside = above.join(format!("before-restore-{stamp}-{}", std::process::id()));
        let moved = || -> io::Result<bool> {
            let mut any = false;
            for old in companions(&one.target).iter().filter(|old| old.exists()) {
                DirBuilder::new().recursive(true).mode(0o700).create(&aside)?;
                fs::rename(old, aside.join(old.file_name().unwrap_or_default()))?;
                any = true;
            }
            fs::rename(&one.path, &one.target)?;
            File::open(&above)?.sync_all()?;
            Ok(any)
        };
        let any = moved().map_err(|error| {
            Failure::failed(format!("the {} database can't be put in its place", one.service))
                .caused_by(&error)
                .next(format!("What was there lies in {}.", aside.display()))
        })?;
        if any && !kept.contains(&aside) {
            kept.push(aside);
        }
    }
    Ok(kept)
}

fn place_key(settings: &Settings, key: &MasterKey) -> Outcome {
    let text = key.to_base64();
    data_folder::write_whole(&settings.master_key_file(), &format!("{}\n", text.expose_secret()))
}
