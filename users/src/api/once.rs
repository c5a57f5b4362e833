//! Requests that name themselves by an `Idempotency-Key`, between the wire and the domain.

use contract::{
    Caller, Problem,
    users::{IdempotencyKey, NewUser, Tagged},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{created, wire};
use crate::domain::{User, once::Once};

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    user: contract::users::User,
    etag: String,
}

/// The request as the domain knows it again.
pub(super) fn of(caller: &Caller, key: &IdempotencyKey, user: &NewUser) -> Result<Once, Problem> {
    // As it was understood, so that another order of members is the same request; and without the password, see the domain.
    let mut request = serde_json::to_value(user).map_err(Problem::internal)?;
    if let Some(members) = request.as_object_mut() {
        members.remove("password");
    }
    let request = serde_json::to_vec(&request).map_err(Problem::internal)?;
    Ok(Once {
        caller: caller.subject.to_string(),
        key: key.as_str().to_owned(),
        fingerprint: Sha256::digest(&request).into(),
        answer: |user: &User| {
            let etag = created(user.clone()).etag;
            serde_json::to_string(&Kept { user: wire(user.clone()), etag }).unwrap_or_default()
        },
    })
}

/// What was answered before. No letter goes out for it again.
pub(super) fn answered(answer: &str) -> Result<Tagged, Problem> {
    let Kept { user, etag } = serde_json::from_str(answer).map_err(Problem::internal)?;
    Ok(Tagged {
        user,
        etag,
        sessions_ended: false,
        tokens_ended: false,
        address_unproved: false,
        address_left: None,
    })
}
