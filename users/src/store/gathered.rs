//! Reads of one user each, gathered: those that come while a statement runs are answered by the next one together.
//!
//! A statement costs more by what is around it (a thread or the network, twice, and a connection from the pool) than by its rows. A lone
//! read waits for nobody. Each thread of [`kit::workers`] gathers its own, so that no request waits for another thread.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use contract::UserId;
use tokio::sync::oneshot;

use crate::domain::{User, UsersError};

/// Most users that one statement reads.
pub(super) const MOST: usize = 64;

/// What became of each user that was found; those that are not there are left out.
pub(super) type Found = HashMap<UserId, Result<User, UsersError>>;

/// Reads several users, each once and [`MOST`] at most.
pub(super) trait ReadUsers: Send + Sync + 'static {
    /// By one statement.
    fn read(&self, ids: &[UserId]) -> impl Future<Output = Result<Found, UsersError>> + Send;
}

/// Gathers reads and hands them to `R`.
#[derive(Debug)]
pub(super) struct Gathered<R> {
    reader: Arc<R>,
    lanes: Arc<[Lane]>,
}

impl<R> Clone for Gathered<R> {
    fn clone(&self) -> Self {
        Self { reader: Arc::clone(&self.reader), lanes: Arc::clone(&self.lanes) }
    }
}

/// The reads of one thread.
#[derive(Debug, Default)]
struct Lane(Mutex<Waiting>);

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
    pub(super) fn new(reader: R) -> Self {
        let lanes = (0..kit::workers::places()).map(|_| Lane::default()).collect();
        Self { reader: Arc::new(reader), lanes }
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

    /// Reads until nobody waits.
    async fn read_all(self, place: usize) {
        let reading = Reading(&self.lanes[place]);
        while let Some(asked) = reading.0.next() {
            let mut ids: Vec<UserId> = asked.iter().map(|ask| ask.id).collect();
            ids.sort_unstable();
            ids.dedup();
            match self.reader.read(&ids).await {
                Ok(found) => answer(asked, &found),
                Err(error) => asked.into_iter().for_each(|ask| ask.give(Err(error.clone()))),
            }
        }
        reading.done();
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
    /// Whether nobody reads yet, so that the caller is to start it.
    fn ask(&self, ask: Ask) -> bool {
        self.with(|waiting| {
            waiting.asked.push(ask);
            !std::mem::replace(&mut waiting.is_read, true)
        })
    }

    /// Those to read next, or nothing, after which nobody reads.
    fn next(&self) -> Option<Vec<Ask>> {
        self.with(|waiting| {
            waiting.asked.retain(|ask| !ask.answer.is_closed());
            let count = waiting.asked.len().min(MOST);
            waiting.is_read = count > 0;
            waiting.is_read.then(|| waiting.asked.drain(..count).collect())
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
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
