//! Runs the binary: in a folder of its own, on free ports, without the environment of whoever runs the tests.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_platform");

/// A password that every policy takes.
pub(crate) const PASSWORD: &str = "seven green bicycles 42";

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder in which commands run, and the variables they get.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let listeners = kit::config::table::SETTINGS.iter().filter(|setting| setting.name() == "listen");
        let variables = listeners.map(|setting| (setting.variable(), "127.0.0.1:0".to_owned())).collect();
        Self { folder: tempfile::tempdir().unwrap(), variables }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("platform-data")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).current_dir(self.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(arguments, self.command(arguments).output().unwrap())
    }

    /// Runs a command with this on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // A command that needs no input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ended::of(arguments, child.wait_with_output().unwrap())
    }

    /// Runs a command as whoever has this token.
    pub(crate) fn run_as(&self, token: &str, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.command(arguments);
        let mut child = command.env("PLATFORM_TOKEN", token).stdin(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ended::of(arguments, child.wait_with_output().unwrap())
    }

    /// Starts `serve` with these arguments and waits until it says where it is.
    pub(crate) fn serve(self, arguments: &[&str]) -> Platform {
        let arguments: Vec<&str> = std::iter::once("serve").chain(arguments.iter().copied()).collect();
        let log = std::fs::File::create(self.path().join("log")).unwrap();
        let mut command = self.command(&arguments);
        // What the whole suite logs is looked through for secrets.
        command.envs(log_level().map(|level| ("RUST_LOG", level)));
        let mut child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let run_file = self.data().join("platform.run");
        let run = wait_for("platform.run", || {
            if let Some(status) = child.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.path().join("log")).unwrap_or_default();
                panic!("serve ended with {status}:\n{log}");
            }
            let run: Value = serde_json::from_str(&std::fs::read_to_string(&run_file).ok()?).ok()?;
            (run["pid"] == child.id()).then_some(run)
        });
        Platform { place: self, child, run }
    }
}

/// What the suite is to log, where that was asked for.
fn log_level() -> Option<String> {
    std::env::var("RUST_LOG").ok()
}

/// A running `serve`; killed when dropped.
pub(crate) struct Platform {
    pub(crate) place: Place,
    pub(crate) child: Child,
    pub(crate) run: Value,
}

impl Platform {
    pub(crate) fn gateway(&self) -> String {
        self.run["gateway"].as_str().unwrap().to_owned()
    }

    /// Creates a user and gives its id.
    pub(crate) fn create(&self, email: &str, flags: &[&str]) -> i64 {
        let arguments =
            [&["user", "create", "--email", email, "--password-stdin", "-o", "json"], flags].concat();
        let created = self.place.run_with(&arguments, PASSWORD).done();
        created.json()["id"].as_i64().unwrap()
    }

    /// Sends a signal by `kill`.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; the exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        wait_for("the end of serve", || self.child.try_wait().unwrap()).code()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("log")).unwrap()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if log_level().is_some() {
            let log = std::fs::read(self.place.path().join("log")).unwrap_or_default();
            let _ = std::io::stdout().write_all(&log);
        }
    }
}

/// A command that has ended.
#[derive(Debug)]
#[expect(dead_code, reason = "`arguments` is there for the message of a failed test")]
pub(crate) struct Ended {
    pub(crate) arguments: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn of(arguments: &[&str], output: Output) -> Self {
        Self {
            arguments: arguments.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn done(self) -> Self {
        self.ended(0)
    }

    /// Asserts the exit code, and for a failure: nothing on standard output, and an error of at most three lines.
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    /// Asserts a failure told in at most three lines.
    pub(crate) fn failed(self, code: i32, words: &str) -> Self {
        let this = self.ended(code);
        assert!(this.stderr.contains(words), "{words:?} is not in {this:#?}");
        assert!(this.stderr.lines().count() <= 3, "{this:#?}");
        this
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
