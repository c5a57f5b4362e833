//! What is bound: services whose operations the gateway serves.

pub(crate) mod limited;
pub(crate) mod proxied;
