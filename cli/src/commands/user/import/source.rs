//! Where imported users come from: a file, or a table of another system.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file::Lines;
use super::table::Table;
use crate::failure::Outcome;

/// A row to send, or why it is none.
pub(super) struct Line {
    /// Which: the number of its line, or its key in the table.
    pub(super) name: String,
    pub(super) row: Result<Value, String>,
}

impl Line {
    pub(super) fn new(name: impl Into<String>, row: Result<Value, String>) -> Self {
        Self { name: name.into(), row }
    }
}

/// Where a line of a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FilePlace {
    pub(super) byte: u64,
    pub(super) line: u64,
}

/// How far an import has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// The line of a file that comes next.
    File(FilePlace),
    /// The last key of a table that is done.
    Table(String),
}

impl Place {
    /// How a person calls what is done.
    pub(super) fn told(&self) -> String {
        match self {
            Self::File(place) => format!("line {}", place.line.saturating_sub(1)),
            Self::Table(key) => format!("the user {key} of the table"),
        }
    }
}

/// Where imported users come from.
pub(super) enum Source {
    File(Lines),
    Table(Box<Table>),
}

impl Source {
    pub(super) async fn next(&mut self) -> Outcome<Option<Line>> {
        match self {
            Self::File(lines) => lines.next(),
            Self::Table(table) => table.next().await,
        }
    }

    /// How far it was read.
    pub(super) fn place(&self) -> Option<Place> {
        match self {
            Self::File(lines) => Some(Place::File(lines.place())),
            Self::Table(table) => table.last().map(|key| Place::Table(key.to_owned())),
        }
    }

    /// Goes on from there; whether the place is one of such a source.
    pub(super) fn go_to(&mut self, place: &Place) -> Outcome<bool> {
        match (self, place) {
            (Self::File(lines), Place::File(place)) => lines.go_to(*place)?,
            (Self::Table(table), Place::Table(key)) => table.go_to(key.clone()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How much there is, in all, in the measure of [`Self::done`].
    pub(super) async fn length(&self, path: Option<&Path>) -> Outcome<u64> {
        match self {
            Self::File(_) => Ok(path.and_then(|path| path.metadata().ok()).map_or(0, |told| told.len())),
            Self::Table(table) => table.length().await,
        }
    }

    /// How much of it was read: bytes of a file, rows of a table.
    pub(super) fn done(&self) -> u64 {
        match self {
            Self::File(lines) => lines.place().byte,
            Self::Table(table) => table.read(),
        }
    }
}

/// What tells a file from another of its name: its length, and when it was last written.
pub(super) fn stamp(path: &Path) -> String {
    let told = File::open(path).and_then(|file| file.metadata());
    let Ok(told) = told else { return String::new() };
    let written = told.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!("{} bytes of {} ns", told.len(), written.unwrap_or_default().as_nanos())
}
