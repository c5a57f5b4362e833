//! The users service over HTTP and its store, each on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod create;
mod delete;
mod internal;
mod internal_keys;
mod list;
mod listener;
mod read;
mod scopes;
mod service;
mod store;
mod update;
