//! When a refresh token may be used: a pure rule over one session's counter and its last rotations.
//!
//! Each refresh token carries its generation. The active one rotates; its predecessor, while the active one is unused,
//! gets the active one again (the answer was lost); one rotated within the last seconds gets the active one too (requests
//! that crossed); anything older is a stolen token. Nobody is logged out by a race, and no table grows with use (RFC 9700 §4.14.2).

use std::time::Duration;

use contract::Timestamp;
use serde::{Deserialize, Serialize};

/// How long after its rotation a token still gets the active one.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Rotations remembered; more than this within the grace time are forgotten, oldest first.
const REMEMBERED: usize = 16;

/// How often a session's refresh token has been rotated, and when lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The active token's generation.
    pub(crate) generation: i64,
    /// Rotations within the grace time.
    pub(crate) recent: Vec<Rotated>,
}

/// A generation and when it was rotated away, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rotated {
    pub(crate) generation: i64,
    pub(crate) at: i64,
}

/// What to do with a token of some generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Rotate to this state, and give out its generation.
    Rotate(Rotation),
    /// Give out the active generation; nothing changes.
    Repeat,
    /// The token was stolen: end the session.
    Theft,
}

impl Rotation {
    #[cfg(test)]
    fn first() -> Self {
        Self { generation: 0, recent: Vec::new() }
    }

    /// Judges a genuine token of this session.
    pub(crate) fn judge(&self, presented: i64, now: Timestamp) -> Decision {
        if presented == self.generation {
            return Decision::Rotate(self.rotated(now));
        }
        // A generation above the active one was never given out: the database was put back to an older state.
        let successor_unused = presented == self.generation - 1;
        let crossed = self.within_grace(now).any(|rotated| rotated.generation == presented);
        if successor_unused || crossed { Decision::Repeat } else { Decision::Theft }
    }

    fn rotated(&self, now: Timestamp) -> Self {
        let mut recent: Vec<Rotated> = self.within_grace(now).copied().collect();
        recent.push(Rotated { generation: self.generation, at: now.microseconds() });
        let forgotten = recent.len().saturating_sub(REMEMBERED);
        recent.drain(..forgotten);
        Self { generation: self.generation + 1, recent }
    }

    fn within_grace(&self, now: Timestamp) -> impl Iterator<Item = &Rotated> {
        let grace = i64::try_from(GRACE.as_micros()).unwrap_or(i64::MAX);
        self.recent.iter().filter(move |rotated| now.microseconds().saturating_sub(rotated.at) <= grace)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_microseconds(milliseconds * 1_000).unwrap()
    }

    fn rotate(state: &Rotation, now: Timestamp) -> Rotation {
        match state.judge(state.generation, now) {
            Decision::Rotate(next) => next,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lost_answer_is_given_again_however_late() {
        let state = rotate(&Rotation::first(), at(0));
        assert_eq!(state.judge(0, at(86_400_000)), Decision::Repeat);
    }

    #[test]
    fn requests_that_crossed_get_the_active_token_for_ten_seconds() {
        let state = rotate(&rotate(&rotate(&Rotation::first(), at(0)), at(1_000)), at(2_000));
        assert_eq!(state.judge(0, at(10_000)), Decision::Repeat);
        assert_eq!(state.judge(0, at(10_001)), Decision::Theft);
        assert_eq!(state.judge(1, at(11_000)), Decision::Repeat);
    }

    #[test]
    fn an_old_token_is_theft() {
        let state = rotate(&rotate(&Rotation::first(), at(0)), at(60_000));
        assert_eq!(state.judge(0, at(60_001)), Decision::Theft);
        assert_eq!(state.judge(7, at(60_001)), Decision::Theft);
    }

    proptest! {
        #[test]
        fn the_active_token_always_works_and_memory_is_bounded(steps in proptest::collection::vec(0_i64..3_000, 1..60)) {
            let mut state = Rotation::first();
            let mut now = 0;
            for step in steps {
                now += step;
                let next = rotate(&state, at(now));
                prop_assert_eq!(next.generation, state.generation + 1);
                prop_assert!(next.recent.len() <= REMEMBERED);
                prop_assert_eq!(next.judge(state.generation, at(now)), Decision::Repeat);
                state = next;
            }
        }
    }
}
