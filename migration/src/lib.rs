//! Schema history: one list of migrations a service, applied by any number of processes at once without harm.
//!
//! All pending migrations of a call run in one transaction under a lock that other processes wait for: either the whole
//! schema is new or it is as before, also after `kill -9`. A binary never touches a schema newer than itself.
//!
//! Every time is kept as whole microseconds since 1970 in a `bigint`: both databases compare and index it alike, it is what
//! `PostgreSQL` can keep, and no time zone or text format is in the way.

mod connection;
mod error;
mod gateway;
mod service;
pub mod source;
mod users;

use std::time::Duration;

use kit::database::{Database, DatabaseError, DatabaseUrl};
use sea_orm::DatabaseTransaction;

pub use self::{error::MigrationError, service::Service};

/// How long to wait for a database that is not up yet, and again for the lock.
pub const WAIT: Duration = Duration::from_mins(1);

/// One migration of a service and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The migration's name, which sorts by age.
    pub name: String,
    /// Whether it is applied.
    pub applied: bool,
}

/// Applies the oldest `steps` pending migrations, all when `None`. The names of those applied; none when nothing was
/// pending.
///
/// # Errors
/// See [`MigrationError`]; the schema is then as it was.
pub async fn up(
    service: Service,
    url: &DatabaseUrl,
    steps: Option<u32>,
) -> Result<Vec<String>, MigrationError> {
    change(service, url, async |transaction| service.apply(transaction, steps).await).await
}

/// Takes back the newest `steps` applied migrations, all when `None`. The names of those taken back.
///
/// # Errors
/// See [`MigrationError`]; the schema is then as it was.
pub async fn down(
    service: Service,
    url: &DatabaseUrl,
    steps: Option<u32>,
) -> Result<Vec<String>, MigrationError> {
    change(service, url, async |transaction| service.take_back(transaction, steps).await).await
}

/// Takes back everything, data included, and applies every migration anew. The names of those applied.
///
/// # Errors
/// See [`MigrationError`]; the schema and its data are then as they were.
pub async fn fresh(service: Service, url: &DatabaseUrl) -> Result<Vec<String>, MigrationError> {
    change(service, url, async |transaction| {
        service.take_back(transaction, None).await?;
        service.apply(transaction, None).await
    })
    .await
}

/// Every migration of the service, oldest first. Changes nothing and takes no lock.
///
/// # Errors
/// See [`MigrationError`].
pub async fn status(service: Service, url: &DatabaseUrl) -> Result<Vec<Status>, MigrationError> {
    let database = connection::open(service, url, WAIT).await?;
    let schema = service.schema();
    let applied = schema.applied(database.reader()).await;
    database.close().await?;
    let applied = applied?;
    schema.refuse_newer(&applied)?;
    let status = |name: &&str| Status { name: (*name).to_owned(), applied: applied.contains(*name) };
    Ok(schema.migrations.iter().map(status).collect())
}

/// What [`up`] would apply, without applying it.
///
/// # Errors
/// See [`MigrationError`].
pub async fn pending(service: Service, url: &DatabaseUrl) -> Result<Vec<String>, MigrationError> {
    let all = status(service, url).await?;
    Ok(all.into_iter().filter(|migration| !migration.applied).map(|migration| migration.name).collect())
}

/// Runs `work` in one transaction, under the service's lock, on a schema that this binary knows. The names that are
/// applied after and were not before, or the other way round.
async fn change(
    service: Service,
    url: &DatabaseUrl,
    work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<Vec<String>, MigrationError>,
) -> Result<Vec<String>, MigrationError> {
    let database = connection::open(service, url, WAIT).await?;
    let result = change_locked(service, &database, work).await;
    let closed = database.close().await;
    let names = result?;
    closed?;
    Ok(names)
}

async fn change_locked(
    service: Service,
    database: &Database,
    work: impl AsyncFnOnce(&DatabaseTransaction) -> Result<Vec<String>, MigrationError>,
) -> Result<Vec<String>, MigrationError> {
    let transaction = connection::lock(service, database, WAIT).await?;
    let schema = service.schema();
    schema.refuse_newer(&schema.applied(&transaction).await?)?;
    let names = work(&transaction).await?;
    transaction.commit().await.map_err(DatabaseError::from)?;
    Ok(names)
}
