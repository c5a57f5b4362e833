//! A whole copy of a SQLite database, made while others read and write it.

use std::path::Path;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Database, DatabaseError, DatabaseUrl};

/// Copies the database at `url` into the file `to`, which must not be there: as it stands at one moment, in one file, without
/// holding up who writes meanwhile (`VACUUM INTO`).
///
/// # Errors
/// As any query.
pub async fn copy_sqlite(url: &DatabaseUrl, to: &Path) -> Result<(), DatabaseError> {
    let database = Database::connect_single(url, "platform-copy").await?;
    let copy = Statement::from_sql_and_values(
        DbBackend::Sqlite,
        "VACUUM INTO $1",
        [to.to_string_lossy().into_owned().into()],
    );
    let copied = database.reader().execute_raw(copy).await;
    // The writers' log is theirs: nothing is moved out of it here.
    database.reader().close_by_ref().await?;
    copied?;
    Ok(())
}
