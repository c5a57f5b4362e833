//! The users service's schema.

mod m20261125_000001_users;

use kit::database::Schema;
use sea_orm_migration::MigrationTrait;

pub(crate) const SCHEMA: Schema =
    Schema { service: "users", table: "users_migrations", migrations: &["m20261125_000001_users"] };

pub(crate) fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(m20261125_000001_users::Migration)]
}
