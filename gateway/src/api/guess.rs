//! A password that is sent with an address: counted before it is looked at, and audited with how it ended.

use std::sync::Arc;

use contract::{Problem, ProblemKind, Subject};

use crate::identity::{
    audit::{Act, Audit, Outcome, Source},
    sessions::{Proved, SessionFault},
    throttle::Throttle,
};

/// A password that somebody sends with an address: a guess until it is checked.
pub(super) struct Guess {
    /// The operation.
    pub(super) action: &'static str,
    /// As typed.
    pub(super) email: String,
    pub(super) source: Source,
}

impl Guess {
    /// Checks it, once it is its turn: counted before it is looked at, and audited with how it ended.
    pub(super) async fn checked<P: AsRef<Proved> + Send + 'static>(
        self,
        throttle: &Arc<Throttle>,
        audit: &Arc<Audit>,
        check: impl Future<Output = Result<P, Problem>> + Send + 'static,
    ) -> Result<P, Problem> {
        let attempt = throttle.begin(&self.email, self.source.address).await?;
        let audit = Arc::clone(audit);
        // On its own: a client that hangs up must not leave its guess uncounted.
        let check = tokio::spawn(async move {
            let checked = check.await;
            let counted = match &checked {
                Ok(_) => attempt.succeeded().await,
                Err(problem) if problem.kind == ProblemKind::Refused => attempt.failed().await,
                // Not proved, and no failure: a right password must not clear the count of wrong codes beside it.
                Err(_) => attempt.unchecked().await,
            };
            counted.map_err(SessionFault::from)?;
            if let Some(act) = looked_at(self.action, checked.as_ref().map(AsRef::as_ref)) {
                audit.record(act, &self.source).await?;
            }
            checked
        });
        check.await.map_err(Problem::internal)?
    }
}

/// What is audited of a password that was looked at. A refused one names nobody: what was typed as an address may be a password.
fn looked_at(action: &'static str, checked: Result<&Proved, &Problem>) -> Option<Act> {
    let (actor, target, outcome) = match checked {
        Ok(proved) => {
            let id = proved.identity.user.id;
            (Subject::User(id), Some(format!("users/{id}")), Outcome::Done)
        }
        Err(problem) => match problem.kind {
            ProblemKind::Refused
            | ProblemKind::Forbidden
            | ProblemKind::PasswordChangeRequired
            | ProblemKind::SecondFactorRequired
            | ProblemKind::SecondFactorEnrolmentRequired
            | ProblemKind::InvalidValues => (Subject::Anonymous, None, Outcome::Refused),
            _ => return None,
        },
    };
    let detail = checked.err().map(|problem| match problem.kind {
        // Tells of the new password, which may be set elsewhere.
        ProblemKind::InvalidValues => "the new password was not taken".to_owned(),
        _ => problem.detail.clone().into_owned(),
    });
    Some(Act { actor, action, target, outcome, detail })
}
