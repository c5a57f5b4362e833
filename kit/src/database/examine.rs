//! What a database says of itself, for who looks after it.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Database, DatabaseError};

impl Database {
    /// How many microseconds the server's clock is ahead of this machine's; `None` where both are the same clock.
    ///
    /// # Errors
    /// As any query.
    pub async fn clock_ahead(&self) -> Result<Option<i64>, DatabaseError> {
        if self.backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let before = crate::clock::now().microseconds();
        let theirs = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS number";
        let theirs = self.number(theirs).await?;
        let after = crate::clock::now().microseconds();
        // They answered at some moment between the two.
        Ok(theirs.map(|theirs| theirs - before - (after - before) / 2))
    }

    /// How many connections the server takes from everybody, or into this database, whichever is less; `None` where there is no
    /// server.
    ///
    /// # Errors
    /// As any query.
    pub async fn connection_limit(&self) -> Result<Option<i64>, DatabaseError> {
        if self.backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let limit = "SELECT least(
                current_setting('max_connections')::bigint
                    - current_setting('superuser_reserved_connections')::bigint,
                (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
                (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
            )::bigint AS number";
        self.number(limit).await
    }

    /// What is damaged in the file, if anything is; `None` also where the database is no file.
    ///
    /// # Errors
    /// As any query.
    pub async fn damage(&self) -> Result<Option<String>, DatabaseError> {
        if self.backend() != DbBackend::Sqlite {
            return Ok(None);
        }
        let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA quick_check(1)");
        let row = self.reader().query_one_raw(check).await?;
        let told = row.map(|row| row.try_get_by_index::<String>(0)).transpose()?;
        Ok(told.filter(|told| told != "ok"))
    }

    async fn number(&self, query: &str) -> Result<Option<i64>, DatabaseError> {
        let row = self.reader().query_one_raw(Statement::from_string(DbBackend::Postgres, query)).await?;
        Ok(row.map(|row| row.try_get("", "number")).transpose()?)
    }
}
