//! Rules of what passes, how often and where to: pure, with an injected clock. What they are asked by stands elsewhere.

pub(crate) mod rate_limit;
