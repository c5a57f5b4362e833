//! The folder of the embedded databases and keys: made with the narrowest rights, and told about precisely where it can't be.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gateway::MasterKey;
use kit::config::{Settings, read_secret_file};
use secrecy::ExposeSecret;

use crate::failure::{Failure, Outcome};

/// Makes the folder if it is not there (mode 0700) and makes sure that this process can write in it.
pub(crate) fn prepare(folder: &Path) -> Outcome {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unusable(folder, &error))?;
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe);
    written.map_err(|error| unusable(folder, &error))?;
    let _ = fs::remove_file(&probe);
    Ok(())
}

/// Whether [`prepare`] would succeed; makes nothing that is not there.
pub(crate) fn would_hold(folder: &Path) -> Outcome {
    if folder.is_dir() {
        return prepare(folder);
    }
    let above = folder.ancestors().skip(1).find(|ancestor| ancestor.exists());
    let above = above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refused = if folder.exists() || !above.is_dir() {
        Some(io::Error::from(io::ErrorKind::NotADirectory))
    } else {
        rustix::fs::access(above, rustix::fs::Access::WRITE_OK).err().map(io::Error::from)
    };
    refused.map_or(Ok(()), |error| Err(unusable(folder, &error)))
}

/// A database file that is there must be writable too: its folder alone is not enough.
pub(crate) fn check_file(path: &Path) -> Outcome {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unusable(path, &error)),
    }
}

/// Path, owner, mode, who we are, and how to mend it.
fn unusable(path: &Path, error: &io::Error) -> Failure {
    let nearest = path.ancestors().find(|ancestor| ancestor.exists() && !ancestor.as_os_str().is_empty());
    let nearest = nearest.unwrap_or(Path::new("."));
    let owner = fs::metadata(nearest).map_or_else(
        |_| String::new(),
        |data| {
            let mode = data.permissions().mode() & 0o7777;
            format!("{} belongs to {}:{} with mode {mode:04o}; ", nearest.display(), data.uid(), data.gid())
        },
    );
    let me = fs::metadata("/proc/self").map(|data| (data.uid(), data.gid()));
    let who =
        me.as_ref().map_or_else(|_| String::new(), |(uid, gid)| format!("this process runs as {uid}:{gid}"));
    Failure::failed(format!("can't write in {}: {}", path.display(), plain(error)))
        .because(format!("{owner}{who}").trim_end_matches("; ").to_owned())
        .next(format!(
            "{}, or name another folder by --data-dir or PLATFORM__DATA_DIR.",
            mend(path, nearest, error, me.ok())
        ))
}

/// What to do. Never advice that would change a folder further up.
fn mend(path: &Path, nearest: &Path, error: &io::Error, me: Option<(u32, u32)>) -> String {
    let shown = path.display();
    match (error.kind(), me) {
        (io::ErrorKind::ReadOnlyFilesystem, _) => "Mount it writable".to_owned(),
        (io::ErrorKind::PermissionDenied, Some((uid, gid))) if nearest == path => {
            format!("As root: `chown {uid}:{gid} {shown} && chmod u+rwX {shown}`")
        }
        (io::ErrorKind::PermissionDenied, Some((uid, gid))) => {
            format!("As root: `install -d -m 0700 -o {uid} -g {gid} {shown}`")
        }
        _ => "Make room for it there".to_owned(),
    }
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::NotADirectory => "a part of the path is no folder".to_owned(),
        io::ErrorKind::AlreadyExists => "it is a file, not a folder".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => error.to_string(),
    }
}

/// The master key: from the settings, else from its file.
pub(crate) fn master_key(settings: &Settings) -> Outcome<MasterKey> {
    if let Some(key) = &settings.gateway.master_key {
        let key = key.expose_secret().parse::<MasterKey>();
        return key.map_err(|error| Failure::failed(format!("gateway.master_key {error}")));
    }
    let path = settings.master_key_file();
    let text = read_secret_file(&path).map_err(|reason| {
        Failure::failed(format!("there is no master key: gateway.master_key {reason}"))
            .next("The first `platform serve` makes it. Separate services take it from PLATFORM__GATEWAY__MASTER_KEY(_FILE).")
    })?;
    let key = text.expose_secret().parse::<MasterKey>();
    key.map_err(|error| Failure::failed(format!("the key in {} {error}", path.display())))
}

/// As [`master_key`]; on the first start the file is made (mode 0600). Two processes that start at once agree on one key.
pub(crate) fn master_key_or_new(settings: &Settings) -> Outcome<MasterKey> {
    let path = settings.master_key_file();
    if settings.gateway.master_key.is_some() || path.exists() {
        return master_key(settings);
    }
    let key = MasterKey::generate().map_err(|error| Failure::failed(format!("a master key {error}")))?;
    let temporary = temporary_beside(&path);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        writeln!(file, "{}", key.to_base64().expose_secret())?;
        file.sync_all()?;
        // A hard link fails where another process was first: never overwrite a key.
        fs::hard_link(&temporary, &path)
    };
    let linked = write();
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => master_key(settings),
        Err(error) => Err(unusable(&path, &error)),
    }
}

/// Why what lies in this folder can't be trusted: others could put a master key or a database of their own there. Root's folders are
/// as good as one's own, for root may do that anyway; and root is refused nobody's.
pub(crate) fn untrusted(folder: &Path) -> Option<Failure> {
    let data = fs::metadata(folder).ok()?;
    let (shown, me) = (folder.display(), rustix::process::geteuid().as_raw());
    let why = "They can put another master key there, and sign tokens for anybody, or another database.";
    if let Some(owner) = another(&data, me) {
        let what = format!("{shown} belongs to another user ({owner}), and this process runs as {me}");
        return Some(Failure::failed(what).because(why).next(format!(
            "As root: `chown -R {me} {shown}`, or name another folder by --data-dir or PLATFORM__DATA_DIR."
        )));
    }
    everybody_writes(&data).map(|mode| {
        Failure::failed(format!("everybody on this machine may write in {shown} (mode {mode:04o})"))
            .because(why)
            .next(format!("`chmod 700 {shown}`, and make sure that all in it is yours."))
    })
}

/// Why a master key's file can't be trusted.
pub(crate) fn untrusted_key(path: &Path) -> Option<Failure> {
    let data = fs::metadata(path).ok()?;
    let (shown, me) = (path.display(), rustix::process::geteuid().as_raw());
    let what = match (another(&data, me), everybody_writes(&data)) {
        (Some(owner), _) => {
            format!("the master key {shown} belongs to another user ({owner}), and this process runs as {me}")
        }
        (None, Some(mode)) => {
            format!("everybody on this machine may write the master key {shown} (mode {mode:04o})")
        }
        (None, None) => return None,
    };
    let failure = Failure::failed(what).because("Who knows the key can sign tokens for anybody.");
    Some(failure.next(format!(
        "Compare it with your copy; then, as root: `chown {me} {shown} && chmod 600 {shown}`, and `platform key rotate`."
    )))
}

/// The owner, where that is neither this user nor root.
fn another(data: &fs::Metadata, me: u32) -> Option<u32> {
    Some(data.uid()).filter(|owner| me != 0 && *owner != 0 && *owner != me)
}

/// The mode, where everybody may write.
fn everybody_writes(data: &fs::Metadata) -> Option<u32> {
    Some(data.permissions().mode() & 0o7777).filter(|mode| mode & 0o002 != 0)
}

/// Whether others on this machine than the file's owner may read it.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
}

/// Whether everybody on this machine may read it: by its own mode, and by that of every folder above it.
pub(crate) fn is_readable_by_everybody(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let allows = |path: &Path, bit: u32| mode(path).is_some_and(|mode| mode & bit != 0);
    allows(&path, 0o004) && path.ancestors().skip(1).all(|folder| allows(folder, 0o001))
}

/// The mode of a file or folder, without its kind; nothing where it is not there.
pub(crate) fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|data| data.permissions().mode() & 0o7777)
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Path, text: &str) -> Outcome {
    let temporary = temporary_beside(path);
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        unusable(path, &error)
    })
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(std::ffi::OsStr::to_os_string).unwrap_or_default();
    name.push(format!(".new-{}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_made_with_the_narrowest_rights() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        prepare(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_a_file_is_told_with_its_path() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        fs::write(&path, "").unwrap();
        let failure = prepare(&path).unwrap_err();
        assert!(failure.what.contains(path.to_str().unwrap()), "{failure:?}");
        assert!(failure.text(false).lines().count() <= 3);
    }

    #[test]
    fn a_file_is_written_whole_and_leaves_nothing_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("platform.run");
        write_whole(&path, "one").unwrap();
        write_whole(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
