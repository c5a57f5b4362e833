//! A bounded number of threads that hash, and a bounded queue before them.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task};

use crate::domain::error::UsersError;

/// What a refused caller is told to wait: about as long as the queue takes to drain.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Runs what costs a processor's time where it stops nobody else.
///
/// So many at once take so much memory and time and no more; whoever comes when the queue is full is told so at once, and
/// the requests that need no hash keep their latency.
#[derive(Debug, Clone)]
pub struct Pool {
    workers: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Pool {
    /// `workers` at once, `queue` more waiting.
    #[must_use]
    pub fn new(workers: usize, queue: usize) -> Self {
        let workers = workers.max(1);
        Self {
            workers: Arc::new(Semaphore::new(workers)),
            places: Arc::new(Semaphore::new((workers + queue).min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Runs `work` on a thread of its own. Once begun it runs to its end, and holds its place, also when the caller goes
    /// away.
    ///
    /// # Errors
    /// [`UsersError::Busy`] where the queue is full.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, UsersError> {
        let place =
            Arc::clone(&self.places).try_acquire_owned().map_err(|_| UsersError::Busy(RETRY_AFTER))?;
        let worker = Arc::clone(&self.workers)
            .acquire_owned()
            .await
            .map_err(|_| UsersError::Failed("the hashing pool is closed".to_owned()))?;
        task::spawn_blocking(move || {
            let result = work();
            drop((worker, place));
            result
        })
        .await
        .map_err(|error| UsersError::Failed(format!("hashing ended early: {error}")))
    }
}
