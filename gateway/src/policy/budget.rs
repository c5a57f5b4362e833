//! Retries are a share of recent calls, so that a sick service gets little more than its usual load.

use std::time::Instant;

/// Retries for each hundred calls.
pub(crate) const PERCENT: u64 = 20;

/// Retries in a window that are allowed however few calls there are.
const FLOOR: u64 = 10;

const SECONDS: usize = 10;

/// What happened in one second.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    number: u64,
    calls: u64,
    retries: u64,
}

/// Calls and retries of the last ten seconds.
#[derive(Debug)]
pub(crate) struct Budget {
    origin: Instant,
    seconds: [Second; SECONDS],
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self { origin: now, seconds: [Second::default(); SECONDS] }
    }

    /// A call was made, whatever comes of it.
    pub(crate) fn call(&mut self, now: Instant) {
        self.second(now).calls += 1;
    }

    /// Asks for one retry.
    pub(crate) fn withdraw(&mut self, now: Instant) -> bool {
        let number = self.number(now);
        let oldest = (number + 1).saturating_sub(SECONDS as u64);
        let recent = self.seconds.iter().filter(|second| second.number >= oldest && second.number <= number);
        let (calls, retries) =
            recent.fold((0, 0), |(calls, retries), second| (calls + second.calls, retries + second.retries));
        let granted = retries < FLOOR.max(calls * PERCENT / 100);
        if granted {
            self.second(now).retries += 1;
        }
        granted
    }

    fn number(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.origin).as_secs()
    }

    fn second(&mut self, now: Instant) -> &mut Second {
        let number = self.number(now);
        let place = usize::try_from(number % SECONDS as u64).unwrap_or(0);
        let second = &mut self.seconds[place];
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        second
    }
}

#[cfg(test)]
mod tests;
