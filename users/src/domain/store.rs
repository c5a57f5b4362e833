//! What the domain asks of whatever keeps users.

use std::future::Future;

use contract::{Email, UserId};

use super::{
    error::UsersError,
    listing::{Listed, Listing},
    password::PasswordHash,
    user::User,
};

/// How the user who acts stands at the moment of the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether the user exists and is active.
    pub is_active: bool,
    /// Whether the user has the role `admin`.
    pub is_admin: bool,
}

/// What a change comes to.
#[derive(Debug)]
pub enum Decision {
    /// Nothing.
    Keep,
    /// The user is this from now on.
    Replace(Box<User>),
    /// The user is deleted.
    Delete,
}

/// Keeps users. Every method that writes does it in one transaction.
pub trait UserStore: Send + Sync + 'static {
    /// The user with this id.
    fn find(&self, id: UserId) -> impl Future<Output = Result<Option<User>, UsersError>> + Send;

    /// The user with this address, by its canonical form.
    fn find_by_email(&self, email: &Email) -> impl Future<Output = Result<Option<User>, UsersError>> + Send;

    /// One page of users.
    fn list(&self, listing: &Listing) -> impl Future<Output = Result<Listed, UsersError>> + Send;

    /// Adds a user, whose `id` is given out here. [`UsersError::Duplicate`] where the address is taken;
    /// [`UsersError::Invalid`] where a role does not exist.
    fn insert(&self, user: User) -> impl Future<Output = Result<User, UsersError>> + Send;

    /// Reads the user, and how `actor` stands, and does what `decide` says, all in one transaction that no other change of
    /// the same user can come between. The user before, and what was decided.
    ///
    /// [`UsersError::NotFound`], [`UsersError::Duplicate`]; [`UsersError::Invalid`] for a role that does not exist;
    /// [`UsersError::LastAdmin`] where no active admin would be left,
    /// also when two such changes race.
    fn change<F>(
        &self,
        id: UserId,
        actor: Option<UserId>,
        decide: F,
    ) -> impl Future<Output = Result<(User, Decision), UsersError>> + Send
    where
        F: FnOnce(&User, Option<Standing>) -> Result<Decision, UsersError> + Send;

    /// Puts `new` in the place of `old`, unless the password was changed in the meantime. Not a change of the user: the same
    /// password, hashed anew.
    fn rehash(
        &self,
        id: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> impl Future<Output = Result<(), UsersError>> + Send;
}
