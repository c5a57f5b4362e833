//! Stops calling an instance that fails: closed, open, one probe, then more and more calls until it is closed again.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::Outcome;

/// When it opens and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Failures in a row that open it.
    pub(crate) failures: u32,
    /// A failure is forgotten where none follows for so long.
    pub(crate) memory: Duration,
    /// How long it stays open at first; each opening without a recovery between doubles it.
    pub(crate) open: Duration,
    /// It stays open for no longer.
    pub(crate) open_most: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            failures: 5,
            memory: Duration::from_secs(10),
            open: Duration::from_secs(2),
            open_most: Duration::from_secs(30),
        }
    }
}

/// Calls in flight at once after a probe that went well; each good answer adds one.
const RAMP_FROM: u32 = 2;

/// From so many on there is no limit any more.
const RAMP_TO: u32 = 20;

/// How often a caller is told to come back where the next probe is under way.
const SOON: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32, last: Option<Instant> },
    Open { until: Instant },
    HalfOpen { is_probing: bool },
    Ramp { limit: u32, in_flight: u32 },
}

/// One instance's breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    rules: Rules,
    state: State,
    /// Openings since it was last wholly closed.
    openings: u32,
    /// Counts changes of state: what was admitted before a change says nothing about what is after it.
    generation: u64,
}

/// Leave to call; goes back with the outcome.
#[derive(Debug)]
pub(crate) struct Admission {
    generation: u64,
}

/// Where a breaker stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Position {
    /// Every call goes through.
    Closed,
    /// None does.
    Open,
    /// One does, to see whether the instance has recovered.
    HalfOpen,
    /// More and more do.
    Ramping,
}

impl Breaker {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, state: State::Closed { failures: 0, last: None }, openings: 0, generation: 0 }
    }

    /// Whether a call would be let through now.
    pub(crate) fn would_admit(&self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } => now >= until,
            State::HalfOpen { is_probing } => !is_probing,
            State::Ramp { limit, in_flight } => in_flight < limit,
        }
    }

    /// Lets a call through, or not.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<Admission> {
        if !self.would_admit(now) {
            return None;
        }
        match &mut self.state {
            State::Closed { .. } => {}
            State::Open { .. } => self.change(State::HalfOpen { is_probing: true }),
            State::HalfOpen { is_probing } => *is_probing = true,
            State::Ramp { in_flight, .. } => *in_flight += 1,
        }
        Some(Admission { generation: self.generation })
    }

    /// What came of a call that was let through.
    #[expect(clippy::needless_pass_by_value, reason = "an admission is good once")]
    pub(crate) fn settle(&mut self, admission: Admission, outcome: Outcome, now: Instant) {
        if admission.generation != self.generation {
            return;
        }
        match (&mut self.state, outcome) {
            (State::Closed { .. } | State::Open { .. }, Outcome::Neutral) | (State::Open { .. }, _) => {}
            (State::Closed { failures, .. }, Outcome::Good) => *failures = 0,
            (State::Closed { failures, last }, Outcome::Bad) => {
                let is_old = last.is_none_or(|last| now.saturating_duration_since(last) > self.rules.memory);
                *failures = if is_old { 1 } else { *failures + 1 };
                *last = Some(now);
                if *failures >= self.rules.failures {
                    self.open(now);
                }
            }
            (State::HalfOpen { is_probing }, Outcome::Neutral) => *is_probing = false,
            (State::HalfOpen { .. }, Outcome::Good) => {
                self.change(State::Ramp { limit: RAMP_FROM, in_flight: 0 });
            }
            (State::HalfOpen { .. } | State::Ramp { .. }, Outcome::Bad) => self.open(now),
            (State::Ramp { in_flight, .. }, Outcome::Neutral) => *in_flight = in_flight.saturating_sub(1),
            (State::Ramp { limit, in_flight }, Outcome::Good) => {
                *in_flight = in_flight.saturating_sub(1);
                *limit += 1;
                if *limit >= RAMP_TO {
                    self.openings = 0;
                    self.change(State::Closed { failures: 0, last: None });
                }
            }
        }
    }

    /// In how long a call may be let through that would not be now.
    pub(crate) fn retry_after(&self, now: Instant) -> Duration {
        match self.state {
            State::Open { until } => until.saturating_duration_since(now),
            _ => SOON,
        }
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> Position {
        match self.state {
            State::Closed { .. } => Position::Closed,
            State::Open { .. } => Position::Open,
            State::HalfOpen { .. } => Position::HalfOpen,
            State::Ramp { .. } => Position::Ramping,
        }
    }

    fn open(&mut self, now: Instant) {
        let time = self.rules.open.saturating_mul(1 << self.openings.min(16)).min(self.rules.open_most);
        self.openings = self.openings.saturating_add(1);
        self.change(State::Open { until: now + time });
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests;
