//! Calling a service: its instances, the client, the header rules, and what each failure means to a client.

mod body;
mod call;
mod client;
mod connect;
mod endpoint;
mod fault;
pub(crate) mod headers;
mod hedged;
mod instance;
pub(crate) mod measured;
mod pool;
mod probe;
mod tls;
mod told;
mod users;

#[allow(unused_imports, reason = "declared services and the operations page stand on these")]
pub(crate) use self::{
    body::{Place, UpstreamBody},
    call::{Call, CallBody, Reads},
    client::{Received, chain},
    endpoint::BadUpstreamUrl,
    fault::UpstreamFault,
    instance::InstanceHealth,
    pool::{PoolConfig, Probe, Upstream},
    tls::{Roots, RootsFault},
    users::UsersClient,
};

#[cfg(test)]
mod tests;
