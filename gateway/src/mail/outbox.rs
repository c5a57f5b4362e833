//! Letters that somebody not signed in asked for: written and sent behind the answer, so that it tells nobody, by its words or
//! its time, whether there is such a user.

use std::{sync::Arc, time::Duration};

use contract::{
    Email, Problem, UserId,
    users::{LeftAddress, User},
};
use kit::request_id::RequestId;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{Delivery, PostFault, Postman};
use crate::{identity::links::Purpose, upstream::UsersClient};

/// Errands waiting at most; past it the next is refused.
const WAITING: usize = 256;

/// Errands done at once.
const AT_ONCE: usize = 4;

/// Links of one kind that a user can follow at once: past it nobody can have them sent more letters.
const OUTSTANDING: u64 = 5;

/// How long to wait before a letter that was not taken is tried again.
const RETRIES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];

/// How long errands begun before a shutdown may take to end.
const LAST: Duration = Duration::from_secs(5);

/// A letter that is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Errand {
    /// Somebody forgot the password of this address.
    ResetPassword(Email),
    /// This user's address is new.
    VerifyAddress(UserId),
    /// This address is no longer its user's.
    AddressLeft(LeftAddress),
}

/// Errands waiting to be done.
pub(crate) struct Outbox {
    users: Arc<UsersClient>,
    postman: Arc<Postman>,
    sender: mpsc::Sender<(Errand, RequestId)>,
    waiting: Mutex<mpsc::Receiver<(Errand, RequestId)>>,
}

impl Outbox {
    pub(crate) fn new(users: Arc<UsersClient>, postman: Arc<Postman>) -> Arc<Self> {
        let (sender, waiting) = mpsc::channel(WAITING);
        Arc::new(Self { users, postman, sender, waiting: Mutex::new(waiting) })
    }

    /// Whether letters are sent at all.
    pub(crate) fn sends(&self) -> bool {
        self.postman.usual() == Delivery::Mail
    }

    /// Takes an errand on.
    ///
    /// # Errors
    /// 503 while too many wait.
    pub(crate) fn add(&self, errand: Errand, request_id: RequestId) -> Result<(), Problem> {
        self.sender.try_send((errand, request_id)).map_err(|_| {
            Problem::unavailable("Too many letters are waiting to be sent", Duration::from_secs(30))
        })
    }

    /// Does the errands until told to stop; those begun are finished.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut waiting = self.waiting.lock().await;
        let mut doing = JoinSet::new();
        loop {
            let next = tokio::select! {
                () = shutdown.cancelled() => break,
                next = waiting.recv(), if doing.len() < AT_ONCE => next,
                Some(_) = doing.join_next() => continue,
            };
            let Some((errand, request_id)) = next else { break };
            let (this, shutdown) = (Arc::clone(&self), shutdown.clone());
            doing.spawn(async move { this.run_errand(errand, &request_id, shutdown).await });
        }
        let ended = tokio::time::timeout(LAST, async { while doing.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!(letters = doing.len(), "letters were not sent before the shutdown");
        }
    }

    async fn run_errand(&self, errand: Errand, request_id: &RequestId, shutdown: CancellationToken) {
        let mut retries = RETRIES.into_iter();
        loop {
            let fault = match self.attempt(&errand, request_id).await {
                Ok(()) => return,
                Err(fault) => fault,
            };
            let Some(wait) = retries.next().filter(|_| fault.passes) else {
                tracing::error!(
                    request_id = request_id.as_str(),
                    cause = fault.cause,
                    "a letter was not sent"
                );
                return;
            };
            tracing::warn!(
                request_id = request_id.as_str(),
                cause = fault.cause,
                "a letter was not sent; it is tried again"
            );
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn attempt(&self, errand: &Errand, request_id: &RequestId) -> Result<(), Unsent> {
        let (purpose, identity) = match errand {
            Errand::ResetPassword(email) => {
                let found = self.users.find(email, request_id).await?;
                // An address that somebody has changed opens no account before its owner has proved it: they get the letter for
                // that, and then ask again.
                let moved = found.as_ref().is_some_and(|identity| identity.address_moved);
                (if moved { Purpose::VerifyAddress } else { Purpose::ResetPassword }, found)
            }
            Errand::AddressLeft(left) => return self.tell_left(left, request_id).await,
            Errand::VerifyAddress(id) => {
                (Purpose::VerifyAddress, self.users.identify(*id, request_id).await?)
            }
        };
        let Some(user) = identity.map(|identity| identity.user).filter(|user| wants(purpose, user)) else {
            return Ok(());
        };
        if self.postman.links.outstanding(purpose, user.id).await.map_err(PostFault::from)? >= OUTSTANDING {
            tracing::info!(request_id = request_id.as_str(), "a user has letters enough; none was sent");
            return Ok(());
        }
        self.postman.deliver(purpose, &user, Delivery::Mail).await?;
        Ok(())
    }
}

impl Outbox {
    async fn tell_left(&self, left: &LeftAddress, request_id: &RequestId) -> Result<(), Unsent> {
        let Some(identity) = self.users.identify(left.user, request_id).await? else { return Ok(()) };
        // Nobody has letters sent to strangers by giving one address after another: the proofs of the new ones are counted.
        let outstanding = self.postman.links.outstanding(Purpose::VerifyAddress, left.user);
        if !left.proved && outstanding.await.map_err(PostFault::from)? >= OUTSTANDING {
            tracing::info!(request_id = request_id.as_str(), "a user has letters enough; none was sent");
            return Ok(());
        }
        Ok(self.postman.tell_left(&identity.user, &left.address).await?)
    }
}

fn wants(purpose: Purpose, user: &User) -> bool {
    user.is_active && !(purpose == Purpose::VerifyAddress && user.email_verified)
}

/// Why a letter was not sent, for the log.
struct Unsent {
    cause: String,
    passes: bool,
}

impl From<Problem> for Unsent {
    fn from(problem: Problem) -> Self {
        let passes = matches!(problem.kind.status().as_u16(), 502..=504);
        Self { cause: problem.cause.unwrap_or_else(|| problem.detail.into_owned()), passes }
    }
}

impl From<PostFault> for Unsent {
    fn from(fault: PostFault) -> Self {
        let passes = matches!(&fault, PostFault::Send(fault) if fault.passes());
        Self { cause: fault.to_string(), passes }
    }
}
