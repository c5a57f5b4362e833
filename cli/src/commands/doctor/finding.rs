//! What a check comes to.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::output::safe;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Good,
    /// It works, and deserves a look.
    Warning,
    /// It must be mended.
    Fault,
    /// It could not be looked at, or there is nothing to look at.
    Skipped,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Fault => "fault",
            Self::Skipped => "skipped",
        }
    }
}

/// One check and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The check, by a name that scripts can rely on.
    pub(super) check: &'static str,
    /// How it stands.
    pub(super) verdict: Verdict,
    /// What was found, in one line.
    pub(super) what: String,
    /// What comes of it, or where it comes from.
    pub(super) why: Option<String>,
    /// What mends it.
    pub(super) mend: Option<String>,
}

impl Finding {
    /// All is well.
    pub(super) fn good(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Good, what: what.into(), why: None, mend: None }
    }

    /// There was nothing to look at.
    pub(super) fn skipped(check: &'static str, what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skipped, ..Self::good(check, what) }
    }

    /// Something must be mended.
    pub(super) fn fault(
        check: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Fault,
            why: Some(why.into()),
            mend: Some(mend.into()),
            ..Self::good(check, what)
        }
    }

    /// The same, where it may be meant so.
    pub(super) fn warning(
        check: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Warning, ..Self::fault(check, what, why, mend) }
    }

    /// For programs.
    pub(super) fn row(&self) -> Value {
        json!({
            "check": self.check,
            "verdict": self.verdict.name(),
            "what": self.what,
            "why": self.why,
            "mend": self.mend,
        })
    }

    /// For people: a line, and below it why and how to mend it.
    pub(super) fn text(&self, width: Option<u16>) -> String {
        let width = width.map_or(usize::MAX, usize::from).max(40);
        let mut text = wrapped(&format!("{:<8}", self.verdict.name()), &self.what, width);
        for (title, told) in [("why", &self.why), ("mend", &self.mend)] {
            if let Some(told) = told {
                text += &wrapped(&format!("        {title:<5} "), told, width);
            }
        }
        text
    }
}

/// `head` and `told` in lines of at most `width` characters, as far as words allow; what is broken is indented.
fn wrapped(head: &str, told: &str, width: usize) -> String {
    let indent = head.chars().count();
    let mut text = head.to_owned();
    let mut column = indent;
    for (index, word) in safe(told).split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > width {
            let _ = write!(text, "\n{:indent$}", "");
            column = indent;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_fits_the_terminal_and_is_one_line_a_part_on_a_pipe() {
        let finding = Finding::fault("x", "one two three ".repeat(6).trim(), "because", "do this");
        let narrow = finding.text(Some(50));
        assert!(narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
        assert!(narrow.starts_with("fault   one two"), "{narrow}");
        assert_eq!(finding.text(None).lines().count(), 3);
    }
}
