//! What one setting is, and how the rows of the table are written.

use super::kind::Kind;

/// One setting: its place, what it accepts, and what a reader has to know.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Full key, such as `gateway.listen`.
    pub key: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What holds where nothing is set.
    pub fallback: Fallback,
    /// What it is, in one line.
    pub doc: &'static str,
    /// Why one would change it, or why the default is what it is.
    pub why: &'static str,
    /// Never shown, and readable from a file (`…_file`).
    pub secret: bool,
}

/// The value of a setting that nobody set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// A value, written as in an environment variable.
    Value(&'static str),
    /// Worked out from other settings when needed; the text says how.
    Derived(&'static str),
}

impl Setting {
    /// The section, or nothing for a key at the top.
    #[must_use]
    pub fn section(&self) -> Option<&'static str> {
        self.key.split_once('.').map(|(section, _)| section)
    }

    /// The key inside its section.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }

    /// Its environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.key)
    }
}

/// The environment variable of a full key: `gateway.listen` is `PLATFORM__GATEWAY__LISTEN`.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("PLATFORM__{}", key.replace('.', "__").to_uppercase())
}

pub(super) const fn plain(
    key: &'static str,
    kind: Kind,
    value: &'static str,
    doc: &'static str,
    why: &'static str,
) -> Setting {
    Setting { key, kind, fallback: Fallback::Value(value), doc, why, secret: false }
}

pub(super) const fn derived(
    key: &'static str,
    kind: Kind,
    from: &'static str,
    doc: &'static str,
    why: &'static str,
) -> Setting {
    Setting { key, kind, fallback: Fallback::Derived(from), doc, why, secret: false }
}

pub(super) const fn secret(
    key: &'static str,
    kind: Kind,
    from: &'static str,
    doc: &'static str,
    why: &'static str,
) -> Setting {
    Setting { key, kind, fallback: Fallback::Derived(from), doc, why, secret: true }
}

pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const DAY: u64 = 24 * 60 * MINUTE;

pub(super) const fn duration(minimum_ms: u64, maximum_ms: u64) -> Kind {
    Kind::Duration { minimum_ms, maximum_ms }
}

pub(super) const fn integer(minimum: i64, maximum: i64, unit: &'static str) -> Kind {
    Kind::Integer { minimum, maximum, unit }
}
