//! Reads of one user each, gathered: those that come while a statement runs are answered by the next one together.
//!
//! A statement costs more by what is around it (a thread or the network, twice, and a connection from the pool) than by its rows. A lone
//! read waits for nobody. Each thread of [`kit::workers`] gathers its own where there are connections enough, so that no request waits for
//! another thread.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use contract::UserId;
use tokio::sync::{Notify, oneshot};

use crate::domain::{User, UsersError};

/// Most users that one statement reads.
pub(super) const MOST: usize = 64;

/// What became of each user that was found; those that are not there are left out.
pub(super) type Found = HashMap<UserId, Result<User, UsersError>>;

/// How long a connection is kept for the next read. Given back, it is tested, which costs as much as the read of a user.
const KEPT: Duration = Duration::from_millis(50);

/// How long it is kept at all, so that the pool can end what has lived too long.
const KEPT_AT_MOST: Duration = Duration::from_secs(10);

/// Up to when a read that failed is made once more, if its connection was not taken for it: it may have been lost long ago, as after a
/// restart of the database. One that took longer has waited in vain.
const AGAIN_WITHIN: Duration = Duration::from_secs(1);

/// Reads several users, each once and [`MOST`] at most. None of its methods waits without a limit.
pub(super) trait ReadUsers: Send + Sync + 'static {
    /// What it reads over.
    type Connection: Send;

    /// Takes a connection.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, UsersError>> + Send;

    /// By one statement. After an error the connection is given up.
    fn read(
        &self,
        connection: &mut Self::Connection,
        ids: &[UserId],
    ) -> impl Future<Output = Result<Found, UsersError>> + Send;
}

/// Gathers reads and hands them to `R`.
#[derive(Debug)]
pub(super) struct Gathered<R> {
    reader: Arc<R>,
    lanes: Arc<[Lane]>,
    kept: Duration,
}

impl<R> Clone for Gathered<R> {
    fn clone(&self) -> Self {
        Self { reader: Arc::clone(&self.reader), lanes: Arc::clone(&self.lanes), kept: self.kept }
    }
}

/// The reads of one thread, or of some where there are few connections.
#[derive(Debug, Default)]
struct Lane {
    waiting: Mutex<Waiting>,
    /// Tells whoever reads of the next to read.
    more: Notify,
}

/// As many as there are requests being served, which the listener limits.
#[derive(Debug, Default)]
struct Waiting {
    asked: Vec<Ask>,
    is_read: bool,
}

#[derive(Debug)]
struct Ask {
    id: UserId,
    answer: oneshot::Sender<Result<Option<User>, UsersError>>,
}

impl<R: ReadUsers> Gathered<R> {
    /// Keeps no more than half of so many connections from others; the only one not at all.
    pub(super) fn new(reader: R, connections: u32) -> Self {
        let most = usize::try_from(connections / 2).unwrap_or(usize::MAX);
        let lanes = (0..kit::workers::places().min(most.max(1))).map(|_| Lane::default()).collect();
        let kept = if most == 0 { Duration::ZERO } else { KEPT };
        Self { reader: Arc::new(reader), lanes, kept }
    }

    /// The user, as it is at some moment between call and answer.
    pub(super) async fn find(&self, id: UserId) -> Result<Option<User>, UsersError> {
        let (answer, found) = oneshot::channel();
        let place = kit::workers::place() % self.lanes.len();
        if self.lanes[place].ask(Ask { id, answer }) {
            let reading = Reading { lanes: Arc::clone(&self.lanes), place };
            // Whoever asked first may go away; the others' reads go on.
            tokio::spawn(self.clone().read_all(reading));
        }
        found.await.unwrap_or_else(|_| Err(UsersError::Unavailable("the read was given up".to_owned())))
    }

    /// Reads until nobody has asked for a while.
    async fn read_all(self, reading: Reading) {
        let mut connection = None;
        loop {
            let lane = reading.lane();
            if lane.is_waited_for() {
                self.read(lane, &mut connection).await;
            } else if !lane.more_within(self.kept).await && lane.end() {
                break;
            }
            connection =
                connection.filter(|(_, taken)| !self.kept.is_zero() && taken.elapsed() < KEPT_AT_MOST);
        }
        reading.done();
    }

    /// Answers those who wait by one statement; where there is no connection, or nothing comes over it, all of them by the error.
    async fn read(&self, lane: &Lane, kept: &mut Option<(R::Connection, Instant)>) {
        let begun = Instant::now();
        let was_kept = kept.is_some();
        // First the connection: whoever asks while it is waited for is read with the others.
        let mut connection = match self.connection(kept.take()).await {
            Ok(connection) => connection,
            Err(error) => return refuse(lane.all(), &error),
        };
        let asked = lane.next();
        let mut ids: Vec<UserId> = asked.iter().map(|ask| ask.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut found = self.reader.read(&mut connection.0, &ids).await;
        if was_kept && is_unavailable(&found) && begun.elapsed() < AGAIN_WITHIN {
            connection = match self.connection(None).await {
                Ok(connection) => connection,
                Err(error) => return refuse(asked.into_iter().chain(lane.all()), &error),
            };
            found = self.reader.read(&mut connection.0, &ids).await;
        }
        match found {
            Ok(found) => {
                answer(asked, &found);
                *kept = Some(connection);
            }
            Err(error @ UsersError::Unavailable(_)) => refuse(asked.into_iter().chain(lane.all()), &error),
            Err(error) => refuse(asked, &error),
        }
    }

    async fn connection(
        &self,
        kept: Option<(R::Connection, Instant)>,
    ) -> Result<(R::Connection, Instant), UsersError> {
        match kept {
            Some(connection) => Ok(connection),
            None => Ok((self.reader.connect().await?, Instant::now())),
        }
    }
}

fn is_unavailable(found: &Result<Found, UsersError>) -> bool {
    matches!(found, Err(UsersError::Unavailable(_)))
}

fn refuse(asked: impl IntoIterator<Item = Ask>, error: &UsersError) {
    for ask in asked {
        ask.give(Err(error.clone()));
    }
}

fn answer(asked: Vec<Ask>, found: &Found) {
    for ask in asked {
        let user = found.get(&ask.id).cloned().transpose();
        ask.give(user);
    }
}

impl Ask {
    fn give(self, found: Result<Option<User>, UsersError>) {
        // Whoever asked may be gone by now.
        let _ = self.answer.send(found);
    }
}

impl Lane {
    /// Whether nobody reads, so that the caller is to start it.
    fn ask(&self, ask: Ask) -> bool {
        let is_read = self.with(|waiting| {
            waiting.asked.push(ask);
            std::mem::replace(&mut waiting.is_read, true)
        });
        self.more.notify_one();
        !is_read
    }

    fn is_waited_for(&self) -> bool {
        self.with(|waiting| {
            waiting.asked.retain(|ask| !ask.answer.is_closed());
            !waiting.asked.is_empty()
        })
    }

    /// Those to read next.
    fn next(&self) -> Vec<Ask> {
        self.with(|waiting| {
            let count = waiting.asked.len().min(MOST);
            waiting.asked.drain(..count).collect()
        })
    }

    /// All who wait.
    fn all(&self) -> Vec<Ask> {
        self.with(|waiting| std::mem::take(&mut waiting.asked))
    }

    /// Whether somebody asked within this time, or before it.
    async fn more_within(&self, time: Duration) -> bool {
        !time.is_zero() && tokio::time::timeout(time, self.more.notified()).await.is_ok()
    }

    /// Whether nobody waits, after which nobody reads.
    fn end(&self) -> bool {
        self.with(|waiting| {
            waiting.is_read = !waiting.asked.is_empty();
            !waiting.is_read
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// That a lane is read. Where that ends before its time, with the runtime or by a panic, nobody waits for it afterwards.
struct Reading {
    lanes: Arc<[Lane]>,
    place: usize,
}

impl Reading {
    fn lane(&self) -> &Lane {
        &self.lanes[self.place]
    }

    /// Nobody waited any more; somebody may again by now.
    fn done(mut self) {
        self.lanes = Arc::new([]);
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(lane) = self.lanes.get(self.place) {
            lane.with(|waiting| *waiting = Waiting::default());
        }
    }
}

#[cfg(test)]
mod tests;
