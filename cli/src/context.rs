//! What surrounds a command: streams, terminal, environment, clock, prompts. Tests hand in their own.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::PathBuf;

use dialoguer::console::Term;
use time::OffsetDateTime;

use crate::failure::Outcome;
use crate::output::{Format, safe_lines};
use crate::prompt::{Prompt, TerminalPrompt};

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const PLAIN: &str = "\x1b[0m";

/// The surroundings of one command.
#[expect(clippy::struct_excessive_bools, reason = "facts about a terminal that do not exclude each other")]
pub struct Context {
    /// Data goes here, and nothing else.
    pub(crate) stdout: Box<dyn Write + Send>,
    /// Everything else goes here.
    pub(crate) stderr: Box<dyn Write + Send>,
    /// What is piped in.
    pub(crate) stdin: Box<dyn Read + Send>,
    /// Whether a person can answer: standard input and standard error are a terminal.
    pub(crate) interactive: bool,
    /// Whether standard input is a terminal.
    pub(crate) stdin_terminal: bool,
    /// Whether standard output is a terminal.
    pub(crate) stdout_terminal: bool,
    /// Whether standard error is a terminal.
    pub(crate) stderr_terminal: bool,
    /// Columns of the terminal that shows standard output.
    pub(crate) width: Option<u16>,
    /// Whether colours are wanted on standard output.
    pub(crate) colour: bool,
    /// Whether colours are wanted on standard error.
    pub(crate) error_colour: bool,
    /// The environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// The working folder.
    pub(crate) folder: PathBuf,
    /// The time.
    pub(crate) now: fn() -> OffsetDateTime,
    /// Asks a person.
    pub(crate) prompt: Box<dyn Prompt>,
    /// Form of the data.
    pub(crate) format: Format,
    /// No notes on standard error.
    pub(crate) quiet: bool,
    /// More on standard error: the chain of causes.
    pub(crate) verbose: bool,
}

impl Context {
    /// The surroundings of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let stdout_terminal = io::stdout().is_terminal();
        let stdin_terminal = io::stdin().is_terminal();
        let stderr_terminal = io::stderr().is_terminal();
        let wanted = environment.get("NO_COLOR").is_none_or(String::is_empty)
            && environment.get("TERM").is_none_or(|term| term != "dumb");
        Self {
            stdout: Box::new(BufWriter::new(io::stdout())),
            stderr: Box::new(io::stderr()),
            stdin: Box::new(io::stdin()),
            interactive: stdin_terminal && stderr_terminal,
            stdin_terminal,
            stdout_terminal,
            stderr_terminal,
            // A terminal that does not tell its size may have it in a variable.
            width: stdout_terminal
                .then(|| {
                    let told = Term::stdout().size_checked().map(|(_, columns)| columns);
                    told.or_else(|| environment.get("COLUMNS")?.parse().ok())
                })
                .flatten(),
            colour: stdout_terminal && wanted,
            error_colour: io::stderr().is_terminal() && wanted,
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            environment,
            now: OffsetDateTime::now_utc,
            prompt: Box::new(TerminalPrompt),
            format: Format::Table,
            quiet: false,
            verbose: false,
        }
    }

    /// A line of data. On a terminal nothing in it is obeyed.
    pub(crate) fn line(&mut self, text: &str) -> Outcome {
        if self.stdout_terminal {
            writeln!(self.stdout, "{}", safe_lines(text))?;
        } else {
            writeln!(self.stdout, "{text}")?;
        }
        Ok(())
    }

    /// A note for the person, unless `--quiet`; one that can't be written is lost.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            // In the order in which it happened; what can't be written now fails again, and loudly, at the end.
            let _ = self.stdout.flush();
            let _ = writeln!(self.stderr, "{}", safe_lines(text));
        }
    }

    /// A warning; also told with `--quiet`.
    pub(crate) fn warn(&mut self, text: &str) {
        let word = self.word("warning:", YELLOW);
        let _ = writeln!(self.stderr, "{word} {}", safe_lines(text));
    }

    /// An error, its first word in red on a terminal.
    pub(crate) fn error(&mut self, text: &str) {
        let text = match text.strip_prefix("error:") {
            Some(rest) => format!("{}{rest}", self.word("error:", RED)),
            None => text.to_owned(),
        };
        let _ = write!(self.stderr, "{text}");
    }

    fn word(&self, word: &str, colour: &str) -> String {
        if self.error_colour { format!("{colour}{word}{PLAIN}") } else { word.to_owned() }
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
