//! Reads of one user each, gathered: those that come while a statement runs are answered by the next one together.
//!
//! A statement costs more by what is around it (a thread or the network, twice, and a connection from the pool) than by its rows. A lone
//! read waits for nobody. Each thread of [`kit::workers`] gathers its own, so that no request waits for another thread.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
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

/// Reads several users, each once and [`MOST`] at most.
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
            // Whoever asked first may go away; the others' reads go on.
            tokio::spawn(self.clone().read_all(place));
        }
        found.await.unwrap_or_else(|_| Err(UsersError::Unavailable("the read was given up".to_owned())))
    }

    /// Reads until nobody has asked for a while.
    async fn read_all(self, place: usize) {
        let reading = Reading(&self.lanes[place]);
        let mut connection = None;
        loop {
            let asked = reading.0.next();
            if !asked.is_empty() {
                self.read(&mut connection, asked).await;
            } else if !reading.0.more_within(self.kept).await && reading.0.end() {
                break;
            }
        }
        reading.done();
    }

    async fn read(&self, connection: &mut Option<R::Connection>, asked: Vec<Ask>) {
        let mut ids: Vec<UserId> = asked.iter().map(|ask| ask.id).collect();
        ids.sort_unstable();
        ids.dedup();
        match self.found(connection, &ids).await {
            Ok(found) => answer(asked, &found),
            Err(error) => {
                *connection = None;
                for ask in asked {
                    ask.give(Err(error.clone()));
                }
            }
        }
    }

    async fn found(
        &self,
        connection: &mut Option<R::Connection>,
        ids: &[UserId],
    ) -> Result<Found, UsersError> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.reader.connect().await?),
        };
        self.reader.read(connection, ids).await
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

    /// Those to read next.
    fn next(&self) -> Vec<Ask> {
        self.with(|waiting| {
            waiting.asked.retain(|ask| !ask.answer.is_closed());
            let count = waiting.asked.len().min(MOST);
            waiting.asked.drain(..count).collect()
        })
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
struct Reading<'a>(&'a Lane);

impl Reading<'_> {
    /// Nobody waited any more; somebody may again by now.
    fn done(self) {
        std::mem::forget(self);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.with(|waiting| *waiting = Waiting::default());
    }
}

#[cfg(test)]
mod tests;
