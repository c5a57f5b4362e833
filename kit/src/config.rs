//! Configuration: one table of settings ([`table`]), read from defaults, a file, the environment and flags, in rising order.
//!
//! `platform.toml` (or the file that `PLATFORM_CONFIG` names) holds sections; the variable of `gateway.listen` is
//! `PLATFORM__GATEWAY__LISTEN`; every secret can also stand in a file that `…_file` or `…_FILE` names. Unknown keys and
//! wrong values are refused, all at once, each with where it stands and what would be right.

mod composed;
mod declared;
mod fault;
mod file;
mod issuer;
mod kind;
mod listing;
mod load;
mod own;
mod reload;
mod schema;
mod secret_file;
mod setting;
mod settings;
pub mod table;
#[cfg(test)]
mod tests;
mod units;
mod written;
mod written_as;

pub use composed::{Composed, ComposedSettings, ParameterSource, PartSettings};
pub use declared::{
    BodyChanges, ContractMode, Declared, FieldChanges, OperationSettings, RequestChanges, ResponseChanges,
    ServiceSettings,
};
pub use fault::{Fault, Faults, Origin, closest};
pub use issuer::IssuerSettings;
pub use kind::Kind;
pub use listing::{Entry, shown_database_url};
pub use load::{DEFAULT_FILE, Loaded, Sources, load};
pub use own::{Own, OwnSettings};
pub use reload::RELOADED;
pub use schema::json_schema;
pub use secret_file::{read_secret_file, without_line_break};
pub use settings::{
    CompatSettings, DatabaseSettings, GatewaySettings, LogFormat, LogSettings, MailSettings, OpsSettings,
    PasswordPolicy, Registration, Settings, TelemetrySettings, UsersSettings, Visibility,
};
pub use units::parse_duration;
pub use written::commented_file;
