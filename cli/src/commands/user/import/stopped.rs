//! The file beside an import that tells how far it is, so that one that was stopped goes on there. It is gone when all is done.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Counts;
use super::source::Place;
use crate::data_folder::write_whole;
use crate::failure::{Failure, Outcome};

/// How far an import is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Progressed {
    /// Of which source, to which platform.
    of: String,
    pub(super) place: Place,
    pub(super) counts: Counts,
    /// The length of the file of refused rows.
    pub(super) refused_bytes: u64,
}

/// The file that tells it.
pub(super) struct Stopped {
    path: PathBuf,
    of: String,
}

impl Stopped {
    pub(super) fn at(path: PathBuf, of: String) -> Self {
        Self { path, of }
    }

    /// Where an import of the same source to the same platform was stopped. A file that was written anew is another one.
    pub(super) fn read(&self) -> Option<Progressed> {
        let text = fs::read_to_string(&self.path).ok()?;
        let progressed: Progressed = serde_json::from_str(&text).ok()?;
        (progressed.of == self.of).then_some(progressed)
    }

    pub(super) fn write(&self, place: Place, counts: Counts, refused_bytes: u64) -> Outcome {
        let progressed = Progressed { of: self.of.clone(), place, counts, refused_bytes };
        let text = serde_json::to_string(&progressed)
            .map_err(|error| Failure::failed(format!("can't write JSON: {error}")))?;
        write_whole(&self.path, &text)
    }

    /// All is done.
    pub(super) fn forget(&self) {
        let _ = fs::remove_file(&self.path);
    }
}
