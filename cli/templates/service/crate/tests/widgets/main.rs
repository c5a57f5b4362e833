//! The widgets service over HTTP, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod document;
mod operations;
mod service;
