//! How many attempts to sign in a subject has: a pure rule over its count.

use std::time::Duration;

use contract::Timestamp;

/// An attempt that has not ended after so long never will: its process died.
const CHECKED_BY: Duration = Duration::from_secs(30);

/// What counts against one subject. Times are in microseconds since 1970; 0 is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Attempts that failed, or are still being checked.
    pub(crate) attempts: i64,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// Set once a failure has used up the limit.
    pub(crate) retry_at: i64,
}

/// How many attempts a subject has, and how long it waits then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Attempts without a wait.
    pub(crate) attempts: i64,
    /// The first wait; each further failure doubles it.
    pub(crate) first_wait: Duration,
    /// The longest wait.
    pub(crate) longest_wait: Duration,
    /// Without an attempt for so long, all is forgotten.
    pub(crate) window: Duration,
}

/// What an attempt may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is counted: check the password.
    Go,
    /// Earlier attempts are being checked.
    Wait,
    /// Too many have failed: not before this time has passed.
    Refused(Duration),
}

impl Count {
    pub(crate) fn fresh(&mut self, limit: &Limit, now: Timestamp) {
        let window = microseconds(limit.window);
        if self.last_at != 0 && now.microseconds() - self.last_at.max(self.retry_at) > window {
            *self = Self::default();
        }
        // A process that died while it checked has told nobody how that ended.
        let unresolved = self.attempts >= limit.attempts && self.last_at > self.retry_at;
        if unresolved
            && now.microseconds() - self.last_at > microseconds(CHECKED_BY)
            && let Some(last) = Timestamp::from_microseconds(self.last_at)
        {
            self.failed(limit, last);
        }
    }

    /// Whether one more attempt may go now.
    fn turn(&self, limit: &Limit, now: Timestamp) -> Turn {
        let left = self.retry_at - now.microseconds();
        if left > 0 {
            return Turn::Refused(Duration::from_micros(left.unsigned_abs()));
        }
        // After a wait one attempt goes at a time: its failure sets the next wait.
        let checking = if self.retry_at > 0 { limit.attempts.max(self.attempts) } else { limit.attempts };
        if self.attempts < checking || (self.retry_at > 0 && self.last_at <= self.retry_at) {
            Turn::Go
        } else {
            Turn::Wait
        }
    }

    fn begin(&mut self, now: Timestamp) {
        self.attempts += 1;
        self.last_at = now.microseconds();
        if self.first_at == 0 {
            self.first_at = self.last_at;
        }
    }

    /// A counted attempt has failed.
    pub(crate) fn failed(&mut self, limit: &Limit, now: Timestamp) {
        let over = self.attempts - limit.attempts;
        if over >= 0 {
            let doublings = u32::try_from(over).unwrap_or(u32::MAX).min(20);
            let wait =
                limit.first_wait.saturating_mul(2_u32.saturating_pow(doublings)).min(limit.longest_wait);
            self.retry_at = now.microseconds() + microseconds(wait);
        }
    }

    /// A counted attempt was none after all.
    pub(crate) fn taken_back(&mut self) {
        self.attempts = (self.attempts - 1).max(0);
        if self.attempts == 0 {
            *self = Self::default();
        }
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The three limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    account_from_address: Limit,
    address: Limit,
    account: Limit,
}

impl Limits {
    /// `attempts` for an account from one address, and a first wait of a sixtieth of the window; ten times as many for an address, twenty times for an account.
    pub(crate) fn new(attempts: u32, window: Duration) -> Self {
        let of = |attempts: u32, longest_wait: Duration| Limit {
            attempts: i64::from(attempts.max(1)),
            first_wait: window / 60,
            longest_wait,
            window,
        };
        Self {
            account_from_address: of(attempts, window),
            address: of(attempts.saturating_mul(10), window),
            account: of(attempts.saturating_mul(20), Duration::from_secs(20)),
        }
    }

    pub(crate) fn each(&self) -> [Limit; 3] {
        [self.account, self.address, self.account_from_address]
    }
}

/// Counts one more attempt against every subject, if each lets it.
pub(crate) fn begin(counts: &mut [Count], limits: &[Limit; 3], now: Timestamp) -> Turn {
    let mut verdict = Turn::Go;
    for (count, limit) in counts.iter_mut().zip(limits) {
        count.fresh(limit, now);
        verdict = match (verdict, count.turn(limit, now)) {
            (Turn::Refused(one), Turn::Refused(other)) => Turn::Refused(one.max(other)),
            (Turn::Refused(wait), _) | (_, Turn::Refused(wait)) => Turn::Refused(wait),
            (Turn::Wait, _) | (_, Turn::Wait) => Turn::Wait,
            (Turn::Go, Turn::Go) => Turn::Go,
        };
    }
    if verdict == Turn::Go {
        for count in counts.iter_mut() {
            count.begin(now);
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_microseconds(1_700_000_000_000_000 + seconds * 1_000_000).unwrap()
    }

    fn limit() -> Limit {
        Limits::new(5, Duration::from_mins(15)).account_from_address
    }

    fn fail(count: &mut Count, now: Timestamp) {
        assert_eq!(count.turn(&limit(), now), Turn::Go);
        count.begin(now);
        count.failed(&limit(), now);
    }

    #[test]
    fn the_sixth_guess_waits_and_each_further_failure_doubles_the_wait() {
        let mut count = Count::default();
        for _ in 0..5 {
            fail(&mut count, at(0));
        }
        assert_eq!(count.turn(&limit(), at(0)), Turn::Refused(Duration::from_secs(15)));
        fail(&mut count, at(15));
        assert_eq!(count.turn(&limit(), at(15)), Turn::Refused(Duration::from_secs(30)));
        fail(&mut count, at(45));
        assert_eq!(count.turn(&limit(), at(45)), Turn::Refused(Duration::from_mins(1)));
    }

    #[test]
    fn after_a_wait_one_guess_goes_and_the_next_waits_for_it() {
        let mut count = Count::default();
        for _ in 0..5 {
            fail(&mut count, at(0));
        }
        assert_eq!(count.turn(&limit(), at(16)), Turn::Go);
        count.begin(at(16));
        assert_eq!(count.turn(&limit(), at(16)), Turn::Wait);
    }

    #[test]
    fn attempts_still_being_checked_hold_back_the_sixth_without_a_refusal() {
        let mut count = Count::default();
        for _ in 0..5 {
            assert_eq!(count.turn(&limit(), at(0)), Turn::Go);
            count.begin(at(0));
        }
        assert_eq!(count.turn(&limit(), at(0)), Turn::Wait);
    }

    #[test]
    fn attempts_whose_process_died_count_as_failed() {
        let mut count = Count::default();
        for _ in 0..5 {
            count.begin(at(0));
        }
        count.fresh(&limit(), at(29));
        assert_eq!(count.turn(&limit(), at(29)), Turn::Wait);
        count.fresh(&limit(), at(31));
        assert_eq!(count.turn(&limit(), at(31)), Turn::Go);
    }

    #[test]
    fn a_quiet_window_forgets_everything() {
        let mut count = Count::default();
        for _ in 0..5 {
            fail(&mut count, at(0));
        }
        count.fresh(&limit(), at(3_600));
        assert_eq!(count, Count::default());
    }

    proptest! {
        #[test]
        fn however_long_one_guesses_the_wait_is_never_longer_than_the_window(failures in 1_i64..500) {
            let mut count = Count { attempts: failures, ..Count::default() };
            count.failed(&limit(), at(0));
            prop_assert!(count.retry_at <= at(15 * 60).microseconds());
        }
    }
}
