//! Threads that serve connections, each on a runtime of its own: a connection stays on one thread with the connections that it makes,
//! so that no request is handed from core to core and no idle thread is woken to look for work.
//!
//! They are the process's, as its log and its metrics are. Where none are started, connections run on the runtime they are
//! accepted on.

use std::{
    cell::Cell,
    io,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::runtime::{Builder, Handle};

static WORKERS: OnceLock<Vec<Handle>> = OnceLock::new();
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(0) };
}

/// Starts as many as there are cores, once in a process; they end with it.
///
/// # Errors
/// A thread or a runtime can't be made.
pub fn start() -> io::Result<()> {
    let count = thread::available_parallelism()?.get();
    let handles = (1..=count).map(worker).collect::<io::Result<Vec<_>>>()?;
    // A second start leaves the first in place; its own threads wait for nothing.
    let _ = WORKERS.set(handles);
    Ok(())
}

fn worker(place: usize) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name(format!("worker-{place}")).spawn(move || {
        PLACE.set(place);
        runtime.block_on(std::future::pending::<()>());
    })?;
    Ok(handle)
}

/// Where the next connection is served.
pub(crate) fn next() -> Option<&'static Handle> {
    let workers = WORKERS.get()?;
    workers.get(NEXT.fetch_add(1, Ordering::Relaxed) % workers.len().max(1))
}

/// How many [`place`]s there are at most.
#[must_use]
pub fn places() -> usize {
    1 + WORKERS.get().map_or(0, Vec::len)
}

/// Which of them this thread is, from 1; 0 on any other thread.
#[must_use]
pub fn place() -> usize {
    PLACE.get()
}
