//! An attempt, and beside it a second one at another instance where the first takes long: the first answer is used, and what is
//! still under way is given up, which closes its connection and blames nobody.

use std::sync::Arc;

use http::Response;
use hyper::body::Incoming;
use kit::metrics;
use tokio::time::{Instant, sleep_until};

use super::{
    client::{Failed, Sending, judged},
    instance::{Instance, Use},
    pool::Upstream,
};
use crate::policy::{Outcome, hedge::Hedge};

/// What came of an attempt, at which instance.
type Ended = (Use, Result<Response<Incoming>, Failed>);

impl Upstream {
    /// `tried` gets the second instance.
    pub(super) async fn hedged(
        &self,
        sending: &Sending,
        used: Use,
        hedge: &mut Hedge,
        tried: &mut Vec<Arc<Instance>>,
    ) -> Ended {
        let one = |used: Use| async move {
            let answer = self.attempt(sending, &used).await;
            (used, answer)
        };
        let mut first = Box::pin(one(used));
        let Some(due) = hedge.due() else { return first.await };
        tokio::select! {
            biased;
            ended = &mut first => return ended,
            () = sleep_until(due.into()) => {}
        }
        let now = Instant::now().into_std();
        let has_another = self.has_another(tried);
        if !hedge.withdraw(now, sending.deadline, has_another, &mut self.budget()) {
            return first.await;
        }
        let Ok(used) = self.choose(tried).await else { return first.await };
        if tried.iter().any(|tried| Arc::ptr_eq(tried, used.instance())) {
            return first.await;
        }
        tried.push(Arc::clone(used.instance()));
        tracing::debug!(service = self.service(), "a call takes long: another instance is asked as well");
        let mut second = Box::pin(one(used));
        let (ended, other, names) = tokio::select! {
            ended = &mut first => (ended, second, ["first", "second"]),
            ended = &mut second => (ended, first, ["second", "first"]),
        };
        if is_answer(&ended) {
            metrics::hedged(self.service(), names[0]);
            return ended;
        }
        let after = other.await;
        let (answer, failed, used) =
            if is_answer(&after) { (after, ended, names[1]) } else { (ended, after, names[0]) };
        metrics::hedged(self.service(), used);
        settle(failed);
        answer
    }
}

/// Whether it is worth no wait for another.
fn is_answer((_, answer): &Ended) -> bool {
    answer.as_ref().is_ok_and(|response| !matches!(response.status().as_u16(), 502..=504))
}

/// What an attempt that is not used says of its instance.
fn settle((mut used, answer): Ended) {
    match answer {
        Err(failed) => used.settle(failed.outcome),
        Ok(response) => match judged(&response) {
            Outcome::Good => {}
            outcome => used.settle(outcome),
        },
    }
}
