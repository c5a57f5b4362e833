//! What the users service says and hears.

mod described;
pub mod idempotency;
pub mod import;
pub mod internal;
mod left_address;
pub mod port;
pub mod roles;
pub mod routes;
pub mod types;

use http::HeaderName;

pub use described::{Described, Public, document, documents, internal_document};
pub use idempotency::IdempotencyKey;
pub use import::{ImportApi, ImportPort};
pub use internal::{
    Addressed, Credentials, Identity, InternalApi, InternalPort, NewCredentials, PasswordReset,
};
pub use left_address::LeftAddress;
pub use port::{Page, Tagged, UsersPort};
pub use roles::{RolesApi, RolesPort};
pub use routes::{ListUsers, UsersApi, policies};
pub use types::{Clearable, NewUser, User, UserPatch, UserUpdate};

/// The name by which the service is bound, and the `aud` of its internal tokens.
pub const SERVICE: &str = "users";

/// On an answer of the users service to the gateway: all sessions and tokens of this user id ended. Never passed on.
pub const SESSIONS_ENDED: HeaderName = HeaderName::from_static("platform-sessions-ended");

/// On an answer of the users service to the gateway: access tokens of this user id ended (its roles changed). Never passed on.
pub const TOKENS_ENDED: HeaderName = HeaderName::from_static("platform-tokens-ended");

/// On an answer of the users service to the gateway: the address of this user id is new and not proved to be theirs. Never passed on.
pub const ADDRESS_UNPROVED: HeaderName = HeaderName::from_static("platform-address-unproved");

/// On an answer of the users service to the gateway: a [`LeftAddress`], which is told that it is no longer the user's. Never passed on.
pub const ADDRESS_LEFT: HeaderName = HeaderName::from_static("platform-address-left");
