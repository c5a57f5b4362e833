//! The time a call has, all its attempts together.

use std::time::{Duration, Instant};

/// Tells a service how many milliseconds are left: what it would do later nobody waits for.
pub(crate) const TIME_LEFT: &str = "platform-time-left-ms";

/// When a call must be over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    end: Option<Instant>,
}

impl Deadline {
    /// `total` from `now` on; `None` is no limit. A time too long for the clock is no limit either.
    pub(crate) fn new(now: Instant, total: Option<Duration>) -> Self {
        Self { end: total.and_then(|total| now.checked_add(total)) }
    }

    /// When it ends.
    pub(crate) fn end(self) -> Option<Instant> {
        self.end
    }

    /// What is left; `None` is no limit.
    pub(crate) fn left(self, now: Instant) -> Option<Duration> {
        Some(self.end?.saturating_duration_since(now))
    }

    /// Whether a wait of so long leaves time for anything after it.
    pub(crate) fn outlasts(self, now: Instant, wait: Duration) -> bool {
        self.left(now).is_none_or(|left| left > wait)
    }

    /// The end of a step that may take `step`, never after the end of the whole.
    pub(crate) fn step(self, now: Instant, step: Option<Duration>) -> Option<Instant> {
        let step = step.and_then(|step| now.checked_add(step));
        match (step, self.end) {
            (Some(step), Some(end)) => Some(step.min(end)),
            (step, end) => step.or(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_ends_after_the_whole_and_what_is_left_never_grows() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let deadline = Deadline::new(now, Some(second * 3));
        assert_eq!(deadline.step(now, Some(second)), Some(now + second));
        assert_eq!(deadline.step(now + second * 2, Some(second * 5)), deadline.end());
        assert_eq!(deadline.left(now + second), Some(second * 2));
        assert_eq!(deadline.left(now + second * 9), Some(Duration::ZERO));
        assert!(deadline.outlasts(now, second) && !deadline.outlasts(now, second * 3));
        let unlimited = Deadline::new(now, None);
        assert_eq!((unlimited.left(now), unlimited.step(now, None)), (None, None));
        assert_eq!(unlimited.step(now, Some(second)), Some(now + second));
    }
}
