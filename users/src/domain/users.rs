//! The operations on users: who may, what must hold, what comes of it.

use contract::{Email, Secret, Timestamp, UserId};

use super::{
    access::{Actor, Rules, refuse_fields},
    change::{Changes, NewAccount, Precondition},
    cursor::Cursor,
    error::UsersError,
    listing::Listing,
    password::{Owner, PasswordHash, Passwords, Verdict, is_same_password},
    store::{Decision, Standing, UserStore},
    user::{User, with_user_role},
};

/// A user after an operation, and what ended with it.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The user as it is now.
    pub user: User,
    /// Every session of the user is void.
    pub sessions_ended: bool,
    /// Access tokens of the user carry roles that it no longer has, or lack some it has.
    pub tokens_ended: bool,
    /// The address is another than before.
    pub address_changed: bool,
    /// The address until then, and whether it was proved.
    pub address_left: Option<(Email, bool)>,
}

impl Changed {
    /// A user that stayed as it was.
    #[must_use]
    pub fn unchanged(user: User) -> Self {
        Self { user, sessions_ended: false, tokens_ended: false, address_changed: false, address_left: None }
    }
}

/// A page of users.
#[derive(Debug)]
pub struct Page {
    /// The users.
    pub users: Vec<User>,
    /// How many the filters let through in all.
    pub total: u64,
    /// The cursor of the page after.
    pub next: Option<String>,
}

/// What is made ready before a change.
#[derive(Debug, Default)]
struct Prepared {
    /// Of the new password.
    hash: Option<PasswordHash>,
    /// The epoch of the user whose current password was checked.
    checked: Option<i64>,
}

/// The operations on users.
#[derive(Debug, Clone)]
pub struct Users<S> {
    pub(super) store: S,
    pub(super) passwords: Passwords,
    pub(super) rules: Rules,
    pub(super) now: fn() -> Timestamp,
}

impl<S> Users<S> {
    /// Over a store, with these rules and this clock.
    #[must_use]
    pub fn new(store: S, passwords: Passwords, rules: Rules, now: fn() -> Timestamp) -> Self {
        Self { store, passwords, rules, now }
    }
}

impl<S: UserStore> Users<S> {
    /// One page of users.
    ///
    /// # Errors
    /// Not for this actor; the store.
    pub async fn list(&self, actor: Actor, listing: Listing) -> Result<Page, UsersError> {
        self.rules.may_list(actor)?;
        let listed = self.store.list(&listing).await?;
        let next = listed.users.last().filter(|_| listed.more).map(|last| {
            Cursor::after(last, &listing.order, listed.total).encode(&listing.filters, &listing.order)
        });
        Ok(Page { users: listed.users, total: listed.total, next })
    }

    /// One user.
    ///
    /// # Errors
    /// Not for this actor; no such user; the store.
    pub async fn get(&self, actor: Actor, id: UserId) -> Result<User, UsersError> {
        self.rules.may_read(actor, id)?;
        let own = actor.user() == Some(id);
        match self.store.find(id).await? {
            Some(user) if own && !user.is_active => Err(UsersError::CallerGone),
            Some(user) => Ok(user),
            None if own => Err(UsersError::CallerGone),
            None => Err(UsersError::NotFound),
        }
    }

    /// Creates a user.
    ///
    /// # Errors
    /// Not for this actor; values that do not fit; the address is taken; the store.
    pub async fn create(&self, actor: Actor, account: NewAccount) -> Result<User, UsersError> {
        let user = self.prepare(actor, account).await?;
        self.store.insert(user).await
    }

    /// The user that an account makes, not yet kept.
    pub(super) async fn prepare(&self, actor: Actor, account: NewAccount) -> Result<User, UsersError> {
        self.rules.may_create(actor)?;
        let NewAccount { email, password, changes } = account;
        refuse_fields(actor, &changes, None)?;
        changes.check_names()?;
        let first_name = changes.first_name.over(None);
        let last_name = changes.last_name.over(None);
        let names = [&first_name, &last_name].into_iter().flatten().cloned().collect();
        let password_hash = self.passwords.hash(&password, Owner { email: email.clone(), names }).await?;
        let now = (self.now)();
        // An admin vouches for the addresses that they set.
        let verified_email = actor.is_admin().then(|| email.canonical().to_owned());
        Ok(User {
            id: UserId(0),
            email,
            is_active: changes.is_active.unwrap_or(true),
            first_name,
            last_name,
            roles: with_user_role(changes.roles.unwrap_or_default()),
            password_hash,
            must_change_password: changes.must_change_password.unwrap_or(false),
            verified_email,
            epoch: 1,
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// Changes a user.
    ///
    /// # Errors
    /// Not for this actor, this field or this password; no such user; another version; values that do not fit; the address
    /// is taken; the last admin; the store.
    pub async fn update(
        &self,
        actor: Actor,
        id: UserId,
        mut changes: Changes,
        precondition: Precondition,
    ) -> Result<Changed, UsersError> {
        self.rules.may_change(actor, id)?;
        changes.check_names()?;
        if changes.password.is_some() && changes.must_change_password.is_none() {
            changes.must_change_password = self.rules.marks_password(actor, id).then_some(true);
        }
        let Prepared { hash, checked } = if changes.password.is_some() || changes.email.is_some() {
            self.prepare_change(actor, id, &changes, &precondition).await?
        } else {
            Prepared::default()
        };
        let now = (self.now)();
        let decide = |user: &User, standing: Option<Standing>| {
            check_standing(actor, user, standing)?;
            precondition.check(user)?;
            refuse_fields(actor, &changes, Some(user))?;
            // The password that was checked must still be the one that is changed. Its hash may be another by now: a sign-in
            // hashes an imported one anew, and leaves the epoch.
            if checked.is_some_and(|epoch| epoch != user.epoch) {
                return Err(UsersError::Stale);
            }
            // It was the user's address when it was asked whether it needs the password, and is another one by now.
            if changes.moves(user) && checked.is_none() && self.rules.needs_current_password(actor, id) {
                return Err(UsersError::Stale);
            }
            Ok(changes.apply(user, hash.clone(), now).map_or(Decision::Keep, |mut after| {
                if actor.is_admin() && changes.email.is_some() {
                    after.verified_email = Some(after.email.canonical().to_owned());
                } else if after.email != user.email {
                    after.verified_email.get_or_insert_default();
                }
                Decision::Replace(Box::new(after))
            }))
        };
        let outcome = self.store.change(id, other(actor, id), decide).await;
        let (before, decision) = outcome.map_err(|error| gone(actor, id, error))?;
        let Decision::Replace(after) = decision else {
            return Ok(Changed::unchanged(before));
        };
        Ok(Changed {
            sessions_ended: after.epoch != before.epoch,
            tokens_ended: after.roles != before.roles,
            address_changed: after.email != before.email,
            address_left: (after.email != before.email)
                .then(|| (before.email.clone(), before.email_verified())),
            user: *after,
        })
    }

    /// Hashes a new password, and checks the current one where it is needed. Before any transaction: a hash takes longer than a
    /// write lock should be held.
    async fn prepare_change(
        &self,
        actor: Actor,
        id: UserId,
        changes: &Changes,
        precondition: &Precondition,
    ) -> Result<Prepared, UsersError> {
        let own = actor.user() == Some(id);
        let missing = if own { UsersError::CallerGone } else { UsersError::NotFound };
        let user = self.store.find(id).await?.ok_or(missing)?;
        precondition.check(&user)?;
        refuse_fields(actor, changes, Some(&user))?;
        let checked = self.check_current(actor, &user, changes).await?;
        let Some(password) = &changes.password else { return Ok(Prepared { hash: None, checked }) };
        let email = changes.email.clone().unwrap_or_else(|| user.email.clone());
        let names = [
            changes.first_name.over(user.first_name.as_ref()),
            changes.last_name.over(user.last_name.as_ref()),
        ];
        let owner = Owner { email, names: names.into_iter().flatten().collect() };
        Ok(Prepared { hash: Some(self.passwords.hash(password, owner).await?), checked })
    }

    /// The user's epoch, where the current password had to be checked, and is right.
    async fn check_current(
        &self,
        actor: Actor,
        user: &User,
        changes: &Changes,
    ) -> Result<Option<i64>, UsersError> {
        // Whoever has the address can have the password set anew.
        let missing = match (&changes.password, changes.moves(user)) {
            (Some(_), _) => "current_password is needed to change the password",
            (None, true) => "current_password is needed to change the address",
            (None, false) => return Ok(None),
        };
        match &changes.current_password {
            None if self.rules.needs_current_password(actor, user.id) => {
                Err(UsersError::CurrentPassword(missing))
            }
            Some(current) if actor.user() == Some(user.id) => {
                match self.passwords.verify(current, Some(&user.password_hash)).await? {
                    Verdict::Wrong => Err(UsersError::CurrentPassword("current_password is not right")),
                    Verdict::Right | Verdict::RightAndRehashed(_) => Ok(Some(user.epoch)),
                }
            }
            _ => Ok(None),
        }
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// Not for this actor; no such user; another version; the last admin; the store.
    pub async fn delete(
        &self,
        actor: Actor,
        id: UserId,
        precondition: Precondition,
    ) -> Result<(), UsersError> {
        self.rules.may_change(actor, id)?;
        let decide = |user: &User, standing: Option<Standing>| {
            check_standing(actor, user, standing)?;
            precondition.check(user)?;
            Ok(Decision::Delete)
        };
        self.store.change(id, other(actor, id), decide).await.map_err(|error| gone(actor, id, error))?;
        Ok(())
    }

    /// Whose address and password these are.
    ///
    /// # Errors
    /// [`UsersError::IncorrectCredentials`], after the same time for an unknown address as for a wrong password;
    /// [`UsersError::Inactive`] where the password is right; the store.
    pub async fn authenticate(&self, email: &str, password: &Secret) -> Result<User, UsersError> {
        let found = match email.parse::<Email>() {
            Ok(email) => self.store.find_by_email(&email).await?,
            Err(_) => None,
        };
        let hash = found.as_ref().map(|user| &user.password_hash);
        let verdict = self.passwords.verify(password, hash).await?;
        let Some(user) = found else { return Err(UsersError::IncorrectCredentials) };
        match verdict {
            Verdict::Wrong => return Err(UsersError::IncorrectCredentials),
            _ if !user.is_active => return Err(UsersError::Inactive),
            Verdict::Right => {}
            Verdict::RightAndRehashed(new) => {
                // The sign-in is good either way; the next one tries again.
                if let Err(error) = self.store.rehash(user.id, &user.password_hash, &new).await {
                    tracing::warn!(user = user.id.0, %error, "a password could not be hashed anew");
                }
            }
        }
        Ok(user)
    }

    /// Puts a new password in the place of one that is known, also where the user must do so before anything else.
    ///
    /// # Errors
    /// As [`Users::authenticate`]; [`UsersError::Invalid`] for a new password that is not good enough, or is the old one.
    pub async fn change_password(
        &self,
        email: &str,
        password: &Secret,
        new: &Secret,
    ) -> Result<User, UsersError> {
        let user = self.authenticate(email, password).await?;
        if is_same_password(password, new) {
            return Err(UsersError::invalid("new_password", "must not be the password until now"));
        }
        let owner = Owner { email: user.email.clone(), names: user.names() };
        let hash = self.passwords.hash(new, owner).await.map_err(|error| error.of_field("new_password"))?;
        let (now, checked) = ((self.now)(), user.epoch);
        let decide = |user: &User, _: Option<Standing>| {
            if !user.is_active {
                return Err(UsersError::Inactive);
            }
            // Another change came first: the password that was checked is not the one that would be replaced.
            if user.epoch != checked {
                return Err(UsersError::IncorrectCredentials);
            }
            let after = Changes::default().apply(user, Some(hash.clone()), now);
            Ok(after.map_or(Decision::Keep, |after| Decision::Replace(Box::new(after))))
        };
        match self.store.change(user.id, None, decide).await {
            Ok((_, Decision::Replace(after))) => Ok(*after),
            Ok((before, _)) => Ok(before),
            Err(UsersError::NotFound) => Err(UsersError::IncorrectCredentials),
            Err(error) => Err(error),
        }
    }

    /// How a user stands now, for the gateway.
    ///
    /// # Errors
    /// No such user; the store.
    pub async fn identify(&self, id: UserId) -> Result<User, UsersError> {
        self.store.find(id).await?.ok_or(UsersError::NotFound)
    }
}

/// The acting user, where it is not the one that is changed.
fn other(actor: Actor, id: UserId) -> Option<UserId> {
    actor.user().filter(|actor| *actor != id)
}

/// A user that is not there any more and is the caller itself: the token is void, not the request.
fn gone(actor: Actor, id: UserId, error: UsersError) -> UsersError {
    match error {
        UsersError::NotFound if actor.user() == Some(id) => UsersError::CallerGone,
        other => other,
    }
}

/// Refuses an actor whose token outlived its account or its role: what the token says was true when it was made.
fn check_standing(actor: Actor, user: &User, standing: Option<Standing>) -> Result<(), UsersError> {
    let standing = match actor.user() {
        None => return Ok(()),
        Some(id) if id == user.id => Standing { is_active: user.is_active, is_admin: user.is_admin() },
        Some(_) => standing.unwrap_or(Standing { is_active: false, is_admin: false }),
    };
    if !standing.is_active {
        return Err(UsersError::CallerGone);
    }
    if actor.is_admin() && !standing.is_admin {
        return Err(UsersError::NeedsAdmin);
    }
    Ok(())
}
