//! `DATA_DIR/platform.run`: what a running `serve` tells others about itself, as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data_folder::write_whole;
use crate::failure::{Failure, Outcome};

/// Process and addresses of a running platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunFile {
    /// The process.
    pub(crate) pid: u32,
    /// The version of the binary.
    pub(crate) version: String,
    /// When it started, RFC 3339.
    pub(crate) started_at: String,
    /// The public API, if the gateway runs in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<SocketAddr>,
    /// Readiness and metrics, if the gateway runs in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ops: Option<SocketAddr>,
    /// The last time it was told to read its configuration again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reload: Option<Reload>,
    /// The other services that run in it, by name.
    #[serde(flatten)]
    pub(crate) services: BTreeMap<String, SocketAddr>,
}

/// How a reload went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reload {
    /// Which one it is since the start, from 1.
    pub(crate) number: u64,
    /// Whether it has ended.
    pub(crate) done: bool,
    /// What was wrong, with its place; then nothing has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) faults: Vec<String>,
    /// What was passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

impl RunFile {
    /// What a process that still lives wrote.
    #[must_use]
    pub(crate) fn of_running(path: &Path) -> Option<Self> {
        let run: Self = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
        run.lives().then_some(run)
    }

    fn lives(&self) -> bool {
        let process = PathBuf::from(format!("/proc/{}", self.pid));
        // A number may have been given to another program since.
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        self.pid != std::process::id() && name.trim_end().starts_with("platform")
    }
}

/// The file as long as the process runs; removed when dropped.
#[derive(Debug)]
pub(crate) struct Written {
    path: PathBuf,
    run: RunFile,
}

impl Written {
    /// Writes the file.
    pub(crate) fn new(path: &Path, run: &RunFile) -> Outcome<Self> {
        let written = Self { path: path.to_owned(), run: run.clone() };
        written.write()?;
        Ok(written)
    }

    /// Tells how a reload went.
    pub(crate) fn tell(&mut self, reload: Reload) -> Outcome {
        self.run.reload = Some(reload);
        self.write()
    }

    fn write(&self) -> Outcome {
        let text = serde_json::to_string_pretty(&self.run)
            .map_err(|error| Failure::failed(format!("can't write {}: {error}", self.path.display())))?;
        write_whole(&self.path, &format!("{text}\n"))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let own = fs::read_to_string(&self.path)
            .ok()
            .and_then(|text| serde_json::from_str::<RunFile>(&text).ok())
            .is_some_and(|run| run.pid == std::process::id());
        if own {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_process_that_is_gone_counts_for_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("platform.run");
        let run = RunFile {
            pid: 4_000_000,
            version: String::new(),
            started_at: String::new(),
            gateway: None,
            ops: None,
            reload: None,
            services: BTreeMap::new(),
        };
        fs::write(&path, serde_json::to_string(&run).unwrap()).unwrap();
        assert_eq!(RunFile::of_running(&path), None);
    }

    #[test]
    fn the_file_goes_with_its_process() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("platform.run");
        let run = RunFile {
            pid: std::process::id(),
            version: "1".to_owned(),
            started_at: String::new(),
            gateway: Some(([127, 0, 0, 1], 8001).into()),
            ops: None,
            reload: None,
            services: BTreeMap::new(),
        };
        let written = Written::new(&path, &run).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("127.0.0.1:8001"));
        drop(written);
        assert!(!path.exists());
    }
}
