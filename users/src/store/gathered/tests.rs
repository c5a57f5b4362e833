//! Which reads are answered together, and how long a connection is kept, over a stub.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::Poll,
};

use contract::Timestamp;
use tokio::sync::Semaphore;

use super::*;
use crate::domain::password::PasswordHash;

/// Has the users 1 to 999, reads when it gets a permit, and writes down what it was asked.
#[derive(Debug, Clone)]
struct Stub(Arc<State>);

#[derive(Debug)]
struct State {
    permits: Semaphore,
    asked: Mutex<Vec<Vec<i64>>>,
    /// No statement succeeds.
    is_down: AtomicBool,
    /// The next one does not.
    is_lost: AtomicBool,
    /// No connection is had, each time after a permit.
    is_refusing: AtomicBool,
    taken: AtomicUsize,
    given_back: AtomicUsize,
}

/// A connection.
struct Taken(Stub);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.0.given_back.fetch_add(1, Ordering::SeqCst);
    }
}

impl ReadUsers for Stub {
    type Connection = Taken;

    async fn connect(&self) -> Result<Taken, UsersError> {
        if self.0.is_refusing.load(Ordering::SeqCst) {
            self.0.permits.acquire().await.unwrap().forget();
            return Err(down());
        }
        self.0.taken.fetch_add(1, Ordering::SeqCst);
        Ok(Taken(self.clone()))
    }

    async fn read(&self, _: &mut Taken, ids: &[UserId]) -> Result<Found, UsersError> {
        self.0.asked.lock().unwrap().push(ids.iter().map(|id| id.0).collect());
        self.0.permits.acquire().await.unwrap().forget();
        if self.0.is_down.load(Ordering::SeqCst) || self.0.is_lost.swap(false, Ordering::SeqCst) {
            return Err(down());
        }
        let here = ids.iter().filter(|id| (1..1000).contains(&id.0));
        Ok(here.map(|id| (*id, if id.0 == 13 { Err(broken()) } else { Ok(user(*id)) })).collect())
    }
}

impl Stub {
    fn new(permits: usize) -> Self {
        Self(Arc::new(State {
            permits: Semaphore::new(permits),
            asked: Mutex::default(),
            is_down: AtomicBool::new(false),
            is_lost: AtomicBool::new(false),
            is_refusing: AtomicBool::new(false),
            taken: AtomicUsize::new(0),
            given_back: AtomicUsize::new(0),
        }))
    }

    /// How many were taken and given back so far.
    fn connections(&self) -> (usize, usize) {
        (self.0.taken.load(Ordering::SeqCst), self.0.given_back.load(Ordering::SeqCst))
    }

    /// Waits until it was asked so often.
    async fn asked(&self, times: usize) -> Vec<Vec<i64>> {
        loop {
            let asked = self.0.asked.lock().unwrap().clone();
            if asked.len() >= times {
                return asked;
            }
            tokio::task::yield_now().await;
        }
    }
}

fn down() -> UsersError {
    UsersError::Unavailable("down".to_owned())
}

fn broken() -> UsersError {
    UsersError::Failed("the row of user 13 holds no e-mail address".to_owned())
}

fn user(id: UserId) -> User {
    let at = Timestamp::from_microseconds(1).unwrap();
    User {
        id,
        email: format!("user{}@example.com", id.0).parse().unwrap(),
        is_active: true,
        first_name: None,
        last_name: None,
        roles: BTreeSet::new(),
        password_hash: PasswordHash::from(String::new()),
        must_change_password: false,
        verified_email: None,
        epoch: 1,
        version: 1,
        created_at: at,
        updated_at: at,
    }
}

type Read = tokio::task::JoinHandle<Result<Option<User>, UsersError>>;

/// Begins these reads, all of which wait afterwards.
async fn begin(gathered: &Gathered<Stub>, ids: impl IntoIterator<Item = i64>) -> Vec<Read> {
    let read = |id| {
        let gathered = gathered.clone();
        tokio::spawn(async move { gathered.find(UserId(id)).await })
    };
    let reads: Vec<Read> = ids.into_iter().map(read).collect();
    // Each gets its turn on the one thread.
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    reads
}

async fn ids(reads: Vec<Read>) -> Vec<Option<i64>> {
    let mut found = Vec::new();
    for read in reads {
        found.push(read.await.unwrap().unwrap().map(|user| user.id.0));
    }
    found
}

#[tokio::test]
async fn reads_that_come_while_one_runs_are_answered_by_one_other_each_with_its_own() {
    let stub = Stub::new(0);
    let gathered = Gathered::new(stub.clone(), 10);
    let first = begin(&gathered, [7]).await;
    assert_eq!(stub.asked(1).await, [[7]]);
    // The same user again: what is being read may be older than what this one is to see.
    let others = begin(&gathered, [9, 3, 9, 7, 5000]).await;
    stub.0.permits.add_permits(2);
    assert_eq!(ids(first).await, [Some(7)]);
    assert_eq!(ids(others).await, [Some(9), Some(3), Some(9), Some(7), None]);
    assert_eq!(stub.asked(2).await, [vec![7], vec![3, 7, 9, 5000]]);
}

#[tokio::test]
async fn no_statement_reads_more_than_it_may() {
    let stub = Stub::new(100);
    let gathered = Gathered::new(stub.clone(), 10);
    let reads = begin(&gathered, 1..=200).await;
    assert_eq!(ids(reads.into_iter().skip(13).collect()).await.len(), 187);
    let asked = stub.asked(4).await;
    assert!(asked.iter().all(|ids| ids.len() <= MOST), "{asked:?}");
    assert_eq!(asked.concat().into_iter().collect::<BTreeSet<_>>(), (1..=200).collect());
}

#[tokio::test]
async fn a_row_that_cant_be_read_fails_nobody_else() {
    let gathered = Gathered::new(Stub::new(100), 10);
    let mut reads = begin(&gathered, [12, 13, 14]).await;
    assert_eq!(reads.remove(1).await.unwrap(), Err(broken()));
    assert_eq!(ids(reads).await, [Some(12), Some(14)]);
}

#[tokio::test]
async fn a_failed_statement_fails_those_that_waited_for_it_and_no_later_ones() {
    let stub = Stub::new(100);
    stub.0.is_down.store(true, Ordering::SeqCst);
    let gathered = Gathered::new(stub.clone(), 10);
    for read in begin(&gathered, [1, 2]).await {
        assert_eq!(read.await.unwrap(), Err(down()));
    }
    stub.0.is_down.store(false, Ordering::SeqCst);
    assert_eq!(ids(begin(&gathered, [1]).await).await, [Some(1)]);
}

#[tokio::test]
async fn whoever_goes_away_takes_nobody_along_and_is_not_read_for() {
    let stub = Stub::new(0);
    let gathered = Gathered::new(stub.clone(), 10);
    let first = begin(&gathered, [1]).await;
    stub.asked(1).await;
    let mut others = begin(&gathered, [2, 3]).await;
    for gone in first.into_iter().chain([others.remove(0)]) {
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
    }
    stub.0.permits.add_permits(2);
    assert_eq!(ids(others).await, [Some(3)]);
    assert_eq!(stub.asked(2).await, [[1], [3]]);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn a_runtime_that_ends_before_a_read_has_begun_leaves_the_next_one_free_to_read() {
    let stub = Stub::new(100);
    let gathered = Gathered::new(stub.clone(), 10);
    let ended = runtime();
    ended.block_on(async {
        let mut asked = std::pin::pin!(gathered.find(UserId(1)));
        let polled = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context)));
        assert!(polled.await.is_pending());
    });
    drop(ended);
    assert_eq!(stub.connections(), (0, 0));
    assert_eq!(runtime().block_on(async { ids(begin(&gathered, [2]).await).await }), [Some(2)]);
}

#[test]
fn a_runtime_that_ends_within_a_statement_leaves_the_next_one_free_to_read() {
    let stub = Stub::new(0);
    let gathered = Gathered::new(stub.clone(), 10);
    let ended = runtime();
    ended.block_on(async {
        begin(&gathered, [1]).await;
        stub.asked(1).await;
    });
    drop(ended);
    stub.0.permits.add_permits(1);
    assert_eq!(runtime().block_on(async { ids(begin(&gathered, [2]).await).await }), [Some(2)]);
}

fn with(stub: &Stub, kept: Duration) -> Gathered<Stub> {
    Gathered { kept, ..Gathered::new(stub.clone(), 10) }
}

#[tokio::test]
async fn a_connection_is_kept_for_reads_that_follow_soon_until_one_fails() {
    let stub = Stub::new(100);
    let gathered = with(&stub, Duration::from_hours(1));
    for id in 1..4 {
        gathered.find(UserId(id)).await.unwrap();
    }
    assert_eq!(stub.connections(), (1, 0));
    stub.0.is_down.store(true, Ordering::SeqCst);
    // Once more over a fresh one; one that is fresh already fails at once.
    gathered.find(UserId(1)).await.unwrap_err();
    assert_eq!(stub.connections(), (2, 2));
    gathered.find(UserId(1)).await.unwrap_err();
    assert_eq!(stub.connections(), (3, 3));
}

#[tokio::test]
async fn a_kept_connection_that_was_lost_meanwhile_fails_nobody() {
    let stub = Stub::new(100);
    let gathered = with(&stub, Duration::from_hours(1));
    gathered.find(UserId(1)).await.unwrap();
    stub.0.is_lost.store(true, Ordering::SeqCst);
    assert_eq!(ids(begin(&gathered, [2, 3]).await).await, [Some(2), Some(3)]);
    assert_eq!(stub.connections(), (2, 1));
}

#[tokio::test]
async fn without_a_connection_all_who_wait_are_told_at_once() {
    let stub = Stub::new(0);
    stub.0.is_refusing.store(true, Ordering::SeqCst);
    let gathered = Gathered::new(stub.clone(), 10);
    let reads = begin(&gathered, 1..=200).await;
    stub.0.permits.add_permits(1);
    for read in reads {
        assert_eq!(read.await.unwrap(), Err(down()));
    }
}

#[tokio::test]
async fn a_connection_that_nobody_asks_for_is_given_back_and_another_taken_later() {
    let stub = Stub::new(100);
    let gathered = with(&stub, Duration::from_millis(1));
    for round in 1..3 {
        gathered.find(UserId(1)).await.unwrap();
        while stub.connections() != (round, round) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn the_only_connection_is_kept_from_nobody_however_many_wait() {
    let stub = Stub::new(0);
    let gathered = Gathered::new(stub.clone(), 1);
    let first = begin(&gathered, [1]).await;
    for statements in 1..4 {
        stub.asked(statements).await;
        let next = begin(&gathered, [1]).await;
        stub.0.permits.add_permits(1);
        drop(next);
        stub.asked(statements + 1).await;
        assert_eq!(stub.connections(), (statements + 1, statements));
    }
    drop(first);
}
