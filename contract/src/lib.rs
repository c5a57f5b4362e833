//! What crosses a process border, written once: wire types, problem answers, the caller, and each service's operations.
//!
//! A service implements a port of this crate (`users::UsersPort`); the gateway derives its routes from the same definition
//! ([`document`] and [`operation`]), and both check bodies with the same compiled schemas ([`schema`]). The module of one
//! service imports no other service.

pub mod caller;
pub mod compare;
pub mod document;
pub mod email;
pub mod handshake;
pub mod ids;
pub mod nullable;
pub mod operation;
pub mod path;
pub mod payload;
pub mod problem;
pub mod role;
pub mod schema;
pub mod scope;
pub mod secret;
pub mod service_name;
pub mod timestamp;
pub mod users;
mod wire;

pub use caller::{Caller, Subject};
pub use email::Email;
pub use ids::{SessionId, UserId};
pub use nullable::{Clearable, Nullable};
pub use problem::{Problem, ProblemKind, Violation};
pub use role::Role;
pub use scope::{Scope, Scopes};
pub use secret::Secret;
pub use service_name::ServiceName;
pub use timestamp::Timestamp;
