//! Which instance gets a call: of two taken by chance the one with fewer calls in flight; those that fail more than
//! others are left out for a while, but never more than half of all.

use std::time::{Duration, Instant};

use super::Outcome;

/// How one instance stands when a call is to be placed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// Its breaker would let the call through.
    pub(crate) admits: bool,
    /// This call was there already.
    pub(crate) is_tried: bool,
    /// It fails its probes, or more calls than others.
    pub(crate) is_ejected: bool,
    /// Its calls in flight.
    pub(crate) in_flight: u32,
}

/// Chooses an instance; `None` where no breaker lets the call through. `chance(n)` gives a number below `n`.
pub(crate) fn choose(all: &[Standing], mut chance: impl FnMut(usize) -> usize) -> Option<usize> {
    let admitting = |index: &usize| all[*index].admits;
    let mut left_out = 0;
    let in_use: Vec<usize> = (0..all.len())
        .filter(|index| {
            let is_out = all[*index].is_ejected && (left_out + 1) * 2 <= all.len();
            left_out += usize::from(is_out);
            !is_out
        })
        .collect();
    let fresh = |index: &usize| !all[*index].is_tried;
    // From the best to the least: one that was not tried, any that is in use, any at all.
    let mut from: Vec<usize> = in_use.iter().copied().filter(admitting).filter(fresh).collect();
    if from.is_empty() {
        from = (0..all.len()).filter(admitting).filter(fresh).collect();
    }
    if from.is_empty() {
        from = in_use.into_iter().filter(admitting).collect();
    }
    if from.is_empty() {
        from = (0..all.len()).filter(admitting).collect();
    }
    let first = chance(from.len().max(1));
    match from.len() {
        0 => None,
        1 => from.first().copied(),
        count => {
            let first = first % count;
            let second = (first + 1 + chance(count - 1) % (count - 1)) % count;
            let (first, second) = (from[first], from[second]);
            Some(if all[second].in_flight < all[first].in_flight { second } else { first })
        }
    }
}

/// Outcomes weigh half after so long.
const HALF_LIFE: Duration = Duration::from_secs(5);

/// Fewer calls than so many say nothing.
const ENOUGH: f64 = 10.0;

/// An instance of which so many calls fail is left out.
const TOO_MANY: f64 = 0.2;

/// For so long.
const EJECTED: Duration = Duration::from_secs(5);

/// How an instance did lately.
#[derive(Debug, Default)]
pub(crate) struct Record {
    good: f64,
    bad: f64,
    at: Option<Instant>,
    ejected_until: Option<Instant>,
}

impl Record {
    /// One more call.
    pub(crate) fn add(&mut self, outcome: Outcome, now: Instant) {
        let past = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let weight = 0.5_f64.powf(past.as_secs_f64() / HALF_LIFE.as_secs_f64());
        self.good *= weight;
        self.bad *= weight;
        self.at = Some(now);
        match outcome {
            Outcome::Neutral => return,
            Outcome::Good => self.good += 1.0,
            Outcome::Bad => self.bad += 1.0,
        }
        let all = self.good + self.bad;
        if all >= ENOUGH && self.bad / all >= TOO_MANY {
            *self = Self { ejected_until: now.checked_add(EJECTED), ..Self::default() };
        }
    }

    /// Whether it is left out now.
    pub(crate) fn is_ejected(&self, now: Instant) -> bool {
        self.ejected_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests;
