//! Points in time on the wire: RFC 3339, UTC, microseconds at most (what both databases keep).

use std::{fmt, str::FromStr};

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::wire::wire_string;

/// A point in time, UTC, with microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

/// The text is no RFC 3339 date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an RFC 3339 date and time, such as 2026-11-25T08:30:00Z")]
pub struct NotATimestamp;

impl Timestamp {
    /// The same point in time in UTC, cut to microseconds.
    #[must_use]
    pub fn new(at: OffsetDateTime) -> Self {
        let at = at.to_offset(UtcOffset::UTC);
        let microsecond = at.nanosecond() / 1_000 * 1_000;
        Self(at.replace_nanosecond(microsecond).unwrap_or(at))
    }

    /// From microseconds since 1970-01-01T00:00:00Z; `None` outside the years −9999 to 9999.
    #[must_use]
    pub fn from_microseconds(microseconds: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1_000).ok().map(Self)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn microseconds(self) -> i64 {
        i64::try_from(self.0.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
    }

    /// Whole seconds since 1970-01-01T00:00:00Z (a JWT `NumericDate`).
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// The point in time as the `time` crate has it.
    #[must_use]
    pub fn date_time(self) -> OffsetDateTime {
        self.0
    }
}

impl std::ops::Add<std::time::Duration> for Timestamp {
    type Output = Self;

    /// Later by `duration`; the end of time where that cannot be said.
    fn add(self, duration: std::time::Duration) -> Self {
        let duration = time::Duration::try_from(duration).unwrap_or(time::Duration::MAX);
        Self::new(self.0.saturating_add(duration))
    }
}

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OffsetDateTime::parse(text, &Rfc3339).map(Self::new).map_err(|_| NotATimestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.format(&Rfc3339) {
            Ok(text) => formatter.write_str(&text),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

wire_string!(
    Timestamp,
    MetaSchema {
        example: Some("2026-11-25T08:30:00Z".into()),
        ..MetaSchema::new_with_format("string", "date-time")
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_survives_the_wire_and_the_database() {
        let at: Timestamp = "2026-11-25T10:30:00.123456789+02:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-25T08:30:00.123456Z");
        assert_eq!(Timestamp::from_microseconds(at.microseconds()), Some(at));
    }
}
