//! How long to wait before trying again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(20);
const MOST: Duration = Duration::from_millis(250);

/// The wait before retry number `retry` (from 0): anything up to a bound that doubles, so that calls that failed together do
/// not come back together. `chance` is between 0 and 1.
pub(crate) fn wait(retry: u32, chance: f64) -> Duration {
    FIRST.saturating_mul(1 << retry.min(10)).min(MOST).mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_are_never_longer() {
        assert_eq!(wait(0, 1.0), FIRST);
        assert_eq!(wait(1, 1.0), FIRST * 2);
        assert_eq!(wait(u32::MAX, 1.0), MOST);
        assert_eq!(wait(3, 0.0), Duration::ZERO);
        assert_eq!(wait(0, 9.0), FIRST);
    }
}
