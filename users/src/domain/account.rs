//! What a user does by a link sent to their address: the gateway keeps the links, and asks for these once one was followed.

use contract::{Email, Secret, UserId};

use super::{
    change::Changes,
    error::UsersError,
    password::Owner,
    store::{Decision, UserStore},
    user::User,
    users::{Changed, Users},
};

impl<S: UserStore> Users<S> {
    /// The user with this address.
    ///
    /// # Errors
    /// [`UsersError::NotFound`]; the store.
    pub async fn find_by_email(&self, email: &Email) -> Result<User, UsersError> {
        self.store.find_by_email(email).await?.ok_or(UsersError::NotFound)
    }

    /// Sets the password of a user who followed a link sent to `address`, which proves the address too. All sessions end.
    ///
    /// # Errors
    /// [`UsersError::NotFound`]; [`UsersError::Inactive`]; [`UsersError::Stale`] where the address is another by now; a
    /// password that is not good enough; the store.
    pub async fn reset_password(
        &self,
        id: UserId,
        password: &Secret,
        address: &Email,
    ) -> Result<Changed, UsersError> {
        let user = self.store.find(id).await?.ok_or(UsersError::NotFound)?;
        may_follow(&user, address)?;
        let owner = Owner { email: user.email.clone(), names: user.names() };
        let hash = self.passwords.hash(password, owner).await?;
        let now = (self.now)();
        let decide = |user: &User, _| {
            may_follow(user, address)?;
            Ok(Changes::default().apply(user, Some(hash), now).map_or(Decision::Keep, |mut after| {
                after.verified_email = Some(address.canonical().to_owned());
                Decision::Replace(Box::new(after))
            }))
        };
        let user = self.decided(id, decide).await?;
        Ok(Changed { sessions_ended: true, ..Changed::unchanged(user) })
    }

    /// Notes that a user followed a link sent to `address`.
    ///
    /// # Errors
    /// As [`Users::reset_password`].
    pub async fn verify_address(&self, id: UserId, address: &Email) -> Result<User, UsersError> {
        let now = (self.now)();
        let decide = |user: &User, _| {
            may_follow(user, address)?;
            if user.email_verified() {
                return Ok(Decision::Keep);
            }
            let mut after = user.clone();
            after.verified_email = Some(address.canonical().to_owned());
            after.version += 1;
            after.updated_at = now;
            Ok(Decision::Replace(Box::new(after)))
        };
        self.decided(id, decide).await
    }

    async fn decided(
        &self,
        id: UserId,
        decide: impl FnOnce(&User, Option<super::store::Standing>) -> Result<Decision, UsersError> + Send,
    ) -> Result<User, UsersError> {
        let (before, decision) = self.store.change(id, None, decide).await?;
        Ok(match decision {
            Decision::Replace(after) => *after,
            Decision::Keep | Decision::Delete => before,
        })
    }
}

/// A link is good for the address it was sent to, while its user may sign in.
fn may_follow(user: &User, address: &Email) -> Result<(), UsersError> {
    if user.email != *address {
        return Err(UsersError::Stale);
    }
    if user.is_active { Ok(()) } else { Err(UsersError::Inactive) }
}
