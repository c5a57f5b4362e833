//! Policies of who may call and of calling a service, as pure state: the clock and chance are given to them, and none knows HTTP or a socket.

pub(crate) mod backoff;
pub(crate) mod balance;
pub(crate) mod breaker;
pub(crate) mod budget;
pub(crate) mod cache;
pub(crate) mod compression;
pub(crate) mod concurrency;
pub(crate) mod deadline;
pub(crate) mod hedge;
pub(crate) mod hop_by_hop;
pub(crate) mod pace;
pub(crate) mod rate_limit;
pub(crate) mod websocket;

/// What a call says of the instance that took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered as a service should.
    Good,
    /// It did not, and nobody else was the cause.
    Bad,
    /// Nothing: the client went away, or its request was at fault (4xx).
    Neutral,
}
