//! Who calls: keys, tokens, sessions, and what has been revoked.

pub(crate) mod access_token;
pub(crate) mod algorithm;
pub(crate) mod attempts;
pub(crate) mod audit;
pub(crate) mod authenticate;
pub(crate) mod client_credentials;
pub(crate) mod client_grant;
pub(crate) mod external;
pub(crate) mod freshness;
pub(crate) mod introspection;
pub(crate) mod keyring;
pub(crate) mod keys;
pub(crate) mod links;
pub(crate) mod master_key;
pub(crate) mod operator;
pub(crate) mod purge;
pub(crate) mod random_secret;
pub(crate) mod refresh_token;
pub(crate) mod revocation;
pub(crate) mod rotation;
pub(crate) mod second_factor;
pub(crate) mod service_accounts;
pub(crate) mod sessions;
pub(crate) mod succession;
pub(crate) mod throttle;
pub(crate) mod watch;
