//! The contract's tests through its public face.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod checking;
mod documents;
