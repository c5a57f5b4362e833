//! The listener and its outermost layer through real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod edge;
mod http2;
mod server;
mod signatures;
mod tls;
mod workers;
