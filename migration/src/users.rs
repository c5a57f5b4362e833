//! The users service's schema.

mod m20261125_000001_users;
mod m20261125_000002_roles;
mod m20261125_000003_idempotency_keys;
mod m20261125_000010_verified_address;
mod m20261125_000030_search;

use kit::database::Schema;
use sea_orm_migration::MigrationTrait;

pub(crate) const SCHEMA: Schema = Schema {
    service: "users",
    table: "users_migrations",
    migrations: &[
        "m20261125_000001_users",
        "m20261125_000002_roles",
        "m20261125_000003_idempotency_keys",
        "m20261125_000010_verified_address",
        "m20261125_000030_search",
    ],
};

pub(crate) fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261125_000001_users::Migration),
        Box::new(m20261125_000002_roles::Migration),
        Box::new(m20261125_000003_idempotency_keys::Migration),
        Box::new(m20261125_000010_verified_address::Migration),
        Box::new(m20261125_000030_search::Migration),
    ]
}
