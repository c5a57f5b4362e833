//! The file of refused rows, made when the first is refused. It repeats no hash.

use std::fs::File;
use std::path::PathBuf;

use crate::failure::{Failure, Outcome};

/// Rows that were refused.
pub(super) struct Refused {
    path: PathBuf,
    writer: Option<csv::Writer<File>>,
}

impl Refused {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, writer: None }
    }

    pub(super) fn add(&mut self, line: u64, email: &str, reason: &str) -> Outcome {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("can't write {}: {error}", self.path.display()))
        };
        if self.writer.is_none() {
            let file = File::create(&self.path).map_err(|error| failed(&error))?;
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(["line", "email", "reason"]).map_err(|error| failed(&error))?;
            self.writer = Some(writer);
        }
        match &mut self.writer {
            Some(writer) => {
                writer.write_record([&line.to_string(), email, reason]).map_err(|error| failed(&error))
            }
            None => Ok(()),
        }
    }

    pub(super) fn finish(self) -> Outcome {
        let Some(mut writer) = self.writer else { return Ok(()) };
        writer
            .flush()
            .map_err(|error| Failure::failed(format!("can't write {}: {error}", self.path.display())))
    }
}
