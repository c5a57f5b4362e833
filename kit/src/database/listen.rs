//! Hearing at once of what other processes commit: `LISTEN` and `NOTIFY`, which PostgreSQL alone has.
//!
//! A notification can be lost (the connection breaks, a pooler drops `LISTEN`), so whoever listens polls too; it only makes
//! the poll come sooner.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, Statement,
    sqlx::{
        self, ConnectOptions,
        postgres::{PgConnectOptions, PgListener, PgPoolOptions},
    },
};
use tokio_util::sync::CancellationToken;

use super::{ACQUIRE_TIMEOUT, Database, DatabaseError, DatabaseUrl};

/// How long after a lost connection the next is tried.
const RETRY: Duration = Duration::from_secs(1);

/// Tells every listener of `channel`, once this transaction commits, that there is something new. SQLite has no such thing:
/// there it does nothing.
///
/// # Errors
/// As any query.
pub async fn notify(transaction: &DatabaseTransaction, channel: &'static str) -> Result<(), DatabaseError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT pg_notify($1, '')";
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [channel.into()]);
        transaction.execute_raw(statement).await?;
    }
    Ok(())
}

impl Database {
    /// Calls `heard` whenever somebody notified on `channel`, and whenever notifications may have been lost, until
    /// `shutdown`. It has a connection of its own. On SQLite it ends at once.
    pub async fn listen(&self, channel: &'static str, heard: impl Fn(), shutdown: CancellationToken) {
        let DatabaseUrl::Postgres(_) = &self.url else { return };
        let listening = async {
            loop {
                let Err(error) = listen(&self.url, channel, &heard).await;
                tracing::warn!(channel, %error, "not listening to the database; polling goes on");
                tokio::time::sleep(RETRY).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = listening => {}
        }
    }
}

async fn listen(
    url: &DatabaseUrl,
    channel: &'static str,
    heard: &impl Fn(),
) -> Result<std::convert::Infallible, DatabaseError> {
    let mut listener = connect(url, channel).await.map_err(of)?;
    heard();
    loop {
        // `None`: the connection was lost and is there again; what was said meanwhile is not known.
        listener.try_recv().await.map_err(of)?;
        heard();
    }
}

async fn connect(url: &DatabaseUrl, channel: &'static str) -> Result<PgListener, sqlx::Error> {
    let options: PgConnectOptions = url.expose().parse()?;
    let options = options.application_name("platform-listener").disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(channel).await?;
    Ok(listener)
}

fn of(error: sqlx::Error) -> DatabaseError {
    DatabaseError::connecting(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}
