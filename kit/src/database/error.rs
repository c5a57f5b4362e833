//! What can go wrong with a database, told apart by what a caller can do about it.

use std::io;

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// An error of the database, sorted by what helps. The text never holds a URL or a value.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Not there, starting, overloaded or locked: the same call can succeed later (503).
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] DbErr),
    /// It answered and does not let us in: wrong password, unknown database, no such directory. Waiting does not help.
    #[error("the database refused the connection: {0}")]
    Refused(#[source] DbErr),
    /// Migrations that this binary needs have not been applied.
    #[error("the {service} schema is older than this binary: run `platform migrate up` (missing: {missing})")]
    SchemaOlder {
        /// Whose schema.
        service: &'static str,
        /// The migrations not applied yet.
        missing: String,
    },
    /// Migrations have been applied that this binary does not know.
    #[error("the {service} schema is newer than this binary (unknown: {unknown}): start the newer version")]
    SchemaNewer {
        /// Whose schema.
        service: &'static str,
        /// The migrations it does not know.
        unknown: String,
    },
    /// Anything else: a fault of ours.
    #[error("the database failed: {0}")]
    Failed(#[source] DbErr),
}

impl DatabaseError {
    /// Whether the same call can succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Sorts an error met while opening the database: whatever is not known to pass with time is a refusal.
    pub(super) fn connecting(error: DbErr) -> Self {
        if is_unavailable(&error) { Self::Unavailable(error) } else { Self::Refused(error) }
    }
}

impl From<DbErr> for DatabaseError {
    fn from(error: DbErr) -> Self {
        if is_unavailable(&error) { Self::Unavailable(error) } else { Self::Failed(error) }
    }
}

/// Whether the error says that a unique index already holds the value.
#[must_use]
pub fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

fn is_unavailable(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) => true,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => passes_with_time(error),
        _ => false,
    }
}

fn passes_with_time(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Io(error) => error.kind() != io::ErrorKind::PermissionDenied,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code_passes_with_time(&code)),
        _ => false,
    }
}

/// PostgreSQL's SQLSTATE is five characters long, SQLite's extended result code a number of at most four digits.
fn code_passes_with_time(code: &str) -> bool {
    if code.len() == 5 {
        // 08: connection; 53: resources; 57P0x: shut down, starting; 57014: statement time-out; 40001, 40P01: to be
        // retried; 55P03: lock not available.
        return code.starts_with("08")
            || code.starts_with("53")
            || code.starts_with("57P0")
            || matches!(code, "57014" | "40001" | "40P01" | "55P03");
    }
    // The low byte is the primary code: 5 busy, 6 locked, 13 full.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 13))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_with_time_is_told_from_what_does_not() {
        for code in ["08006", "53300", "57P01", "57P03", "57014", "40001", "5", "6", "13", "517", "261"] {
            assert!(code_passes_with_time(code), "{code}");
        }
        for code in
            ["28P01", "28000", "3D000", "42P01", "23505", "22021", "1", "8", "14", "2067", "1555", "787"]
        {
            assert!(!code_passes_with_time(code), "{code}");
        }
    }
}
