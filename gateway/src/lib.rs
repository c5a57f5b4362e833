//! The gateway: the one public door. It checks who calls and what, calls a service for it, and checks what comes back.

mod api;
mod assembly;
mod cache;
mod composition;
mod compression;
mod config;
mod document;
mod explain;
#[cfg(fuzzing)]
pub mod fuzzing;
mod handshake;
mod identity;
mod mail;
mod parts;
mod policy;
mod published;
mod rate_limits;
mod reload;
mod serve;
mod services;
mod standing;
mod start_error;
mod store;
mod tunnels;
mod upstream;
mod valkey;

pub use config::{Config, Mail};
pub use document::{documents, operations, public_document};
pub use explain::{Explain, explain};
pub use identity::{
    master_key::{BadMasterKey, MasterKey},
    operator::{OPERATOR_TOKEN_TIME, OperatorError, master_key_fits, operator_token},
};
pub use mail::{BadTemplate, BadTransport, Templates, Transport};
pub use policy::rate_limit::{By, NotARule, RateRule};
pub use published::{Published, published};
pub use reload::Reloader;
pub use serve::{Listeners, Service, bind, bind_on};
pub use services::{
    composed::ComposeFault,
    declared::{BindFault, COMPOSED, ServiceFault, document_of, served_contract},
    typed::SERVICES,
};
pub use start_error::StartError;
pub use valkey::{BadValkeyUrl, ValkeyUrl};
