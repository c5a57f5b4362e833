//! Schemas of OpenAPI documents, compiled once and then asked about JSON bytes and parameters.
//!
//! One engine for the gateway and every service: the same faults, told the same way, on both sides of a process border.

mod check;
mod compile;
mod format;
mod node;
mod prune;

pub use check::{Checked, Syntax};
pub use compile::{CompileError, Compiler, pointer_token};
pub use node::{NodeId, Schema};
