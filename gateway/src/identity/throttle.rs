//! How often somebody may guess a password: a pure rule over counts, and the gate that asks it.
//!
//! An attempt is counted before its password is looked at, so that a hundred guesses at once are not a hundred guesses. It
//! counts against three things: the account from this address, this address whatever the account, and the account
//! whatever the address. The last is lenient and its wait short: nobody can lock somebody else out. While earlier attempts are
//! still being checked, further ones wait their turn: fifty right log-ins at once are fifty log-ins.

use std::{net::IpAddr, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{Email, Problem, ProblemKind, Timestamp};
use kit::database::{Database, DatabaseError};
use tokio::sync::{Notify, Semaphore};

use crate::store::login_attempts;

/// How long an attempt waits for its turn at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// An attempt that has not ended after so long never will: its process died.
const CHECKED_BY: Duration = Duration::from_secs(30);

/// How often it asks whether it is its turn, where no attempt of this replica that ends tells it.
const PAUSE: Duration = Duration::from_millis(250);

/// Counts at once, each on a connection of its own.
const COUNTING: usize = 2;

/// Accounts with waiting attempts at most.
const QUEUES: u64 = 10_000;

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
    fn fresh(&mut self, limit: &Limit, now: Timestamp) {
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
    fn failed(&mut self, limit: &Limit, now: Timestamp) {
        let over = self.attempts - limit.attempts;
        if over >= 0 {
            let doublings = u32::try_from(over).unwrap_or(u32::MAX).min(20);
            let wait =
                limit.first_wait.saturating_mul(2_u32.saturating_pow(doublings)).min(limit.longest_wait);
            self.retry_at = now.microseconds() + microseconds(wait);
        }
    }

    /// A counted attempt was none after all.
    fn taken_back(&mut self) {
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

    fn each(&self) -> [Limit; 3] {
        [self.account, self.address, self.account_from_address]
    }
}

/// Counts attempts to sign in, in the gateway's database: one count for all replicas.
pub(crate) struct Throttle {
    database: Database,
    limits: Limits,
    /// Where attempts of this replica on one account from one address wait for each other.
    queues: moka::sync::Cache<String, Arc<Notify>>,
    /// Counting waits for rows that others hold; it must not take every connection with it.
    counting: Semaphore,
}

/// An attempt that is counted and being checked.
pub(crate) struct Attempt {
    throttle: Arc<Throttle>,
    subjects: [String; 3],
}

/// An attempt is not let through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThrottleFault {
    #[error("too many attempts have failed")]
    Refused(Duration),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<ThrottleFault> for Problem {
    fn from(fault: ThrottleFault) -> Self {
        match fault {
            ThrottleFault::Refused(wait) => {
                Self::new(ProblemKind::TooManyRequests, "Too many attempts to sign in have failed")
                    .retry_after(wait)
            }
            ThrottleFault::Database(error) if error.is_unavailable() => {
                Self::unavailable("Service unavailable", Duration::from_secs(1)).because(error)
            }
            ThrottleFault::Database(error) => Self::internal(error),
        }
    }
}

impl Throttle {
    pub(crate) fn new(database: Database, limits: Limits) -> Arc<Self> {
        let queues = moka::sync::Cache::builder().max_capacity(QUEUES).time_to_idle(PATIENCE * 4).build();
        Arc::new(Self { database, limits, queues, counting: Semaphore::new(COUNTING) })
    }

    async fn change<T>(
        &self,
        subjects: &[String; 3],
        decide: impl FnOnce(&mut [Count]) -> T,
    ) -> Result<T, DatabaseError> {
        // Closed never; without a permit it would merely be slower.
        let _permit = self.counting.acquire().await.ok();
        login_attempts::change(&self.database, subjects, decide).await
    }

    fn queue(&self, subjects: &[String; 3]) -> Arc<Notify> {
        self.queues.get_with_by_ref(&subjects[2], Arc::default)
    }

    /// Counts an attempt on the account of this address as typed, from this client, once it is its turn.
    ///
    /// # Errors
    /// [`ThrottleFault::Refused`] with the time to wait.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        email: &str,
        client: IpAddr,
    ) -> Result<Attempt, ThrottleFault> {
        let subjects = subjects(email, client);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let now = kit::clock::now();
            let limits = self.limits.each();
            let turn = self.change(&subjects, |counts| begin(counts, &limits, now)).await?;
            match turn {
                Turn::Go => return Ok(Attempt { throttle: Arc::clone(self), subjects }),
                Turn::Refused(wait) => return Err(ThrottleFault::Refused(wait)),
                Turn::Wait if tokio::time::Instant::now() >= deadline => {
                    return Err(ThrottleFault::Refused(Duration::from_secs(1)));
                }
                Turn::Wait => {
                    // Told or not, it asks again.
                    let _ = tokio::time::timeout(PAUSE, self.queue(&subjects).notified()).await;
                }
            }
        }
    }
}

impl Attempt {
    async fn end(&self, change: impl FnOnce(&mut [Count])) -> Result<(), DatabaseError> {
        let changed = self.throttle.change(&self.subjects, change).await;
        self.throttle.queue(&self.subjects).notify_one();
        changed
    }

    /// The password was right: the account from this address starts anew, and the attempt counts against nothing.
    pub(crate) async fn succeeded(self) -> Result<(), DatabaseError> {
        self.end(|counts| {
            if let [account, address, both] = counts {
                account.taken_back();
                address.taken_back();
                *both = Count::default();
            }
        })
        .await
    }

    /// The password was wrong, or the account is nobody's.
    pub(crate) async fn failed(self) -> Result<(), DatabaseError> {
        let (limits, now) = (self.throttle.limits.each(), kit::clock::now());
        self.end(|counts| {
            for (count, limit) in counts.iter_mut().zip(&limits) {
                count.failed(limit, now);
            }
        })
        .await
    }

    /// It was not checked: the service that checks is down or overloaded.
    pub(crate) async fn unchecked(self) -> Result<(), DatabaseError> {
        self.end(|counts| {
            counts.iter_mut().for_each(Count::taken_back);
        })
        .await
    }
}

fn begin(counts: &mut [Count], limits: &[Limit; 3], now: Timestamp) -> Turn {
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

/// What an attempt counts against. Addresses of accounts stand hashed: the table
/// tells nobody who signs in. The password is no part of any.
fn subjects(email: &str, client: IpAddr) -> [String; 3] {
    let canonical = email
        .parse::<Email>()
        .map_or_else(|_| email.trim().to_lowercase(), |email| email.canonical().to_owned());
    let hash = digest::digest(&digest::SHA256, canonical.as_bytes());
    let account = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]);
    let network = network(client);
    [format!("account:{account}"), format!("address:{network}"), format!("both:{account}:{network}")]
}

/// One host of IPv4; one /64 of IPv6, which one host has whole.
fn network(client: IpAddr) -> String {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [first, second, third, fourth, ..] = address.segments();
            format!("{first:x}:{second:x}:{third:x}:{fourth:x}::/64")
        }
    }
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

    #[test]
    fn an_ipv6_client_is_its_network_and_an_account_is_its_canonical_address() {
        let of = |email: &str, client: &str| subjects(email, client.parse().unwrap());
        assert_eq!(of(" Bob@Example.com", "2001:db8::1"), of("bob@EXAMPLE.com", "2001:db8::ffff"));
        assert_ne!(of("bob@example.com", "2001:db8::1"), of("bob@example.com", "2001:db8:0:1::1"));
        assert_eq!(of("x", "::ffff:1.2.3.4"), of("X", "1.2.3.4"));
        assert!(!of("bob@example.com", "::1").concat().contains("bob"));
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
