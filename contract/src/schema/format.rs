//! The string formats that are checked; any other is an annotation (JSON Schema validation §7).

use crate::{Email, Timestamp};

/// A checked format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    DateTime,
    Date,
    Email,
    Uuid,
}

impl Format {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "date-time" => Some(Self::DateTime),
            "date" => Some(Self::Date),
            "email" | "idn-email" => Some(Self::Email),
            "uuid" => Some(Self::Uuid),
            _ => None,
        }
    }

    /// Says what is wrong with `text`, if anything.
    pub(super) fn fault(self, text: &str) -> Option<&'static str> {
        let (fits, fault) = match self {
            Self::DateTime => (
                text.parse::<Timestamp>().is_ok(),
                "value is not an RFC 3339 date and time, such as 2026-11-25T08:30:00Z",
            ),
            Self::Date => (is_date(text), "value is not a date, such as 2026-11-25"),
            Self::Email => (text.parse::<Email>().is_ok(), "value is not a valid email address"),
            Self::Uuid => (is_uuid(text), "value is not a UUID"),
        };
        (!fits).then_some(fault)
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok()
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
