//! The widgets service.
//!
//! `api` (wire) → `domain` (rules) ← `store` (tables). [`bind`] puts them together behind a listener.

mod api;
mod domain;
mod service;
mod store;

pub use kit::service::{Service, ServiceConfig as Config, StartError};

pub use self::{service::bind, store::SCHEMA};
