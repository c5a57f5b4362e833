//! The users service: accounts, passwords, and who may see and change them.
//!
//! `api` (wire) → `domain` (rules) ← `store` (tables). [`bind`] puts them together behind a listener.

mod api;
mod config;
pub mod domain;
mod service;
mod store;

pub use self::{
    config::Config,
    domain::{
        Visibility,
        password::{Argon2Cost, CostError, Policy as PasswordPolicy},
    },
    service::bind,
    store::{SCHEMA, SqlStore},
};
pub use kit::service::{ServeError, Service, StartError};
