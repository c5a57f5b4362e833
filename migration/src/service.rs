//! Which services have a database, with their lists of migrations.

use kit::database::Schema;
use sea_orm::{DatabaseTransaction, DynIden, sea_query::IntoIden};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

use crate::{MigrationError, gateway, users};

/// A service with a schema of its own. Two of them may share one `PostgreSQL` database: tables, tracking tables and locks
/// differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Users and their passwords.
    Users,
    /// Sessions, keys, service accounts, audit.
    Gateway,
}

impl Service {
    /// Every service, in the order in which they are migrated.
    pub const ALL: [Self; 2] = [Self::Users, Self::Gateway];

    /// The name, as in `platform migrate up users`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.schema().service
    }

    /// The schema this binary was built for.
    #[must_use]
    pub fn schema(self) -> Schema {
        match self {
            Self::Users => users::SCHEMA,
            Self::Gateway => gateway::SCHEMA,
        }
    }

    /// The advisory lock's number on `PostgreSQL`: "plat" in ASCII, then the service.
    pub(crate) fn lock(self) -> i64 {
        0x706c_6174_0000_0000
            + match self {
                Self::Users => 1,
                Self::Gateway => 2,
            }
    }

    pub(crate) async fn apply(
        self,
        transaction: &DatabaseTransaction,
        steps: Option<u32>,
    ) -> Result<Vec<String>, MigrationError> {
        match self {
            Self::Users => apply::<Users>(self, transaction, steps).await,
            Self::Gateway => apply::<Gateway>(self, transaction, steps).await,
        }
    }

    pub(crate) async fn take_back(
        self,
        transaction: &DatabaseTransaction,
        steps: Option<u32>,
    ) -> Result<Vec<String>, MigrationError> {
        match self {
            Self::Users => take_back::<Users>(self, transaction, steps).await,
            Self::Gateway => take_back::<Gateway>(self, transaction, steps).await,
        }
    }
}

struct Users;

impl MigratorTrait for Users {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        users::migrations()
    }

    fn migration_table_name() -> DynIden {
        users::SCHEMA.table.into_iden()
    }
}

struct Gateway;

impl MigratorTrait for Gateway {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        gateway::migrations()
    }

    fn migration_table_name() -> DynIden {
        gateway::SCHEMA.table.into_iden()
    }
}

async fn apply<M: MigratorTrait>(
    service: Service,
    transaction: &DatabaseTransaction,
    steps: Option<u32>,
) -> Result<Vec<String>, MigrationError> {
    let failed = |cause| MigrationError::Failed { service: service.name(), cause };
    let before = service.schema().applied(transaction).await?;
    M::up(transaction, steps).await.map_err(failed)?;
    let after = service.schema().applied(transaction).await?;
    Ok(after.difference(&before).cloned().collect())
}

async fn take_back<M: MigratorTrait>(
    service: Service,
    transaction: &DatabaseTransaction,
    steps: Option<u32>,
) -> Result<Vec<String>, MigrationError> {
    let failed = |cause| MigrationError::Failed { service: service.name(), cause };
    let before = service.schema().applied(transaction).await?;
    M::down(transaction, steps).await.map_err(failed)?;
    let after = service.schema().applied(transaction).await?;
    let mut taken_back: Vec<String> = before.difference(&after).cloned().collect();
    taken_back.reverse();
    Ok(taken_back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_a_binary_knows_are_those_of_its_migrations() {
        for (service, migrations) in
            [(Service::Users, users::migrations()), (Service::Gateway, gateway::migrations())]
        {
            let names: Vec<&str> = migrations.iter().map(|migration| migration.name()).collect();
            assert_eq!(names, service.schema().migrations);
            assert!(names.is_sorted(), "{names:?}");
        }
    }
}
