//! What only the gateway asks the users service: whether a password is right, and how a user stands now.

use std::future::Future;

use poem_openapi::{Object, OpenApi, param::Path};
use serde::{Deserialize, Serialize};

use super::User;
use crate::{
    Caller, Email, Problem, Secret, UserId, caller::CallerOf, document::Policy, operation::Access,
    payload::Json, secret::NewPassword,
};

/// An address and a password, as typed.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
pub struct Credentials {
    /// As typed: what is no address belongs to nobody.
    #[oai(validator(max_length = 1024))]
    pub email: String,
    /// As typed.
    pub password: Secret,
}

/// An address, its password and the one to put in its place, as typed.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
pub struct NewCredentials {
    /// As typed: what is no address belongs to nobody.
    #[oai(validator(max_length = 1024))]
    pub email: String,
    /// The password until now.
    pub password: Secret,
    /// The password from now on.
    pub new_password: NewPassword,
}

/// A user and the state of its credentials.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
pub struct Identity {
    /// The user. One who must change the password (`must_change_password`) gets no tokens.
    pub user: User,
    /// Grows with every change that ends sessions (password, disabling, enabling); a session remembers it.
    pub epoch: i64,
    /// Whether the address is another than the one the account was made with or was last proved, and not proved itself.
    #[serde(default)]
    pub address_moved: bool,
}

/// An address whose user is looked for.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
pub struct Addressed {
    /// The address.
    pub email: Email,
}

/// A new password, from somebody who followed a link sent to an address.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
pub struct PasswordReset {
    /// The new password.
    pub password: NewPassword,
    /// Where the link was sent: it must still be the user's.
    pub email: Email,
}

/// What each internal operation needs. The port refuses every caller that is not the gateway; the scope is given to nobody.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let policy = |operation, problems| Policy::new(operation, Access::SignedIn, problems).scope("internal");
    vec![
        policy("verify_credentials", &[403]),
        policy("change_credentials", &[403]),
        policy("identify_user", &[403, 404]),
        policy("find_user", &[403, 404]),
        policy("reset_password", &[400, 403, 404, 412, 503]),
        policy("verify_address", &[400, 403, 404, 412]),
    ]
}

/// What the users service does for the gateway alone.
pub trait InternalPort: Send + Sync + 'static {
    /// Checks a password: the identity, or 400 "Incorrect email or password" / "Inactive user".
    fn verify_credentials(
        &self,
        caller: &Caller,
        credentials: Credentials,
    ) -> impl Future<Output = Result<Identity, Problem>> + Send;

    /// Checks a password and puts a new one in its place: the identity, or 400 as for a check, or 422 for a new password that is
    /// not taken. Every session of the user is void then.
    fn change_credentials(
        &self,
        caller: &Caller,
        credentials: NewCredentials,
    ) -> impl Future<Output = Result<Identity, Problem>> + Send;

    /// How a user stands now; 404 for one that is gone.
    fn identify_user(
        &self,
        caller: &Caller,
        id: UserId,
    ) -> impl Future<Output = Result<Identity, Problem>> + Send;

    /// The user with an address; 404 where there is none.
    fn find_user(
        &self,
        caller: &Caller,
        wanted: Addressed,
    ) -> impl Future<Output = Result<Identity, Problem>> + Send;

    /// Sets the password of a user who followed a link; 412 where the address is another by now, 400 "Inactive user".
    fn reset_password(
        &self,
        caller: &Caller,
        id: UserId,
        reset: PasswordReset,
    ) -> impl Future<Output = Result<Identity, Problem>> + Send;

    /// Notes that a user followed a link sent to this address; 412 and 400 as for a new password.
    fn verify_address(
        &self,
        caller: &Caller,
        id: UserId,
        address: Addressed,
    ) -> impl Future<Output = Result<Identity, Problem>> + Send;
}

/// The internal operations over whatever implements them.
pub struct InternalApi<P> {
    port: P,
}

impl<P> InternalApi<P> {
    /// The operations, answered by `port`.
    pub fn new(port: P) -> Self {
        Self { port }
    }
}

#[OpenApi]
impl<P: InternalPort> InternalApi<P> {
    /// Check a password
    #[oai(path = "/internal/credentials/verify", method = "post", operation_id = "verify_credentials")]
    async fn verify_credentials(
        &self,
        caller: CallerOf,
        body: Json<Credentials>,
    ) -> Result<Json<Identity>, Problem> {
        self.port.verify_credentials(&caller.0, body.0).await.map(Json)
    }

    /// Change a password that is known
    #[oai(path = "/internal/credentials/change", method = "post", operation_id = "change_credentials")]
    async fn change_credentials(
        &self,
        caller: CallerOf,
        body: Json<NewCredentials>,
    ) -> Result<Json<Identity>, Problem> {
        self.port.change_credentials(&caller.0, body.0).await.map(Json)
    }

    /// How a user stands now
    #[oai(path = "/internal/users/:user_id", method = "get", operation_id = "identify_user")]
    async fn identify_user(
        &self,
        caller: CallerOf,
        user_id: Path<UserId>,
    ) -> Result<Json<Identity>, Problem> {
        self.port.identify_user(&caller.0, user_id.0).await.map(Json)
    }

    /// The user with an address
    #[oai(path = "/internal/users/find", method = "post", operation_id = "find_user")]
    async fn find_user(&self, caller: CallerOf, body: Json<Addressed>) -> Result<Json<Identity>, Problem> {
        self.port.find_user(&caller.0, body.0).await.map(Json)
    }

    /// Set a password by a link
    #[oai(path = "/internal/users/:user_id/password", method = "put", operation_id = "reset_password")]
    async fn reset_password(
        &self,
        caller: CallerOf,
        user_id: Path<UserId>,
        body: Json<PasswordReset>,
    ) -> Result<Json<Identity>, Problem> {
        self.port.reset_password(&caller.0, user_id.0, body.0).await.map(Json)
    }

    /// Note that an address is proved
    #[oai(
        path = "/internal/users/:user_id/verified-address",
        method = "put",
        operation_id = "verify_address"
    )]
    async fn verify_address(
        &self,
        caller: CallerOf,
        user_id: Path<UserId>,
        body: Json<Addressed>,
    ) -> Result<Json<Identity>, Problem> {
        self.port.verify_address(&caller.0, user_id.0, body.0).await.map(Json)
    }
}
