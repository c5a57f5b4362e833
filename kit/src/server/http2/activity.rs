//! What goes on in a connection of many requests: how many there are, since when there is none, how many were taken back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::super::answer::Waiting;

/// Requests taken back before their answer that nobody is blamed for. Past these, and past half of all, a client is up to no good.
const TAKEN_BACK: usize = 100;

/// Counts one connection's requests.
#[derive(Debug)]
pub(super) struct Activity {
    counts: Mutex<Counts>,
    begun: Notify,
    abused: Notify,
}

#[derive(Debug)]
struct Counts {
    begun: usize,
    in_flight: usize,
    taken_back: usize,
    idle_since: Instant,
    answers: Vec<Weak<Waiting>>,
}

impl Activity {
    pub(super) fn new() -> Self {
        let counts =
            Counts { begun: 0, in_flight: 0, taken_back: 0, idle_since: Instant::now(), answers: Vec::new() };
        Self { counts: Mutex::new(counts), begun: Notify::new(), abused: Notify::new() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has come.
    pub(super) fn begin(this: &Arc<Self>) -> Turn {
        let mut counts = this.counts();
        counts.begun += 1;
        counts.in_flight += 1;
        if counts.begun == 1 {
            this.begun.notify_one();
        }
        drop(counts);
        Turn { activity: Arc::clone(this), is_answered: false }
    }

    /// Ends with the first request. For one waiter.
    pub(super) async fn begun(&self) {
        self.begun.notified().await;
    }

    /// Ends when the client takes back too much.
    pub(super) async fn abused(&self) {
        self.abused.notified().await;
    }

    pub(super) fn is_idle_for(&self, time: Duration) -> bool {
        let counts = self.counts();
        counts.in_flight == 0 && counts.idle_since.elapsed() >= time
    }

    /// Whether the client has taken nothing of an answer for so long.
    pub(super) fn has_waited(&self, time: Duration) -> bool {
        let mut counts = self.counts();
        counts.answers.retain(|answer| answer.strong_count() > 0);
        counts.answers.iter().filter_map(Weak::upgrade).any(|answer| answer.is_longer_than(time))
    }
}

/// One request and its answer.
#[derive(Debug)]
pub(super) struct Turn {
    activity: Arc<Activity>,
    is_answered: bool,
}

impl Turn {
    /// Its answer begins.
    pub(super) fn answered(&mut self) -> Arc<Waiting> {
        self.is_answered = true;
        let waiting = Arc::new(Waiting::default());
        self.activity.counts().answers.push(Arc::downgrade(&waiting));
        waiting
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut counts = self.activity.counts();
        counts.in_flight -= 1;
        if counts.in_flight == 0 {
            counts.idle_since = Instant::now();
            counts.answers.clear();
        }
        if !self.is_answered {
            counts.taken_back += 1;
            if counts.taken_back > TAKEN_BACK && counts.taken_back * 2 > counts.begun {
                self.activity.abused.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_takes_back_most_of_its_requests_is_found_and_one_that_takes_back_some_is_not() {
        for (answered, is_abuse) in [(0, true), (50, true), (200, false)] {
            let activity = Arc::new(Activity::new());
            for _ in 0..answered {
                Activity::begin(&activity).answered();
            }
            for _ in 0..=TAKEN_BACK {
                drop(Activity::begin(&activity));
            }
            let told = tokio::time::timeout(Duration::ZERO, activity.abused()).await;
            assert_eq!(told.is_ok(), is_abuse, "{answered}");
        }
    }

    #[test]
    fn a_connection_is_idle_since_its_last_answer_was_sent() {
        let activity = Arc::new(Activity::new());
        assert!(activity.is_idle_for(Duration::ZERO));
        let turn = Activity::begin(&activity);
        assert!(!activity.is_idle_for(Duration::ZERO));
        drop(turn);
        assert!(activity.is_idle_for(Duration::ZERO) && !activity.is_idle_for(Duration::from_hours(1)));
    }
}
