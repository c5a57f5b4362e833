//! The rules of the shared cache (RFC 9111): keys, what may be stored, what may be reused, and what a change ends.

pub(crate) mod conditional;
pub(crate) mod directives;
pub(crate) mod key;
pub(crate) mod range;
pub(crate) mod rules;
pub(crate) mod stored;
