//! The one place where the domain's errors become problem answers.

use std::time::Duration;

use contract::{Problem, ProblemKind, Role, Violation, problem::Place};

use crate::domain::{Fault, UsersError};

/// When to try again while the database is away.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The answer to an operation whose values stand in the body.
pub(super) fn of(error: UsersError) -> Problem {
    answer(error, |fault| Violation::body(format!("/{}", fault.field), fault.detail))
}

/// The answer to an operation whose values stand in the query.
pub(super) fn of_query(error: UsersError) -> Problem {
    answer(error, |fault| Violation::query(fault.field, fault.detail))
}

fn answer(error: UsersError, violation: fn(Fault) -> Violation) -> Problem {
    let kind = match error {
        UsersError::NotSignedIn => return Problem::missing_credentials(),
        UsersError::CallerGone => {
            return Problem::invalid_token("The user of this token is gone or disabled");
        }
        UsersError::NeedsAdmin => return Problem::insufficient_role(&Role::ADMIN),
        UsersError::KeyReused => {
            return Problem::invalid(vec![Violation {
                place: Place::Header,
                pointer: "/Idempotency-Key".to_owned(),
                detail: error.to_string(),
            }]);
        }
        UsersError::Invalid(faults) => return Problem::invalid(faults.into_iter().map(violation).collect()),
        UsersError::Busy(wait) => {
            return Problem::unavailable("Too many passwords are being checked; try again", wait);
        }
        UsersError::Unavailable(cause) => {
            return Problem::unavailable("Service unavailable", RETRY_AFTER).because(cause);
        }
        UsersError::Failed(cause) => return Problem::internal(cause),
        UsersError::NotFound | UsersError::NoSuchRole => ProblemKind::NotFound,
        UsersError::Duplicate | UsersError::IncorrectCredentials | UsersError::Inactive => {
            ProblemKind::Refused
        }
        UsersError::Forbidden(_) | UsersError::RefusedFields(_) | UsersError::CurrentPassword(_) => {
            ProblemKind::Forbidden
        }
        UsersError::LastAdmin
        | UsersError::KeyExhausted
        | UsersError::CreatedUserGone
        | UsersError::KeyTaken
        | UsersError::DuplicateRole
        | UsersError::BuiltInRole
        | UsersError::RoleInUse(_) => ProblemKind::Conflict,
        UsersError::Stale => ProblemKind::PreconditionFailed,
    };
    Problem::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_inside_is_for_the_log_alone() {
        for error in [
            UsersError::Failed("SELECT hunter2".to_owned()),
            UsersError::Unavailable("at db:5432".to_owned()),
        ] {
            let problem = of(error);
            assert!(
                problem.cause.is_some()
                    && !problem.detail.contains("hunter2")
                    && !problem.detail.contains("5432")
            );
        }
    }

    #[test]
    fn every_fault_is_pointed_at() {
        let faults = vec![Fault::new("email", "x"), Fault::new("password", "y")];
        let pointers = |problem: Problem| -> Vec<String> {
            problem.violations.into_iter().map(|violation| violation.pointer).collect()
        };
        assert_eq!(pointers(of(UsersError::Invalid(faults.clone()))), ["/email", "/password"]);
        assert_eq!(
            of_query(UsersError::Invalid(faults)).violations[0].place,
            contract::problem::Place::Query
        );
    }
}
