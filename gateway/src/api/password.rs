//! Setting a new password with the one until now: for whoever wants to, and for whoever must before signing in.

use std::{sync::Arc, time::Duration};

use contract::{
    Problem, Secret,
    document::Policy,
    operation::Access,
    payload::Json,
    secret::NewPassword,
    users::{Credentials, NewCredentials},
};
use poem::Request;
use poem_openapi::{Object, OpenApi, Tags};
use serde::{Deserialize, Serialize};

use super::{
    audit_trail::AuditTrail,
    auth::{TokenResponse, answer, origin, unverified},
    guess::Guess,
};
use crate::{
    identity::{
        second_factor::SecondFactors,
        sessions::{Proved, Sessions},
        throttle::Throttle,
    },
    mail::Outbox,
    upstream::UsersClient,
};

/// A moment in which no token is given out: tokens are revoked by the millisecond in which they were issued.
const REVOKED_MOMENT: Duration = Duration::from_millis(2);

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![Policy::new("change_password", Access::Public, &[403])]
}

#[derive(Tags)]
enum Tag {
    /// Signing in and out.
    Auth,
}

/// An address, its password, and the one to put in its place.
#[derive(Debug, Deserialize, Serialize, Object)]
struct PasswordChange {
    /// The user's address.
    #[oai(validator(max_length = 1024))]
    email: String,
    /// The password until now.
    password: Secret,
    /// The password from now on: 8 characters at least, 1024 bytes at most, hard to guess, and another one.
    new_password: NewPassword,
    /// A code of the second factor, or a recovery code, where the user has a second factor.
    code: Option<Secret>,
}

/// The operation.
pub(crate) struct PasswordApi {
    pub(crate) users: Arc<UsersClient>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) trail: AuditTrail,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) require_verified_address: bool,
    pub(crate) factors: Arc<SecondFactors>,
}

#[OpenApi]
impl PasswordApi {
    /// Change my password
    ///
    /// Takes the password until now and no token, so that it also serves who must change it before signing in. All sessions of the
    /// user end; the answer begins a new one. 403: the new password is set, and the address must be confirmed before signing in.
    #[oai(
        path = "/api_v1/auth/password",
        method = "post",
        operation_id = "change_password",
        tag = "Tag::Auth"
    )]
    async fn change_password(
        &self,
        request: &Request,
        body: Json<PasswordChange>,
    ) -> Result<TokenResponse, Problem> {
        let PasswordChange { email, password, new_password, code } = body.0;
        self.trail.audit.require_writable()?;
        let source = self.trail.source(request)?;
        let client = source.address;
        let (users, sessions) = (Arc::clone(&self.users), Arc::clone(&self.sessions));
        let (outbox, needs_proof) = (Arc::clone(&self.outbox), self.require_verified_address);
        let factors = Arc::clone(&self.factors);
        let request_id = source.request_id.clone();
        let guess = Guess { action: "change_password", email: email.clone(), source };
        let credentials = NewCredentials { email, password, new_password };
        let change = async move {
            // Before anything is changed: the password alone is not enough where there is a second factor.
            let until_now =
                Credentials { email: credentials.email.clone(), password: credentials.password.clone() };
            let identity = users.verify(&until_now, &request_id).await?;
            let second_factor = factors.check(&identity, code.as_ref()).await?;
            let identity = users.change(&credentials, &request_id).await?;
            // Also where the client has hung up by now: the password is another one already.
            sessions.end_all(identity.user.id).await?;
            if needs_proof && !identity.user.email_verified {
                return Err(unverified(&outbox, identity.user.id, &request_id));
            }
            Ok(Proved { identity, second_factor })
        };
        let proved = guess.checked(&self.throttle, &self.trail.audit, change).await?;
        tokio::time::sleep(REVOKED_MOMENT).await;
        let tokens = self.sessions.begin(&proved, origin(request, client)).await?;
        Ok(answer(&tokens))
    }
}
