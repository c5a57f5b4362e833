//! What a backup says of itself.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::data_folder::write_whole;
use crate::failure::{Failure, Outcome};
use crate::output::safe;

/// The form of backups that this version writes and reads.
pub(super) const FORMAT: u32 = 1;

const FILE: &str = "manifest.json";

/// No manifest is longer.
const LONGEST: u64 = 1024 * 1024;

/// One database in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Copied {
    /// Whose.
    pub(super) service: String,
    /// The file in the folder.
    pub(super) file: String,
    /// Its length.
    pub(super) bytes: u64,
    /// Its sum, in hexadecimal.
    pub(super) sha256: String,
}

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Its form.
    pub(super) format: u32,
    /// The version that wrote it.
    pub(super) platform: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub(super) created_at: OffsetDateTime,
    /// Whether the master key is in it.
    pub(super) master_key: bool,
    /// The databases, in the order in which they were copied.
    pub(super) databases: Vec<Copied>,
}

impl Manifest {
    /// Writes it into the folder.
    pub(super) fn write(&self, folder: &Path) -> Outcome {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Failure::failed("the manifest can't be written").caused_by(&error))?;
        write_whole(&folder.join(FILE), &format!("{text}\n"))?;
        let sync = || File::open(folder)?.sync_all();
        sync().map_err(|error: io::Error| Failure::failed("the backup can't be written").caused_by(&error))
    }

    /// Reads that of a folder.
    pub(super) fn read(folder: &Path) -> Outcome<Self> {
        let no_backup = || Failure::failed(format!("{} is no backup of a platform", folder.display()));
        let text = read(&folder.join(FILE)).map_err(|error| {
            no_backup()
                .caused_by(&error)
                .next(format!("Name the folder that `platform backup` wrote: it holds {FILE}."))
        })?;
        let manifest: Self = serde_json::from_str(&text).map_err(|error| no_backup().caused_by(&error))?;
        if manifest.format != FORMAT {
            return Err(no_backup()
                .because(format!("its form is {}, and this version reads {FORMAT}", manifest.format))
                .next(format!(
                    "Restore it with the version that wrote it ({}), or a newer one.",
                    safe(&manifest.platform)
                )));
        }
        for (index, one) in manifest.databases.iter().enumerate() {
            if manifest.databases[..index].iter().any(|before| before.service == one.service) {
                return Err(no_backup().because(format!("it holds two databases of {}", one.service)));
            }
        }
        Ok(manifest)
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if read as u64 > LONGEST {
        return Err(io::Error::other(format!("it is longer than {LONGEST} bytes")));
    }
    Ok(text)
}

/// Opens a file of a backup, which may come from anywhere: nothing is waited for, no link is followed, and a device, which never
/// ends, is none.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => no_file(),
        _ => error,
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
}

fn no_file() -> io::Error {
    io::Error::other("it is no file, but a link, a device or a folder")
}

/// Writes all of `from` to `to`; how many bytes there were, and their sum.
pub(super) fn sum(mut from: impl Read, mut to: impl Write) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        bytes += read as u64;
    }
    to.flush()?;
    let sum = hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    Ok((bytes, sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_that_of_sha_256() {
        let mut copy = Vec::new();
        let (bytes, text) = sum(&b"abc"[..], &mut copy).unwrap();
        assert_eq!((bytes, copy.as_slice()), (3, &b"abc"[..]));
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn only_a_file_is_opened_and_a_link_a_pipe_or_a_device_at_once_is_not() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        assert!(open(&at("file")).is_ok());
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("endless")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        for name in ["link", "endless", "pipe", "."] {
            assert!(open(&at(name)).unwrap_err().to_string().contains("no file"), "{name}");
        }
        assert!(open(Path::new("/dev/zero")).is_err());
        std::fs::File::create(at(FILE)).unwrap().set_len(1 << 40).unwrap();
        assert!(Manifest::read(place.path()).unwrap_err().why.unwrap().contains("longer than"));
    }

    #[test]
    fn another_form_is_refused_and_what_is_no_backup_too() {
        let place = tempfile::tempdir().unwrap();
        assert!(Manifest::read(place.path()).unwrap_err().what.contains("no backup"));
        let manifest = Manifest {
            format: FORMAT + 1,
            platform: "9".to_owned(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            master_key: false,
            databases: Vec::new(),
        };
        manifest.write(place.path()).unwrap();
        assert!(Manifest::read(place.path()).unwrap_err().why.unwrap().contains("this version reads"));
    }
}
