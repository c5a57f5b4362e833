//! Users of another system, many at once: only ever created, never changed, so that no import takes away an admin.

use std::{collections::BTreeSet, future::Future};

use contract::{Email, Role, Secret, UserId};

use super::{
    access::Actor,
    change::name_fault,
    error::UsersError,
    password::{ImportedHash, PasswordHash},
    roles::{admins_alone, still_admin},
    store::Standing,
    user::{User, with_user_role},
    users::Users,
};

/// A user as another system knows it.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The address.
    pub email: String,
    /// The hash of the password.
    pub password_hash: Option<Secret>,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// Whether the user may sign in.
    pub is_active: bool,
    /// The roles.
    pub roles: Vec<String>,
    /// Whether the user must set another password at the first sign-in.
    pub must_change_password: bool,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// The user is created; without an id where it only would be.
    Created(Option<UserId>),
    /// A user with this address is there.
    Exists(UserId),
    /// It does not fit, for this reason. No part of a hash is repeated in it.
    Refused(String),
}

/// Keeps many users at once.
pub trait ImportStore: Send + Sync + 'static {
    /// Adds the users whose address is not taken, in one transaction, in which `permit` is asked how `actor` stands. With
    /// `dry_run` nothing stays. A user with a role that does not exist is refused alone.
    fn import(
        &self,
        users: Vec<User>,
        actor: Option<UserId>,
        permit: impl FnOnce(Option<Standing>) -> Result<(), UsersError> + Send,
        dry_run: bool,
    ) -> impl Future<Output = Result<Vec<Imported>, UsersError>> + Send;
}

impl<S: ImportStore> Users<S> {
    /// Imports users; what became of each, in their order.
    ///
    /// # Errors
    /// Not for this actor; the store. No row is imported then.
    pub async fn import(
        &self,
        actor: Actor,
        rows: Vec<Row>,
        dry_run: bool,
    ) -> Result<Vec<Imported>, UsersError> {
        admins_alone(actor)?;
        let read: Vec<Result<User, String>> = rows.into_iter().map(|row| self.read(row)).collect();
        let users = read.iter().filter_map(|user| user.as_ref().ok().cloned()).collect();
        let mut imported =
            self.store.import(users, actor.user(), still_admin(actor), dry_run).await?.into_iter();
        let missing = || UsersError::Failed("an imported row has no outcome".to_owned());
        read.into_iter()
            .map(|user| match user {
                Ok(_) => imported.next().ok_or_else(missing),
                Err(reason) => Ok(Imported::Refused(reason)),
            })
            .collect()
    }

    /// The user of a row, or what is wrong with it.
    fn read(&self, row: Row) -> Result<User, String> {
        let email: Email = row.email.parse().map_err(|error| format!("email {error}"))?;
        for (field, name) in [("first_name", &row.first_name), ("last_name", &row.last_name)] {
            if let Some(fault) = name.as_deref().and_then(name_fault) {
                return Err(format!("{field} {fault}"));
            }
        }
        let roles: Result<BTreeSet<Role>, _> = row.roles.iter().map(|role| role.parse::<Role>()).collect();
        let roles = roles.map_err(|error| format!("roles: one {error}"))?;
        let password_hash = match row.password_hash {
            None => PasswordHash::none(),
            Some(hash) => {
                let hash = hash.expose().parse::<ImportedHash>();
                hash.map_err(|fault| format!("password_hash {fault}"))?.into()
            }
        };
        let now = (self.now)();
        Ok(User {
            id: UserId(0),
            // An admin vouches for the addresses that they bring.
            verified_email: Some(email.canonical().to_owned()),
            email,
            is_active: row.is_active,
            first_name: row.first_name,
            last_name: row.last_name,
            roles: with_user_role(roles),
            password_hash,
            must_change_password: row.must_change_password,
            epoch: 1,
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }
}
