//! What is bound: services whose operations the gateway serves.

pub(crate) mod composed;
pub(crate) mod declared;
pub(crate) mod limited;
pub(crate) mod proxied;
pub(crate) mod typed;
