//! The gateway's schema: what it must not forget, and share with every other replica.

mod m20261125_000001_signing_keys;
mod m20261125_000002_sessions;
mod m20261125_000003_service_accounts;
mod m20261125_000004_audit;
mod m20261125_000005_signing_key_life;
mod m20261125_000010_service_account_rights;
mod m20261125_000020_one_time_addresses;
mod m20261125_000021_second_factors;

use kit::database::Schema;
use sea_orm_migration::MigrationTrait;

pub(crate) const SCHEMA: Schema = Schema {
    service: "gateway",
    table: "gateway_migrations",
    migrations: &[
        "m20261125_000001_signing_keys",
        "m20261125_000002_sessions",
        "m20261125_000003_service_accounts",
        "m20261125_000004_audit",
        "m20261125_000005_signing_key_life",
        "m20261125_000010_service_account_rights",
        "m20261125_000020_one_time_addresses",
        "m20261125_000021_second_factors",
    ],
};

pub(crate) fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261125_000001_signing_keys::Migration),
        Box::new(m20261125_000002_sessions::Migration),
        Box::new(m20261125_000003_service_accounts::Migration),
        Box::new(m20261125_000004_audit::Migration),
        Box::new(m20261125_000005_signing_key_life::Migration),
        Box::new(m20261125_000010_service_account_rights::Migration),
        Box::new(m20261125_000020_one_time_addresses::Migration),
        Box::new(m20261125_000021_second_factors::Migration),
    ]
}
