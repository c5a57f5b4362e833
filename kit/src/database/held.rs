//! A connection that is kept over many reads: a pool tests each connection that it is given back, which costs as much as a small read.

use sea_orm::{
    ConnAcquireErr, DbBackend, DbErr, QueryResult, RuntimeErr,
    sqlx::{self, Postgres, Sqlite, pool::PoolConnection},
};

use super::{Database, DatabaseError};

/// A connection of the pool that reads. Others wait for it until it is dropped.
pub struct Held(Kind);

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
        held.map(Held).map_err(|error| acquiring(error).into())
    }
}

impl Held {
    /// The rows of a statement whose parameters are numbers; it stays prepared on this connection. After an error the connection is
    /// not to be used again.
    ///
    /// # Errors
    /// As any query.
    pub async fn rows(
        &mut self,
        statement: &'static str,
        parameters: &[i64],
    ) -> Result<Vec<QueryResult>, DatabaseError> {
        let rows = match &mut self.0 {
            Kind::Sqlite(connection) => {
                let query = parameters.iter().fold(sqlx::query(statement), sqlx::query::Query::bind);
                let rows = query.fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            }
            Kind::Postgres(connection) => {
                let query = parameters.iter().fold(sqlx::query(statement), sqlx::query::Query::bind);
                let rows = query.fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            }
        };
        rows.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())).into())
    }
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
