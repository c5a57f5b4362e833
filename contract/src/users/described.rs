//! The users service's documents, from the contract alone: no service is needed to write them.

use serde_json::Value;

use super::{
    Addressed, Credentials, IdempotencyKey, Identity, ImportApi, ImportPort, InternalApi, InternalPort,
    ListUsers, NewCredentials, NewUser, Page, PasswordReset, RolesApi, RolesPort, Tagged, UserPatch,
    UserUpdate, UsersApi, UsersPort,
    import::{self, ImportReport, ImportedUser},
    internal, policies,
    port::{Conditions, Fetched},
    roles::{self, KnownRole, NewRole},
};
use crate::{
    Caller, Problem, Role, UserId,
    document::{self, DocumentError},
};

/// A port that nobody can make and so nobody can call: it stands where only the description of an API is wanted.
pub enum Described {}

impl UsersPort for Described {
    async fn list_users(&self, _: &Caller, _: ListUsers) -> Result<Page, Problem> {
        match *self {}
    }

    async fn create_user(
        &self,
        _: &Caller,
        _: NewUser,
        _: Option<IdempotencyKey>,
    ) -> Result<Tagged, Problem> {
        match *self {}
    }

    async fn get_user(&self, _: &Caller, _: UserId, _: Conditions) -> Result<Fetched, Problem> {
        match *self {}
    }

    async fn update_user(
        &self,
        _: &Caller,
        _: UserId,
        _: UserUpdate,
        _: Conditions,
    ) -> Result<Tagged, Problem> {
        match *self {}
    }

    async fn patch_user(
        &self,
        _: &Caller,
        _: UserId,
        _: UserPatch,
        _: Conditions,
    ) -> Result<Tagged, Problem> {
        match *self {}
    }

    async fn delete_user(&self, _: &Caller, _: UserId, _: Conditions) -> Result<(), Problem> {
        match *self {}
    }
}

impl InternalPort for Described {
    async fn verify_credentials(&self, _: &Caller, _: Credentials) -> Result<Identity, Problem> {
        match *self {}
    }

    async fn change_credentials(&self, _: &Caller, _: NewCredentials) -> Result<Identity, Problem> {
        match *self {}
    }

    async fn identify_user(&self, _: &Caller, _: UserId) -> Result<Identity, Problem> {
        match *self {}
    }

    async fn find_user(&self, _: &Caller, _: Addressed) -> Result<Identity, Problem> {
        match *self {}
    }

    async fn reset_password(&self, _: &Caller, _: UserId, _: PasswordReset) -> Result<Identity, Problem> {
        match *self {}
    }

    async fn verify_address(&self, _: &Caller, _: UserId, _: Addressed) -> Result<Identity, Problem> {
        match *self {}
    }
}

impl RolesPort for Described {
    async fn list_roles(&self, _: &Caller) -> Result<Vec<KnownRole>, Problem> {
        match *self {}
    }

    async fn create_role(&self, _: &Caller, _: NewRole) -> Result<KnownRole, Problem> {
        match *self {}
    }

    async fn get_role(&self, _: &Caller, _: Role) -> Result<KnownRole, Problem> {
        match *self {}
    }

    async fn delete_role(&self, _: &Caller, _: Role) -> Result<(), Problem> {
        match *self {}
    }
}

impl ImportPort for Described {
    async fn import_users(&self, _: &Caller, _: Vec<ImportedUser>, _: bool) -> Result<ImportReport, Problem> {
        match *self {}
    }
}

/// All public operations, as the gateway binds them.
pub type Public = (UsersApi<Described>, ImportApi<Described>, RolesApi<Described>);

/// The documents of all public operations: users, and what belongs to them.
///
/// # Errors
/// An operation without a policy.
pub fn documents() -> Result<Vec<Value>, DocumentError> {
    Ok(vec![
        document()?,
        document::of::<ImportApi<Described>>(&import::policies())?,
        document::of::<RolesApi<Described>>(&roles::policies())?,
    ])
}

/// The document of the operations on users.
///
/// # Errors
/// An operation without a policy.
pub fn document() -> Result<Value, DocumentError> {
    document::of::<UsersApi<Described>>(&policies())
}

/// The document of the internal operations.
///
/// # Errors
/// An operation without a policy.
pub fn internal_document() -> Result<Value, DocumentError> {
    document::of::<InternalApi<Described>>(&internal::policies())
}
