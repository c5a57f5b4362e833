//! Creating a user once, however often the same request comes.
//!
//! What a key was used for is kept as a fingerprint of the request **without** its password, and beside it the slow hash that
//! the new user got: a fast hash of the whole request would let whoever has the table guess the password at its speed, with or
//! without a salt. A repeated request is held against both. So that nobody guesses passwords by repeating, a key can be
//! repeated a bounded number of times.

use std::{future::Future, time::Duration};

use contract::Timestamp;

use super::{
    access::Actor,
    change::NewAccount,
    error::UsersError,
    password::{PasswordHash, Verdict},
    store::UserStore,
    user::User,
    users::Users,
};

/// How long a key is remembered.
pub const KEPT: Duration = Duration::from_hours(24);

/// How often the request of one key can be repeated.
pub const MOST_REPEATS: i32 = 20;

/// A request that names itself.
#[derive(Debug, Clone)]
pub struct Once {
    /// Who sends it: keys of others are others.
    pub caller: String,
    /// The key.
    pub key: String,
    /// Of the request without its password.
    pub fingerprint: [u8; 32],
    /// What to answer, to be kept: how the user is written down.
    pub answer: fn(&User) -> String,
}

/// What is kept of a request.
#[derive(Debug, Clone)]
pub struct KeptRequest {
    /// Of the request without its password.
    pub fingerprint: Vec<u8>,
    /// Of the password that was sent; `None` where the user is deleted.
    pub password_hash: Option<PasswordHash>,
    /// What was answered; `None` where the user is deleted.
    pub answer: Option<String>,
    /// How often it was repeated, this time included.
    pub repeats: i32,
}

/// What came of a request that names itself.
#[derive(Debug, Clone)]
pub enum CreatedOnce {
    /// The user is created now.
    Now(User),
    /// It was created before; this was answered then.
    Before(String),
}

/// Keeps keys.
pub trait OnceStore: Send + Sync + 'static {
    /// What is kept of the key, if it was used after `since`; counts a repeat.
    fn repeat(
        &self,
        once: &Once,
        since: Timestamp,
    ) -> impl Future<Output = Result<Option<KeptRequest>, UsersError>> + Send;

    /// Adds a user, and the key with it, in one transaction. [`UsersError::KeyTaken`] where the key was used after `since`, or
    /// is being used right now.
    fn insert_once(
        &self,
        user: User,
        once: &Once,
        since: Timestamp,
    ) -> impl Future<Output = Result<User, UsersError>> + Send;

    /// Forgets the keys that were used before `until`; how many.
    fn purge_keys(&self, until: Timestamp) -> impl Future<Output = Result<u64, UsersError>> + Send;
}

impl<S: UserStore + OnceStore> Users<S> {
    /// Creates a user, unless this very request has done so before.
    ///
    /// # Errors
    /// As [`Users::create`]; [`UsersError::KeyReused`] for another request under the same key;
    /// [`UsersError::KeyExhausted`], [`UsersError::CreatedUserGone`].
    pub async fn create_once(
        &self,
        actor: Actor,
        account: NewAccount,
        once: Once,
    ) -> Result<CreatedOnce, UsersError> {
        self.rules.may_create(actor)?;
        let since = forgotten_until((self.now)())
            .ok_or_else(|| UsersError::Failed("the clock is out of range".to_owned()))?;
        let password = account.password.clone();
        if let Some(answer) = self.repeated(&once, &password, since).await? {
            return Ok(CreatedOnce::Before(answer));
        }
        let user = self.prepare(actor, account).await?;
        match self.store.insert_once(user, &once, since).await {
            // The same request was faster, and is done now.
            Err(UsersError::KeyTaken) => match self.repeated(&once, &password, since).await? {
                Some(answer) => Ok(CreatedOnce::Before(answer)),
                None => Err(UsersError::KeyTaken),
            },
            created => created.map(CreatedOnce::Now),
        }
    }

    /// What was answered to the same request before.
    async fn repeated(
        &self,
        once: &Once,
        password: &contract::Secret,
        since: Timestamp,
    ) -> Result<Option<String>, UsersError> {
        let Some(kept) = self.store.repeat(once, since).await? else { return Ok(None) };
        if kept.fingerprint != once.fingerprint {
            return Err(UsersError::KeyReused);
        }
        if kept.repeats > MOST_REPEATS {
            return Err(UsersError::KeyExhausted);
        }
        let (Some(hash), Some(answer)) = (kept.password_hash, kept.answer) else {
            return Err(UsersError::CreatedUserGone);
        };
        match self.passwords.verify(password, Some(&hash)).await? {
            Verdict::Wrong => Err(UsersError::KeyReused),
            Verdict::Right | Verdict::RightAndRehashed(_) => Ok(Some(answer)),
        }
    }
}

/// Keys used up to this moment are forgotten.
#[must_use]
pub fn forgotten_until(now: Timestamp) -> Option<Timestamp> {
    Timestamp::from_microseconds(now.microseconds() - i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX))
}
