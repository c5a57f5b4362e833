//! Which migrations a binary was built for, and whether the database has exactly these.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::DatabaseError;

/// A service's schema: the table that records applied migrations, and the names this binary knows.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The service, for messages.
    pub service: &'static str,
    /// The tracking table.
    pub table: &'static str,
    /// The names of all migrations, in order.
    pub migrations: &'static [&'static str],
}

impl Schema {
    /// The names of the migrations applied to the database; none where it has never been migrated.
    ///
    /// # Errors
    /// As any query.
    pub async fn applied<C: ConnectionTrait>(
        &self,
        connection: &C,
    ) -> Result<BTreeSet<String>, DatabaseError> {
        let backend = connection.get_database_backend();
        let exists = match backend {
            DbBackend::Postgres => format!("SELECT 1 WHERE to_regclass('{}') IS NOT NULL", self.table),
            _ => format!("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{}'", self.table),
        };
        if connection.query_one_raw(Statement::from_string(backend, exists)).await?.is_none() {
            return Ok(BTreeSet::new());
        }
        let names = format!("SELECT version FROM {}", self.table);
        let rows = connection.query_all_raw(Statement::from_string(backend, names)).await?;
        Ok(rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>()?)
    }

    /// Refuses migrations this binary does not know: an older binary must not half work on a newer schema.
    ///
    /// # Errors
    /// [`DatabaseError::SchemaNewer`].
    pub fn refuse_newer(&self, applied: &BTreeSet<String>) -> Result<(), DatabaseError> {
        let unknown: Vec<&str> =
            applied.iter().map(String::as_str).filter(|name| !self.migrations.contains(name)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(DatabaseError::SchemaNewer { service: self.service, unknown: unknown.join(", ") })
    }

    pub(super) async fn require(&self, connection: &DatabaseConnection) -> Result<(), DatabaseError> {
        let applied = self.applied(connection).await?;
        self.refuse_newer(&applied)?;
        let missing: Vec<&str> =
            self.migrations.iter().copied().filter(|name| !applied.contains(*name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(DatabaseError::SchemaOlder { service: self.service, missing: missing.join(", ") })
    }
}
