//! What can stop a migration.

use std::time::Duration;

use kit::database::DatabaseError;
use sea_orm::DbErr;

/// Why a migration did not run. Whatever it says, the schema is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database can't be opened, has a newer schema than this binary, or failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The database did not come up in time.
    #[error("the {service} database did not come up within {} s: {cause}", waited.as_secs())]
    NotUp {
        /// Whose database.
        service: &'static str,
        /// For how long it was tried.
        waited: Duration,
        /// What the last try met.
        cause: DatabaseError,
    },
    /// Another process held the migration lock all the time.
    #[error("another process held the migration lock of {service} for {} s", waited.as_secs())]
    Locked {
        /// Whose lock.
        service: &'static str,
        /// For how long it was waited for.
        waited: Duration,
    },
    /// A migration is wrong, or the schema was changed by hand.
    #[error("a migration of {service} failed and was taken back: {cause}")]
    Failed {
        /// Whose migration.
        service: &'static str,
        /// What the database said.
        cause: DbErr,
    },
}
