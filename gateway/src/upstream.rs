//! Calling a service: its instances, the client, the header rules, and what each failure means to a client.

mod answer;
mod client;
pub(crate) mod headers;
mod pool;
mod users;

pub(crate) use answer::UpstreamBody;
pub(crate) use client::{Call, CallBody, Received, Upstream};
pub(crate) use pool::{BadUpstreamUrl, PoolConfig};
pub(crate) use users::UsersClient;
