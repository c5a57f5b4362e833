//! What only the gateway asks the users service: whether a password is right, and how a user stands now.

use std::future::Future;

use poem_openapi::{Object, OpenApi, param::Path};
use serde::{Deserialize, Serialize};

use super::User;
use crate::{
    Caller, Problem, Secret, UserId, caller::CallerOf, document::Policy, operation::Access, payload::Json,
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

/// A user and the state of its credentials.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
pub struct Identity {
    /// The user.
    pub user: User,
    /// Grows with every change that ends sessions (password, disabling, enabling); a session remembers it.
    pub epoch: i64,
}

/// What each internal operation needs. The port refuses every caller that is not the gateway; the scope is given to nobody.
#[must_use]
pub fn policies() -> Vec<Policy> {
    vec![
        Policy::new("verify_credentials", Access::SignedIn, &[403]).scope("internal"),
        Policy::new("identify_user", Access::SignedIn, &[403, 404]).scope("internal"),
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

    /// How a user stands now; 404 for one that is gone.
    fn identify_user(
        &self,
        caller: &Caller,
        id: UserId,
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

    /// How a user stands now
    #[oai(path = "/internal/users/:user_id", method = "get", operation_id = "identify_user")]
    async fn identify_user(
        &self,
        caller: CallerOf,
        user_id: Path<UserId>,
    ) -> Result<Json<Identity>, Problem> {
        self.port.identify_user(&caller.0, user_id.0).await.map(Json)
    }
}
