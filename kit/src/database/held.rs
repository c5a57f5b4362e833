//! A connection that is kept over many reads: a pool tests each connection that it is given back, which costs as much as a small read.

use std::time::Duration;

use sea_orm::{
    ConnAcquireErr, DbBackend, DbErr, QueryResult, RuntimeErr,
    sqlx::{self, Postgres, Sqlite, pool::PoolConnection},
};

use super::{Database, DatabaseError};

/// How long its rows may take to come. The server's own limit is longer, and a server that is gone keeps to none.
const LIMIT: Duration = Duration::from_secs(3);

/// A connection of the pool that reads. Others wait for it until it is dropped; it goes back to the pool then, and is closed where its last
/// read was not answered to the end.
pub struct Held {
    kind: Kind,
    is_busy: bool,
}

enum Kind {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Database {
    /// Takes a connection for reads out of the pool.
    ///
    /// # Errors
    /// As any query.
    pub async fn hold(&self) -> Result<Held, DatabaseError> {
        let held = match self.backend() {
            DbBackend::Postgres => {
                self.reader.get_postgres_connection_pool().acquire().await.map(Kind::Postgres)
            }
            _ => self.reader.get_sqlite_connection_pool().acquire().await.map(Kind::Sqlite),
        };
        held.map(|kind| Held { kind, is_busy: false }).map_err(|error| acquiring(error).into())
    }
}

impl Held {
    /// The rows of a statement whose parameters are numbers; it stays prepared on this connection.
    ///
    /// # Errors
    /// As any query; [`DatabaseError::Unavailable`] too where the rows do not come within three seconds.
    pub async fn rows(
        &mut self,
        statement: &'static str,
        parameters: &[i64],
    ) -> Result<Vec<QueryResult>, DatabaseError> {
        self.is_busy = true;
        let rows = tokio::time::timeout(LIMIT, self.kind.rows(statement, parameters)).await;
        let rows = rows.map_err(|_| DatabaseError::Unavailable(late()))?;
        let rows = rows.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))?;
        self.is_busy = false;
        Ok(rows)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_busy {
            match &mut self.kind {
                Kind::Sqlite(connection) => connection.close_on_drop(),
                Kind::Postgres(connection) => connection.close_on_drop(),
            }
        }
    }
}

impl Kind {
    async fn rows(
        &mut self,
        statement: &'static str,
        parameters: &[i64],
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                let query = parameters.iter().fold(sqlx::query(statement), sqlx::query::Query::bind);
                let rows = query.fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
            Self::Postgres(connection) => {
                let query = parameters.iter().fold(sqlx::query(statement), sqlx::query::Query::bind);
                let rows = query.fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
        }
    }
}

fn late() -> DbErr {
    DbErr::Custom(format!("no rows came within {} seconds", LIMIT.as_secs()))
}

impl std::fmt::Debug for Held {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Held").finish_non_exhaustive()
    }
}

fn acquiring(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        other => DbErr::Conn(RuntimeErr::SqlxError(other.into())),
    }
}
