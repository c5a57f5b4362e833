//! How slowly a body may come: a byte now and then keeps no place for ever. Time in which nobody asks the sender for more does not count.

use std::time::Duration;

/// Bytes in a second, on average over a window: as little as the worst telephone line carries.
const LEAST: u64 = 100;

/// The pace of one body.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, waited: Duration::ZERO, bytes: 0 }
    }

    /// So many bytes came after so long a wait. Tells whether that is fast enough.
    pub(crate) fn keeps(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.bytes += bytes as u64;
        if self.waited < self.window {
            return true;
        }
        let least = u128::from(LEAST) * self.waited.as_millis() / 1000;
        let is_kept = u128::from(self.bytes) >= least;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        is_kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_now_and_then_is_too_slow_and_what_is_not_asked_for_is_not() {
        let second = Duration::from_secs(1);
        let seconds_of = |bytes: usize| {
            let mut pace = Pace::new(30 * second);
            (0..1000).position(|_| !pace.keeps(second, bytes))
        };
        assert_eq!(seconds_of(1), Some(29));
        assert_eq!(seconds_of(99), Some(29));
        assert_eq!(seconds_of(100), None);
        let mut pace = Pace::new(30 * second);
        assert!((0..1000).all(|_| pace.keeps(Duration::ZERO, 1)));
    }
}
