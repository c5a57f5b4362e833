//! The users service's operations as a trait: one method an operation.

use std::future::Future;

use super::{IdempotencyKey, LeftAddress, ListUsers, NewUser, User, UserPatch, UserUpdate};
use crate::{Caller, Problem, UserId};

/// A user with what stands in its answer's headers.
#[derive(Debug, Clone)]
pub struct Tagged {
    /// The user.
    pub user: User,
    /// The entity tag, with its quotes (RFC 9110 §8.8.3).
    pub etag: String,
    /// The change ended this user's sessions ([`super::SESSIONS_ENDED`]).
    pub sessions_ended: bool,
    /// The change ended this user's access tokens ([`super::TOKENS_ENDED`]).
    pub tokens_ended: bool,
    /// The user's address is new and not proved to be theirs ([`super::ADDRESS_UNPROVED`]).
    pub address_unproved: bool,
    /// The address that the user had before the change ([`super::ADDRESS_LEFT`]).
    pub address_left: Option<Box<LeftAddress>>,
}

/// One page of a listing.
#[derive(Debug, Clone)]
pub struct Page {
    /// The users, in the order asked for.
    pub users: Vec<User>,
    /// How many users the filters let through in all.
    pub total: u64,
    /// The cursor of the next page, where there is one.
    pub next: Option<String>,
}

/// Conditions of a request (RFC 9110 §13.1), as the raw field values.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
}

/// A user, or that the client's copy is still good.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// 200.
    Found(Tagged),
    /// 304, with the entity tag.
    NotModified(String),
}

/// What the users service does. Each method answers the operation of the same name in [`super::UsersApi`].
pub trait UsersPort: Send + Sync + 'static {
    /// Lists users.
    fn list_users(
        &self,
        caller: &Caller,
        query: ListUsers,
    ) -> impl Future<Output = Result<Page, Problem>> + Send;

    /// Creates a user; with a key, the same request again answers the same and creates nobody.
    fn create_user(
        &self,
        caller: &Caller,
        user: NewUser,
        key: Option<IdempotencyKey>,
    ) -> impl Future<Output = Result<Tagged, Problem>> + Send;

    /// Fetches one user.
    fn get_user(
        &self,
        caller: &Caller,
        id: UserId,
        conditions: Conditions,
    ) -> impl Future<Output = Result<Fetched, Problem>> + Send;

    /// Changes a user; left-out and null fields stay.
    fn update_user(
        &self,
        caller: &Caller,
        id: UserId,
        update: UserUpdate,
        conditions: Conditions,
    ) -> impl Future<Output = Result<Tagged, Problem>> + Send;

    /// Changes a user by merge patch.
    fn patch_user(
        &self,
        caller: &Caller,
        id: UserId,
        patch: UserPatch,
        conditions: Conditions,
    ) -> impl Future<Output = Result<Tagged, Problem>> + Send;

    /// Deletes a user.
    fn delete_user(
        &self,
        caller: &Caller,
        id: UserId,
        conditions: Conditions,
    ) -> impl Future<Output = Result<(), Problem>> + Send;
}
