//! The data folder and what lies in it: usable, for its owner alone, with a master key that fits, and no trace of a process that
//! is gone.

use std::fs;
use std::path::{Path, PathBuf};

use kit::config::Settings;
use kit::database::DatabaseUrl;

use super::Installation;
use super::finding::Finding;
use crate::data_folder;
use crate::failure::Failure;
use crate::run_file::RunFile;
use crate::services;
use crate::settings;

/// Looks at all of it.
pub(super) async fn examine(of: &Installation) -> Vec<Finding> {
    let files = database_files(of);
    let key_inside = of.has_gateway() && of.settings.gateway.master_key.is_none();
    let mut findings = Vec::new();
    if key_inside || files.iter().any(|file| file.starts_with(&of.settings.data_dir)) {
        findings.push(usable(of, &files));
        findings.push(mode(&of.settings.data_dir));
    } else {
        findings.push(Finding::skipped("data-folder", "nothing that must last is kept in the data folder"));
    }
    findings.extend(open_files(&files));
    findings.push(run_file(&of.settings));
    if of.has_gateway() {
        findings.push(master_key(of).await);
        if key_inside {
            findings.push(key_mode(&of.settings.master_key_file()));
        }
    }
    findings
}

/// The embedded databases.
fn database_files(of: &Installation) -> Vec<PathBuf> {
    let urls = of.services.iter().filter_map(|service| settings::database(&of.settings, service).ok());
    urls.filter_map(|url| url.sqlite_path().map(Path::to_owned)).collect()
}

fn usable(of: &Installation, files: &[PathBuf]) -> Finding {
    const CHECK: &str = "data-folder";
    let folders = std::iter::once(of.settings.data_dir.as_path())
        .chain(files.iter().filter_map(|file| file.parent()).filter(|folder| !folder.as_os_str().is_empty()));
    for folder in folders {
        if let Err(failure) = data_folder::would_hold(folder) {
            return refused(CHECK, failure);
        }
    }
    for file in files.iter().flat_map(|file| with_companions(file)) {
        if let Err(failure) = data_folder::check_file(&file) {
            return refused(CHECK, failure);
        }
    }
    Finding::good(CHECK, format!("{} can be written", of.settings.data_dir.display()))
}

/// What `serve` would be refused by.
fn refused(check: &'static str, failure: Failure) -> Finding {
    Finding::fault(check, failure.what, failure.why.unwrap_or_default(), failure.next.unwrap_or_default())
}

/// A database file, and those that SQLite writes beside it.
fn with_companions(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = file.as_os_str().to_os_string();
        name.push(suffix);
        PathBuf::from(name)
    })
}

fn mode(folder: &Path) -> Finding {
    const CHECK: &str = "data-folder-mode";
    if let Some(failure) = data_folder::untrusted(folder).filter(|_| folder.is_dir()) {
        return refused(CHECK, failure);
    }
    match data_folder::mode(folder).filter(|_| folder.is_dir()) {
        None => Finding::skipped(CHECK, "there is no data folder yet"),
        Some(mode) if mode & 0o077 != 0 => Finding::fault(
            CHECK,
            format!("others on this machine can enter {} (mode {mode:04o})", folder.display()),
            "It holds the master key and every user's data.",
            format!("chmod 700 {}", folder.display()),
        ),
        Some(_) => Finding::good(CHECK, "the data folder is its owner's alone"),
    }
}

fn open_files(files: &[PathBuf]) -> Vec<Finding> {
    const CHECK: &str = "database-file-mode";
    let mut findings: Vec<Finding> = files
        .iter()
        .flat_map(|file| with_companions(file))
        .filter(|file| data_folder::is_open_to_others(file))
        .map(|file| {
            Finding::fault(
                CHECK,
                format!("{} is open to others by its mode", file.display()),
                "It holds addresses, password hashes or sealed keys.",
                format!("chmod 600 {}", file.display()),
            )
        })
        .collect();
    if findings.is_empty() && files.iter().any(|file| file.exists()) {
        findings.push(Finding::good(CHECK, "the database files are their owner's alone"));
    }
    findings
}

/// The file of a process that is gone.
fn run_file(settings: &Settings) -> Finding {
    const CHECK: &str = "run-file";
    let path = settings.run_file();
    let Ok(text) = fs::read_to_string(&path) else {
        return Finding::good(CHECK, "no process has left a trace");
    };
    if let Some(run) = RunFile::of_running(&path) {
        return Finding::good(CHECK, format!("process {} runs", run.pid));
    }
    let pid = serde_json::from_str::<RunFile>(&text).map(|run| run.pid);
    Finding::fault(
        CHECK,
        match pid {
            Ok(pid) => format!("{} names process {pid}, which is gone", path.display()),
            Err(_) => format!("{} can't be read", path.display()),
        },
        "The platform did not end in order: it was killed, or the machine went down.",
        format!(
            "Look for the reason in its log and in `journalctl -k`; `platform serve` replaces the file, or: rm {}",
            path.display()
        ),
    )
}

/// Whether the key is there, is one, and opens what was sealed with it.
async fn master_key(of: &Installation) -> Finding {
    const CHECK: &str = "master-key";
    let Ok(url) = settings::database(&of.settings, services::GATEWAY) else {
        return Finding::skipped(CHECK, "the gateway's database is not known");
    };
    let sealed = sealed_with(&url).await;
    let absent = of.settings.gateway.master_key.is_none() && !of.settings.master_key_file().exists();
    if absent && !sealed.is_some_and(|any| any) {
        return Finding::skipped(CHECK, "the master key is made by the first `platform serve`");
    }
    let key = match data_folder::master_key(&of.settings) {
        Ok(key) => key,
        Err(_) if absent => {
            return Finding::fault(
                CHECK,
                format!("the master key is missing: there is no {}", of.settings.master_key_file().display()),
                "The signing keys in the gateway's database are sealed with it: nobody can sign in, and the gateway does not start.",
                "Bring it back from where its copy is kept (gateway.master_key, or that file with mode 0600). Is it lost, see \"Keys, \
                 backups, losses\" in docs/OPERATIONS.md.",
            );
        }
        Err(failure) => {
            return Finding::fault(
                CHECK,
                failure.what,
                "Nothing that is sealed can be opened without it.",
                failure.next.unwrap_or_else(|| {
                    "Bring back the one that the databases were made with; only a new installation takes a new one.".to_owned()
                }),
            );
        }
    };
    if !sealed.is_some_and(|any| any) {
        return Finding::good(CHECK, "the master key is one; nothing is sealed with it yet");
    }
    match gateway::master_key_fits(&url, &key).await {
        Ok(Some(false)) => Finding::fault(
            CHECK,
            "the master key is not the one that the gateway's database was made with",
            "Its signing keys and second factors can't be opened: the gateway does not start.",
            format!(
                "Bring back the right one ({}), or the database that belongs to this one.",
                of.settings.origin("gateway.master_key")
            )
            .replace("(default)", &format!("({})", of.settings.master_key_file().display())),
        ),
        _ => Finding::good(CHECK, "the master key opens the signing keys"),
    }
}

/// Whether anything is sealed in the database; nothing where that can't be known.
async fn sealed_with(url: &DatabaseUrl) -> Option<bool> {
    if url.sqlite_path().is_some_and(|path| !path.exists()) {
        return Some(false);
    }
    // Any key tells: what matters is whether there is something to open.
    let any = gateway::MasterKey::generate().ok()?;
    gateway::master_key_fits(url, &any).await.ok().map(|fits| fits.is_some())
}

fn key_mode(path: &Path) -> Finding {
    const CHECK: &str = "master-key-mode";
    if let Some(failure) = data_folder::untrusted_key(path) {
        return refused(CHECK, failure);
    }
    if data_folder::is_open_to_others(path) {
        return Finding::fault(
            CHECK,
            format!("the master key {} is open to others by its mode", path.display()),
            "With it and a copy of the database they can sign tokens for anybody.",
            format!("chmod 600 {}; if anybody may have read it, `platform key rotate` too", path.display()),
        );
    }
    Finding::good(CHECK, "the master key is its owner's alone")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_companions_of_a_database_lie_beside_it() {
        let all = with_companions(Path::new("a/b.db"));
        assert_eq!(all, ["a/b.db", "a/b.db-wal", "a/b.db-shm"].map(PathBuf::from));
    }
}
