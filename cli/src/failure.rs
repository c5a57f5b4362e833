//! How a command ends: the exit codes, and an error of at most three lines (what happened, why, what to do next).

use std::fmt::{self, Write as _};
use std::io;

use crate::output::safe_lines;

/// Exit codes, as scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Refused or failed.
    Failed = 1,
    /// The command was not called as it must be.
    Usage = 2,
    /// The thing named does not exist.
    NotFound = 3,
    /// Not signed in, or not allowed.
    NotAllowed = 4,
    /// The platform can't be reached.
    Unreachable = 5,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

/// Why a command did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// What happened, in one line.
    pub(crate) what: String,
    /// Why, in one line.
    pub(crate) why: Option<String>,
    /// What to do next, in one line.
    pub(crate) next: Option<String>,
    /// The chain of causes, told with `--verbose`.
    pub(crate) causes: Vec<String>,
    /// Nothing is left to tell: it was told already, or the reader of the output went away.
    pub(crate) silent: bool,
}

/// What a command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with this exit code.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: None, next: None, causes: Vec::new(), silent: false }
    }

    /// Refused or failed.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    /// Called in a way it can't be.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Adds why.
    #[must_use]
    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds an error: its innermost cause is the reason, the chain is for `--verbose`.
    #[must_use]
    pub(crate) fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            self.causes.push(error.to_string());
            cause = error.source();
        }
        if self.why.is_none() {
            self.why = self.causes.last().cloned();
        }
        self
    }

    /// The text for standard error. Any part may be foreign, and nothing in it is obeyed by a terminal.
    #[must_use]
    pub(crate) fn text(&self, verbose: bool) -> String {
        let mut text = format!("error: {}\n", self.what);
        for line in [&self.why, &self.next].into_iter().flatten() {
            let _ = writeln!(text, "  {line}");
        }
        if verbose {
            for cause in &self.causes {
                let _ = writeln!(text, "  caused by: {cause}");
            }
        }
        safe_lines(&text).into_owned()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.what)
    }
}

/// A failed write to standard output. A reader that went away (`| head`) is no failure; a full disk is.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            let mut failure = Self::new(Exit::Done, "the reader went away");
            failure.silent = true;
            return failure;
        }
        Self::failed(format!("can't write to standard output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_at_most_three_lines_and_the_chain_only_when_verbose() {
        let inner = io::Error::other("inner");
        let failure = Failure::failed("it broke").caused_by(&inner).next("mend it");
        assert_eq!(failure.text(false), "error: it broke\n  inner\n  mend it\n");
        assert!(failure.text(true).ends_with("  caused by: inner\n"));
    }

    #[test]
    fn nothing_foreign_in_any_part_of_it_is_obeyed_by_a_terminal() {
        let foreign = "\u{1b}[2J\u{9b}\u{7f}\u{202e}\u{61c}\u{2028}";
        let failure = Failure::failed(foreign).because(foreign).next(foreign);
        let failure = failure.caused_by(&io::Error::other(foreign));
        let text = failure.text(true);
        assert_eq!(text.matches("\\u{1b}[2J\\u{9b}\\u{7f}\\u{202e}\\u{61c}\\u{2028}").count(), 4, "{text}");
        assert_eq!(crate::output::safe(&text.replace('\n', "")), text.replace('\n', ""));
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is() {
        let gone = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(gone.silent && gone.exit == Exit::Done);
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(!full.silent && full.exit == Exit::Failed);
    }
}
