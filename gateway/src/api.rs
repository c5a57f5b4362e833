//! The gateway's own operations.

pub(crate) mod account;
pub(crate) mod account_pages;
pub(crate) mod admin_page;
pub(crate) mod all_sessions;
pub(crate) mod audit;
pub(crate) mod audit_trail;
pub(crate) mod auth;
pub(crate) mod client_door;
pub(crate) mod docs;
pub(crate) mod entity_tag;
pub(crate) mod fixed;
mod guess;
pub(crate) mod keys;
pub(crate) mod metadata;
mod next_page;
pub(crate) mod oauth;
pub(crate) mod password;
pub(crate) mod second_factor;
pub(crate) mod service_accounts;
pub(crate) mod services;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod tokens;
pub(crate) mod user_sessions;
