//! One call of a service for all who ask the same at once. Who called first may go away: the call goes on in a task of its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use contract::Problem;
use tokio::sync::watch;

use crate::policy::cache::{key::Key, stored::Stored};

/// What came of a call, for those who waited.
#[derive(Debug, Clone)]
pub(super) enum Landed {
    /// An answer for all who present the same of what it varies by.
    Shared { stored: Arc<Stored>, vary: Vec<String>, presented: Key },
    /// It failed; another call at the same time would too.
    Failed(Problem),
    /// An answer for one alone: the others call themselves.
    Alone,
}

type Waiting = watch::Receiver<Option<Landed>>;

/// The calls under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, Waiting>>);

/// Who calls, and who waits.
pub(super) enum Place {
    First(Flight),
    After(Waiting),
}

/// A call under way. Dropped, however it comes to that, it keeps nobody waiting.
pub(super) struct Flight {
    flights: Arc<Flights>,
    key: Key,
    tell: watch::Sender<Option<Landed>>,
}

impl Flights {
    pub(super) fn board(self: &Arc<Self>, key: Key) -> Place {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = flights.get(&key) {
            return Place::After(waiting.clone());
        }
        let (tell, waiting) = watch::channel(None);
        flights.insert(key, waiting);
        Place::First(Flight { flights: Arc::clone(self), key, tell })
    }
}

impl Flight {
    pub(super) fn land(&self, landed: Landed) {
        self.tell.send_replace(Some(landed));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Waits for what comes of a call; a call that came to nothing is an answer for nobody.
pub(super) async fn landed(mut waiting: Waiting) -> Landed {
    match waiting.wait_for(Option::is_some).await {
        Ok(landed) => landed.clone().unwrap_or(Landed::Alone),
        Err(_) => Landed::Alone,
    }
}
