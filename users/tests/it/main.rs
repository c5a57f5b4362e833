//! The users service over HTTP and its store, each on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod bodies;
mod create;
mod delete;
mod idempotency;
mod import;
mod imported;
mod internal;
mod internal_keys;
mod last_admin;
mod list;
mod listener;
mod must_change;
mod pages;
mod read;
mod roles;
mod same_work;
mod scopes;
mod service;
mod store;
mod update;
