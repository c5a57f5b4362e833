//! The one place where the time of day is read.

use contract::Timestamp;

/// Now, in UTC, cut to microseconds.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::new(time::OffsetDateTime::now_utc())
}
