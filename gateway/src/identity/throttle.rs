//! The gate before a password is looked at: counts the attempt, or makes it wait, or refuses it.
//!
//! An attempt is counted before its password is looked at, so that a hundred guesses at once are not a hundred guesses. It
//! counts against three things: the account from this address, this address whatever the account, and the account
//! whatever the address. The last is lenient and its wait short: nobody can lock somebody else out. While earlier attempts are
//! still being checked, further ones wait their turn: fifty right log-ins at once are fifty log-ins.

use std::{net::IpAddr, sync::Arc, time::Duration};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::{Email, Problem, ProblemKind};
use kit::{
    client_address::network,
    database::{Database, DatabaseError},
};
use tokio::sync::{Notify, Semaphore};

use super::attempts::{Count, Limits, Turn, begin};
use crate::store::login_attempts;

/// How long an attempt waits for its turn at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it asks whether it is its turn, where no attempt of this replica that ends tells it.
const PAUSE: Duration = Duration::from_millis(250);

/// Counts at once, each on a connection of its own.
const COUNTING: usize = 2;

/// Accounts with waiting attempts at most.
const QUEUES: u64 = 10_000;

/// What is counted: attempts of one kind count against nothing of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Attempts to sign in.
    SignIn,
    /// Attempts of service accounts to prove themselves.
    Client,
    /// Letters that are asked for.
    Letter,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::SignIn => "",
            Self::Client => "client-",
            Self::Letter => "letter-",
        }
    }

    fn refusal(self) -> &'static str {
        match self {
            Self::SignIn => "Too many attempts to sign in have failed",
            Self::Client => "Too many wrong client credentials were sent",
            Self::Letter => "Too many letters were asked for",
        }
    }
}

/// Counts attempts, in the gateway's database: one count for all replicas.
pub(crate) struct Throttle {
    kind: Kind,
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
    Refused(Kind, Duration),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<ThrottleFault> for Problem {
    fn from(fault: ThrottleFault) -> Self {
        match fault {
            ThrottleFault::Refused(kind, wait) => {
                Self::new(ProblemKind::TooManyRequests, kind.refusal()).retry_after(wait)
            }
            ThrottleFault::Database(error) => error.into(),
        }
    }
}

impl Throttle {
    pub(crate) fn new(kind: Kind, database: Database, limits: Limits) -> Arc<Self> {
        let queues = moka::sync::Cache::builder().max_capacity(QUEUES).time_to_idle(PATIENCE * 4).build();
        Arc::new(Self { kind, database, limits, queues, counting: Semaphore::new(COUNTING) })
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
        let subjects = subjects(self.kind, email, client);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let now = kit::clock::now();
            let limits = self.limits.each();
            let turn = self.change(&subjects, |counts| begin(counts, &limits, now)).await?;
            match turn {
                Turn::Go => return Ok(Attempt { throttle: Arc::clone(self), subjects }),
                Turn::Refused(wait) => return Err(ThrottleFault::Refused(self.kind, wait)),
                Turn::Wait if tokio::time::Instant::now() >= deadline => {
                    return Err(ThrottleFault::Refused(self.kind, Duration::from_secs(1)));
                }
                Turn::Wait => {
                    // Told or not, it asks again.
                    let _ = tokio::time::timeout(PAUSE, self.queue(&subjects).notified()).await;
                }
            }
        }
    }
}

impl Throttle {
    /// Counts something that is never right or wrong, such as a letter that is asked for.
    ///
    /// # Errors
    /// [`ThrottleFault::Refused`] with the time to wait.
    pub(crate) async fn spend(self: &Arc<Self>, account: &str, client: IpAddr) -> Result<(), ThrottleFault> {
        Ok(self.begin(account, client).await?.failed().await?)
    }
}

impl Throttle {
    /// Forgets what counts against an account, from wherever it came. What counts against addresses stays.
    pub(crate) async fn forget(&self, account: &str) -> Result<(), DatabaseError> {
        let [account, _, both] = subjects(self.kind, account, IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let network = network(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let from_anywhere = both.strip_suffix(&network).unwrap_or(&both);
        login_attempts::forget(&self.database, &account, from_anywhere).await
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

/// What an attempt counts against. Addresses of accounts stand hashed: the table
/// tells nobody who signs in. The password is no part of any.
fn subjects(kind: Kind, email: &str, client: IpAddr) -> [String; 3] {
    let canonical = email
        .parse::<Email>()
        .map_or_else(|_| email.trim().to_lowercase(), |email| email.canonical().to_owned());
    let hash = digest::digest(&digest::SHA256, canonical.as_bytes());
    let account = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]);
    let network = network(client);
    let kind = kind.prefix();
    [
        format!("{kind}account:{account}"),
        format!("{kind}address:{network}"),
        format!("{kind}both:{account}:{network}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_client_is_its_network_and_an_account_is_its_canonical_address() {
        let of = |email: &str, client: &str| subjects(Kind::SignIn, email, client.parse().unwrap());
        assert_eq!(of(" Bob@Example.com", "2001:db8::1"), of("bob@EXAMPLE.com", "2001:db8::ffff"));
        assert_ne!(of("bob@example.com", "2001:db8::1"), of("bob@example.com", "2001:db8:0:1::1"));
        assert_eq!(of("x", "::ffff:1.2.3.4"), of("X", "1.2.3.4"));
        assert!(!of("bob@example.com", "::1").concat().contains("bob"));
    }
}
