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
    /// When the process began, in clock ticks since the machine did: a number may be given to another process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) began_ticks: Option<u64>,
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

    /// Why no process stands behind the file, in words.
    #[must_use]
    pub(crate) fn absence(path: &Path) -> String {
        let file = path.display();
        match fs::read_to_string(path) {
            Ok(text) => match serde_json::from_str::<Self>(&text) {
                Ok(run) => format!("{file} names process {}, which is gone", run.pid),
                Err(error) => format!("{file} is not what `platform serve` writes: {error}"),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("there is no {file}"),
            Err(error) => format!("{file} can't be read: {error}"),
        }
    }

    fn lives(&self) -> bool {
        let process = PathBuf::from(format!("/proc/{}", self.pid));
        // A number may have been given to another program since.
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        let is_it = self.began_ticks.is_none_or(|began| began_ticks(self.pid) == Some(began));
        self.pid != std::process::id() && name.trim_end().starts_with("platform") && is_it
    }
}

/// When a process began, in clock ticks since the machine did: field 22 of `/proc/PID/stat`.
#[must_use]
pub(crate) fn began_ticks(pid: u32) -> Option<u64> {
    let told = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in brackets, which may hold anything.
    told.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
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
            began_ticks: None,
            version: String::new(),
            started_at: String::new(),
            gateway: None,
            ops: None,
            reload: None,
            services: BTreeMap::new(),
        };
        fs::write(&path, serde_json::to_string(&run).unwrap()).unwrap();
        assert_eq!(RunFile::of_running(&path), None);
        assert!(RunFile::absence(&path).ends_with("platform.run names process 4000000, which is gone"));
        fs::remove_file(&path).unwrap();
        assert!(RunFile::absence(&path).starts_with("there is no /"));
    }

    #[test]
    fn a_process_that_was_given_the_number_of_one_that_is_gone_is_not_it() {
        let place = tempfile::tempdir().unwrap();
        // Its name is that of the command.
        let program = place.path().join("platform-other");
        fs::copy("/bin/sleep", &program).unwrap();
        let mut other = std::process::Command::new(&program).arg("60").spawn().unwrap();
        let path = place.path().join("platform.run");
        let comm = format!("/proc/{}/comm", other.id());
        while !fs::read_to_string(&comm).unwrap().starts_with("platform-other") {
            std::thread::yield_now();
        }
        let began = began_ticks(other.id()).unwrap();
        let is_running = |began: u64| {
            let told = format!(
                r#"{{"pid": {}, "began_ticks": {began}, "version": "1", "started_at": ""}}"#,
                other.id()
            );
            fs::write(&path, told).unwrap();
            RunFile::of_running(&path).is_some()
        };
        assert!(is_running(began) && !is_running(began - 1) && !is_running(began + 1));
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(RunFile::of_running(&path).is_none());
    }

    #[test]
    fn the_file_goes_with_its_process() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("platform.run");
        let run = RunFile {
            pid: std::process::id(),
            began_ticks: began_ticks(std::process::id()),
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
