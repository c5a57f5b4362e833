//! Waiting: for a database that is not up yet, and for the lock that another process holds.

use std::time::Duration;

use kit::database::{Database, DatabaseError, DatabaseUrl};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::{MigrationError, Service};

/// The first pause between two tries; each next one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A wait for the lock that lasts longer than this is told in the log.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// Opens one connection, trying again while the database is not up. What time can't mend (a wrong password, an unknown
/// database) fails at once.
pub(crate) async fn open(
    service: Service,
    url: &DatabaseUrl,
    wait: Duration,
) -> Result<Database, MigrationError> {
    let deadline = Instant::now() + wait;
    let mut pause = FIRST_PAUSE;
    loop {
        let cause = match Database::connect_single(url, "platform-migrate").await {
            Ok(database) => return Ok(database),
            Err(error) if error.is_unavailable() => error,
            Err(error) => return Err(error.into()),
        };
        if Instant::now() + pause >= deadline {
            return Err(MigrationError::NotUp { service: service.name(), waited: wait, cause });
        }
        tracing::warn!(service = service.name(), error = %cause, "the database is not up yet, trying again");
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Begins the transaction that migrates, holding the lock of the service until it ends.
pub(crate) async fn lock(
    service: Service,
    database: &Database,
    wait: Duration,
) -> Result<DatabaseTransaction, MigrationError> {
    let deadline = Instant::now() + wait;
    let locking = try_lock(service, database, deadline);
    tokio::pin!(locking);
    tokio::select! {
        locked = &mut locking => return locked_in_time(service, wait, locked),
        () = sleep_until(Instant::now() + TELL_AFTER) => {
            tracing::info!(service = service.name(), "waiting for the migration lock");
        }
    }
    match timeout_at(deadline, locking).await {
        Ok(locked) => locked_in_time(service, wait, locked),
        Err(_) => Err(MigrationError::Locked { service: service.name(), waited: wait }),
    }
}

fn locked_in_time(
    service: Service,
    waited: Duration,
    locked: Result<DatabaseTransaction, DatabaseError>,
) -> Result<DatabaseTransaction, MigrationError> {
    locked.map_err(|error| {
        if error.is_unavailable() {
            MigrationError::Locked { service: service.name(), waited }
        } else {
            error.into()
        }
    })
}

/// SQLite: the write lock itself. PostgreSQL: an advisory lock that ends with the transaction, so that it also works
/// through a pool in transaction mode.
async fn try_lock(
    service: Service,
    database: &Database,
    deadline: Instant,
) -> Result<DatabaseTransaction, DatabaseError> {
    loop {
        match database.begin_write().await {
            Ok(transaction) if database.backend() == DbBackend::Postgres => {
                let lock = format!("SELECT pg_advisory_xact_lock({})", service.lock());
                transaction.execute_unprepared(&lock).await?;
                return Ok(transaction);
            }
            Ok(transaction) => return Ok(transaction),
            Err(error) if error.is_unavailable() && Instant::now() < deadline => {}
            Err(error) => return Err(error),
        }
    }
}
