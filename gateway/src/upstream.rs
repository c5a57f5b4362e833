//! Calling a service: the client, the header rules, and what each failure means to a client.

mod client;
pub(crate) mod headers;
pub(crate) mod measured;
mod users;

pub(crate) use client::{Received, Upstream};
pub(crate) use users::UsersClient;
