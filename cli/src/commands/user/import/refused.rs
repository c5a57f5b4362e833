//! The file of refused rows, made when the first is refused. It repeats no hash, is its owner's alone, and runs in no spreadsheet.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};
use crate::output::guarded;

/// Rows that were refused.
pub(super) struct Refused {
    path: PathBuf,
    writer: Option<csv::Writer<File>>,
}

impl Refused {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, writer: None }
    }

    /// Goes on in the file of an import that was stopped, after its first bytes: what follows them is told again.
    pub(super) fn go_on(&mut self, bytes: u64) -> Outcome {
        if bytes == 0 {
            return Ok(());
        }
        let open = || {
            let mut file = private(OpenOptions::new().write(true), &self.path)?;
            file.set_len(bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(|error: io::Error| self.failed(&error))?;
        self.writer = Some(csv::Writer::from_writer(file));
        Ok(())
    }

    /// `place` is the row's line, or its key in the table it comes from.
    pub(super) fn add(&mut self, place: &str, email: &str, reason: &str) -> Outcome {
        if self.writer.is_none() {
            let file = private(OpenOptions::new().write(true).create(true).truncate(true), &self.path);
            let file = file.map_err(|error| self.failed(&error))?;
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(["line", "email", "reason"]).map_err(|error| self.failed(&error))?;
            self.writer = Some(writer);
        }
        match &mut self.writer {
            Some(writer) => {
                let written =
                    writer.write_record([place, email, reason].map(|text| guarded(text.to_owned())));
                written.map_err(|error| self.failed(&error))
            }
            None => Ok(()),
        }
    }

    /// Brings all to the file; how long it is.
    pub(super) fn flush(&mut self) -> Outcome<u64> {
        let Some(writer) = &mut self.writer else { return Ok(0) };
        let length = writer.flush().and_then(|()| writer.get_ref().metadata()).map(|told| told.len());
        length.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::failed(format!("can't write {}: {error}", self.path.display()))
    }
}

/// Opens a file for its owner's eyes alone, also one that was there.
fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.mode(0o600).open(path)?;
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}
