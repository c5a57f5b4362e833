//! Which services have a database, with their lists of migrations.

use kit::database::Schema;
use sea_orm::{DatabaseTransaction, DynIden, sea_query::IntoIden};
use sea_orm_migration::{MigrationTrait, MigratorTraitSelf};

use crate::{MigrationError, gateway, users};

macro_rules! services {
    ($($(#[$doc:meta])* $service:ident = $module:ident, $number:literal;)+) => {
        /// A service with a schema of its own. Two of them may share one `PostgreSQL` database: tables, tracking tables and locks
        /// differ.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Service {
            $($(#[$doc])* $service,)+
        }

        impl Service {
            /// Every service, in the order in which they are migrated.
            pub const ALL: &[Self] = &[$(Self::$service),+];

            /// The schema this binary was built for.
            #[must_use]
            pub fn schema(self) -> Schema {
                match self {
                    $(Self::$service => $module::SCHEMA,)+
                }
            }

            fn list(self) -> Vec<Box<dyn MigrationTrait>> {
                match self {
                    $(Self::$service => $module::migrations(),)+
                }
            }

            /// The advisory lock's number on `PostgreSQL`: "plat" in ASCII, then the service, which keeps its number for ever.
            pub(crate) fn lock(self) -> i64 {
                0x706c_6174_0000_0000
                    + match self {
                        $(Self::$service => $number,)+
                    }
            }
        }
    };
}

services! {
    /// Users and their passwords.
    Users = users, 1;
    /// Sessions, keys, service accounts, audit.
    Gateway = gateway, 2;
}

impl Service {
    /// The name, as in `platform migrate up users`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.schema().service
    }

    pub(crate) async fn apply(
        self,
        transaction: &DatabaseTransaction,
        steps: Option<u32>,
    ) -> Result<Vec<String>, MigrationError> {
        let before = self.schema().applied(transaction).await?;
        self.up(transaction, steps).await.map_err(|cause| self.failed(cause))?;
        let after = self.schema().applied(transaction).await?;
        Ok(after.difference(&before).cloned().collect())
    }

    pub(crate) async fn take_back(
        self,
        transaction: &DatabaseTransaction,
        steps: Option<u32>,
    ) -> Result<Vec<String>, MigrationError> {
        let before = self.schema().applied(transaction).await?;
        self.down(transaction, steps).await.map_err(|cause| self.failed(cause))?;
        let after = self.schema().applied(transaction).await?;
        let mut taken_back: Vec<String> = before.difference(&after).cloned().collect();
        taken_back.reverse();
        Ok(taken_back)
    }

    fn failed(self, cause: sea_orm::DbErr) -> MigrationError {
        MigrationError::Failed { service: self.name(), cause }
    }
}

impl MigratorTraitSelf for Service {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        self.list()
    }

    fn migration_table_name(&self) -> DynIden {
        self.schema().table.into_iden()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_a_binary_knows_are_those_of_its_migrations() {
        for service in Service::ALL {
            let migrations = service.list();
            let names: Vec<&str> = migrations.iter().map(|migration| migration.name()).collect();
            assert_eq!(names, service.schema().migrations);
            assert!(names.is_sorted(), "{names:?}");
        }
    }

    #[test]
    fn each_service_has_a_lock_and_a_table_of_its_own() {
        let mut locks: Vec<i64> = Service::ALL.iter().map(|service| service.lock()).collect();
        let mut tables: Vec<&str> = Service::ALL.iter().map(|service| service.schema().table).collect();
        locks.sort_unstable();
        locks.dedup();
        tables.sort_unstable();
        tables.dedup();
        assert_eq!((locks.len(), tables.len()), (Service::ALL.len(), Service::ALL.len()));
    }
}
