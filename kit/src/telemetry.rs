//! Logs: to standard error, for people on a terminal and as JSON elsewhere.
//!
//! A reader that goes away (a closed pipe, a full disk) or is too slow never stops a service: what cannot be written is
//! dropped. No request waits for its line to be written: a thread of its own writes them, many at once where they come fast.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    thread,
    time::Duration,
};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::config::{LogFormat, LogSettings};

/// What a process says about its colours and its level, beside the settings.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The value of `RUST_LOG`, which wins over the setting.
    pub rust_log: Option<String>,
    /// Whether standard error is a terminal.
    pub terminal: bool,
    /// Whether colours are wanted (no `NO_COLOR`).
    pub colour: bool,
}

impl Surroundings {
    /// Those of this process, from its environment.
    #[must_use]
    pub fn of_process(variable: impl Fn(&str) -> Option<String>) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            rust_log: variable("RUST_LOG").filter(|value| !value.is_empty()),
            terminal,
            colour: terminal && variable("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// Lines waiting to be written at most; further ones are dropped.
const WAITING: usize = 16 * 1024;

/// Writes what is still waiting when it is dropped: keep it until the process ends.
#[must_use = "lines that wait are lost without it"]
#[derive(Debug)]
pub struct LogGuard {
    _worker: WorkerGuard,
    level: LogLevel,
}

impl LogGuard {
    /// By which the level is changed while the process runs.
    #[must_use]
    pub fn level(&self) -> LogLevel {
        self.level.clone()
    }
}

/// Which lines are written.
#[derive(Debug, Clone)]
pub struct LogLevel {
    filter: reload::Handle<EnvFilter, Registry>,
    surroundings: Surroundings,
}

impl LogLevel {
    /// Writes from now on what a level or a list of directives says, unless `RUST_LOG` does.
    pub fn set(&self, level: &str) {
        let settings = LogSettings { level: level.to_owned(), format: LogFormat::Auto };
        if let Err(error) = self.filter.reload(filter(&settings, &self.surroundings)) {
            tracing::warn!(%error, "the level of the log could not be changed");
        }
    }
}

/// Starts logging for this process.
///
/// # Errors
/// It was started before.
pub fn start(settings: &LogSettings, surroundings: &Surroundings) -> Result<LogGuard, TryInitError> {
    let (writer, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING)
        .lossy(true)
        .thread_name("log")
        .finish(Gathered(BufWriter::new(StandardError)));
    let pretty = match settings.format {
        LogFormat::Auto => surroundings.terminal,
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let (filter, handle) = reload::Layer::new(filter(settings, surroundings));
    let registry = tracing_subscriber::registry().with(filter);
    // Without `log_internal_errors(false)` a failed write would be told on the same closed stream, by a macro that panics.
    if pretty {
        let layer = tracing_subscriber::fmt::layer()
            .compact()
            .with_ansi(surroundings.colour)
            .with_target(false)
            .log_internal_errors(false)
            .with_writer(writer);
        registry.with(layer).try_init()?;
    } else {
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .log_internal_errors(false)
            .with_writer(writer);
        registry.with(layer).try_init()?;
    }
    log_panics();
    Ok(LogGuard { _worker: worker, level: LogLevel { filter: handle, surroundings: surroundings.clone() } })
}

fn filter(settings: &LogSettings, surroundings: &Surroundings) -> EnvFilter {
    surroundings
        .rust_log
        .as_deref()
        .and_then(|text| text.parse::<EnvFilter>().ok())
        .or_else(|| settings.level.parse::<EnvFilter>().ok())
        .unwrap_or_else(|| EnvFilter::new("info"))
}

/// Panics become log lines of the same form as all others.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("of unknown kind");
        tracing::error!(place, message, "a task panicked");
    }));
}

/// Lines that come within so long are written together: under load a thread that wrote each as it came would be woken for each.
const GATHER: Duration = Duration::from_millis(2);

/// Writes what has gathered. Only the thread that writes lines waits here.
struct Gathered<W: Write>(BufWriter<W>);

impl<W: Write> Write for Gathered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        thread::sleep(GATHER);
        self.0.flush()
    }
}

/// Standard error without faults: a write that fails counts as done.
#[derive(Debug, Clone, Copy)]
struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_wins_where_it_can_be_read() {
        let settings = LogSettings { level: "warn".to_owned(), format: LogFormat::Auto };
        let with = |value: Option<&str>| {
            let surroundings = Surroundings { rust_log: value.map(str::to_owned), ..Surroundings::default() };
            filter(&settings, &surroundings).to_string()
        };
        assert_eq!(with(Some("debug")), "debug");
        assert_eq!(with(None), "warn");
        assert_eq!(with(Some("gateway=louder")), "warn");
    }
}
