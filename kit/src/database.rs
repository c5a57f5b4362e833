//! One way to open and use a database: SQLite or PostgreSQL, chosen by URL, with the same meaning on both.
//!
//! SQLite takes one writer at a time, so a [`Database`] has one connection that writes and a pool that reads; on
//! PostgreSQL both are the same pool. Every write goes through [`Database::begin_write`].

mod copy;
mod error;
mod examine;
mod held;
mod listen;
mod schema;
mod url;

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

pub use self::{
    copy::copy_sqlite,
    error::{DatabaseError, is_duplicate},
    held::Held,
    listen::notify,
    schema::Schema,
    url::{DatabaseUrl, DatabaseUrlError},
};

/// How long a request waits for a free connection. Longer than a healthy database ever needs, shorter than a client's
/// patience.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long SQLite waits for another process (a migration, a backup) that holds the write lock.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest a single statement may run on PostgreSQL.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection unused for this long is tried before it is handed out, so that a restart of the database costs no request
/// its answer; one in steady use is not, which saves a round trip a request.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(1);

/// An open database.
#[derive(Debug, Clone)]
pub struct Database {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    connections: u32,
    url: DatabaseUrl,
}

impl Database {
    /// Opens the database. `max_connections` bounds the pool (on SQLite: of readers; there is one writer); `application` is
    /// the name under which PostgreSQL lists the connections.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] where trying again later can help, else [`DatabaseError::Refused`].
    pub async fn connect(
        url: &DatabaseUrl,
        max_connections: u32,
        application: &str,
    ) -> Result<Self, DatabaseError> {
        match url {
            DatabaseUrl::Sqlite(_) => {
                make_private(url).await;
                // The writer first: it makes the file and turns on WAL, which the readers then find.
                let writer = open(sqlite(url, 1, false)).await?;
                let connections = max_connections.max(1);
                let reader = open(sqlite(url, connections, true)).await?;
                Ok(Self { reader, writer, connections, url: url.clone() })
            }
            DatabaseUrl::Postgres(_) => {
                let connections = max_connections.max(2);
                let pool = open(postgres(url, connections, application)).await?;
                Ok(Self { reader: pool.clone(), writer: pool, connections, url: url.clone() })
            }
        }
    }

    /// Opens exactly one connection, for work that must not be spread over several (migrations). Statements may run for
    /// any time.
    ///
    /// # Errors
    /// As [`Database::connect`].
    pub async fn connect_single(url: &DatabaseUrl, application: &str) -> Result<Self, DatabaseError> {
        let mut options = match url {
            DatabaseUrl::Sqlite(_) => {
                make_private(url).await;
                sqlite(url, 1, false)
            }
            DatabaseUrl::Postgres(_) => postgres(url, 1, application),
        };
        options.statement_timeout(Duration::ZERO);
        let only = open(options).await?;
        Ok(Self { reader: only.clone(), writer: only, connections: 1, url: url.clone() })
    }

    /// Which of the two it is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// How many connections there are for reads at most.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// The handle for queries that change nothing. On SQLite it can't write.
    #[must_use]
    pub fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Begins a transaction that may write.
    ///
    /// On SQLite it takes the write lock at once (`BEGIN IMMEDIATE`): a transaction that reads first and asks for the lock
    /// later fails whatever the busy time-out says. On PostgreSQL it is `READ COMMITTED`.
    ///
    /// # Errors
    /// [`DatabaseError::Unavailable`] when there is no connection, or no lock in time.
    pub async fn begin_write(&self) -> Result<DatabaseTransaction, DatabaseError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: match self.backend() {
                DbBackend::Sqlite => Some(SqliteTransactionMode::Immediate),
                _ => None,
            },
            ..TransactionOptions::default()
        };
        Ok(self.writer.begin_with_options(options).await?)
    }

    /// Whether the database answers, to a read and over the write connection.
    ///
    /// # Errors
    /// As any query.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        self.reader.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Whether the schema is the one this binary was built for.
    ///
    /// # Errors
    /// [`DatabaseError::SchemaOlder`], [`DatabaseError::SchemaNewer`], or as any query.
    pub async fn require_schema(&self, schema: &Schema) -> Result<(), DatabaseError> {
        schema.require(&self.reader).await
    }

    /// Closes every connection; on SQLite the write-ahead log goes into the database file first, so that a copy of that
    /// one file is whole.
    ///
    /// # Errors
    /// As any query; the connections are closed all the same.
    pub async fn close(self) -> Result<(), DatabaseError> {
        let checkpoint = match self.backend() {
            DbBackend::Sqlite => {
                let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
                self.writer.query_one_raw(statement).await.map(|_| ())
            }
            _ => Ok(()),
        };
        self.reader.close().await?;
        self.writer.close().await?;
        Ok(checkpoint?)
    }
}

/// Makes a missing SQLite file readable by its owner alone; SQLite gives its companions the same mode. What keeps it from being
/// made is told by the connection that follows.
async fn make_private(url: &DatabaseUrl) {
    let Some(path) = url.sqlite_path() else { return };
    let mut create = tokio::fs::OpenOptions::new();
    create.write(true).create_new(true);
    #[cfg(unix)]
    create.mode(0o600);
    if let Err(error) = create.open(path).await
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        tracing::debug!(%error, "the database file could not be made");
    }
}

async fn open(options: ConnectOptions) -> Result<DatabaseConnection, DatabaseError> {
    sea_orm::Database::connect(options).await.map_err(DatabaseError::connecting)
}

/// What both kinds have in common.
fn options(url: String, max_connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire_if_idle_for(TEST_AFTER_IDLE)
        // Statements carry e-mail addresses and hashes: they are never logged.
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

fn sqlite(url: &DatabaseUrl, max_connections: u32, read_only: bool) -> ConnectOptions {
    let path = url.sqlite_path().map(ToOwned::to_owned).unwrap_or_default();
    let mut options = options("sqlite://database".to_owned(), max_connections);
    options
        // A file's connection does not go stale, and the last one to close would drop the write-ahead log.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .filename(&path)
                .create_if_missing(!read_only)
                .busy_timeout(SQLITE_BUSY_TIMEOUT)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .foreign_keys(true);
            if read_only { sqlite.pragma("query_only", "on") } else { sqlite }
        });
    if !read_only {
        // A burst of writers queues here, before the lock.
        options.acquire_timeout(SQLITE_BUSY_TIMEOUT);
    }
    options
}

fn postgres(url: &DatabaseUrl, max_connections: u32, application: &str) -> ConnectOptions {
    let mut options = options(url.expose(), max_connections);
    options.set_application_name(application).statement_timeout(STATEMENT_TIMEOUT);
    options
}

#[cfg(test)]
mod tests;
