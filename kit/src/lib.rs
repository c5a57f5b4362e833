//! What every service stands on: configuration, listener, problem answers, internal tokens, database, telemetry.

pub mod body;
pub mod checked;
pub mod client_address;
pub mod clock;
pub mod config;
pub mod cors;
pub mod database;
pub mod edge;
pub mod explain;
pub mod health;
pub mod internal_token;
pub mod metrics;
pub mod operation_name;
pub mod problem;
pub mod remote_keys;
pub mod request_id;
pub mod routes;
pub mod server;
pub mod service;
pub mod spans;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;
pub mod trace;
pub mod workers;
