//! How often somebody may call: rules such as `100/min by user`, each a bucket that refills evenly (GCRA).
//!
//! A whole quota may be spent at once; after that it comes back one call at a time, so there is no boundary of a window at
//! which twice the quota passes. The same arithmetic runs here, over a bounded set of keys, and in Valkey, over those of all
//! replicas; which of the two answers is decided in [`crate::rate_limits`].

mod bucket;
mod buckets;
mod rule;
mod state;

pub use self::rule::{By, NotARule, RateRule};
pub(crate) use self::{
    bucket::{Quota, Spent},
    buckets::Buckets,
    state::RateState,
};
