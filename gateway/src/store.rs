//! The gateway's own tables.

pub(crate) mod audit;
pub(crate) mod keys;
pub(crate) mod login_attempts;
pub(crate) mod one_time_tokens;
pub(crate) mod revocations;
pub(crate) mod second_factors;
pub(crate) mod service_accounts;
pub(crate) mod sessions;

/// The migrations this gateway was built for; a test of `migration` holds the two lists together.
pub(crate) const SCHEMA: kit::database::Schema = kit::database::Schema {
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
