//! The roles that there are.

use std::{collections::BTreeSet, future::Future};

use contract::{Role, Timestamp, UserId};

use super::{access::Actor, change::name_fault, error::UsersError, store::Standing, users::Users};

/// A role that users can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRole {
    /// Its name.
    pub name: Role,
    /// What it is for.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl KnownRole {
    /// Whether it belongs to the platform.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        is_built_in(&self.name)
    }
}

/// Whether every installation has the role.
#[must_use]
pub fn is_built_in(role: &Role) -> bool {
    [Role::ADMIN, Role::USER].contains(role)
}

/// Those of the roles that nobody gets without their being in the registry: the built-in ones always are.
#[must_use]
pub fn of_the_operator(roles: &BTreeSet<Role>) -> Vec<Role> {
    roles.iter().filter(|role| !is_built_in(role)).cloned().collect()
}

/// Keeps roles. Every method that writes does it in one transaction, in which `permit` is asked how `actor` stands.
pub trait RoleStore: Send + Sync + 'static {
    /// All roles, by name.
    fn roles(&self) -> impl Future<Output = Result<Vec<KnownRole>, UsersError>> + Send;

    /// The role of this name.
    fn role(&self, name: &Role) -> impl Future<Output = Result<Option<KnownRole>, UsersError>> + Send;

    /// Adds a role. [`UsersError::DuplicateRole`].
    fn add_role(
        &self,
        role: &KnownRole,
        actor: Option<UserId>,
        permit: impl FnOnce(Option<Standing>) -> Result<(), UsersError> + Send,
    ) -> impl Future<Output = Result<(), UsersError>> + Send;

    /// Takes a role away. [`UsersError::NoSuchRole`]; [`UsersError::RoleInUse`], also where somebody is given the role at the same
    /// time.
    fn remove_role(
        &self,
        name: &Role,
        actor: Option<UserId>,
        permit: impl FnOnce(Option<Standing>) -> Result<(), UsersError> + Send,
    ) -> impl Future<Output = Result<(), UsersError>> + Send;
}

impl<S: RoleStore> Users<S> {
    /// All roles, by name.
    ///
    /// # Errors
    /// Not for this actor; the store.
    pub async fn list_roles(&self, actor: Actor) -> Result<Vec<KnownRole>, UsersError> {
        admins_alone(actor)?;
        self.store.roles().await
    }

    /// One role.
    ///
    /// # Errors
    /// Not for this actor; no such role; the store.
    pub async fn get_role(&self, actor: Actor, name: &Role) -> Result<KnownRole, UsersError> {
        admins_alone(actor)?;
        self.store.role(name).await?.ok_or(UsersError::NoSuchRole)
    }

    /// Creates a role.
    ///
    /// # Errors
    /// Not for this actor; a description that does not fit; it exists; the store.
    pub async fn create_role(
        &self,
        actor: Actor,
        name: Role,
        description: Option<String>,
    ) -> Result<KnownRole, UsersError> {
        admins_alone(actor)?;
        if let Some(fault) = description.as_deref().and_then(name_fault) {
            return Err(UsersError::invalid("description", fault));
        }
        let role = KnownRole { name, description, created_at: (self.now)() };
        self.store.add_role(&role, actor.user(), still_admin(actor)).await?;
        Ok(role)
    }

    /// Deletes a role that nobody has.
    ///
    /// # Errors
    /// Not for this actor; no such role; it is built in, or somebody has it; the store.
    pub async fn delete_role(&self, actor: Actor, name: &Role) -> Result<(), UsersError> {
        admins_alone(actor)?;
        if is_built_in(name) {
            return Err(UsersError::BuiltInRole);
        }
        self.store.remove_role(name, actor.user(), still_admin(actor)).await
    }
}

pub(super) fn admins_alone(actor: Actor) -> Result<(), UsersError> {
    match actor {
        Actor::Anonymous => Err(UsersError::NotSignedIn),
        _ if actor.is_admin() => Ok(()),
        _ => Err(UsersError::NeedsAdmin),
    }
}

/// Refuses an actor whose token outlived its account or its role.
pub(super) fn still_admin(actor: Actor) -> impl FnOnce(Option<Standing>) -> Result<(), UsersError> + Send {
    move |standing| match standing {
        _ if actor.user().is_none() => Ok(()),
        Some(Standing { is_active: true, is_admin }) => {
            if is_admin {
                Ok(())
            } else {
                Err(UsersError::NeedsAdmin)
            }
        }
        _ => Err(UsersError::CallerGone),
    }
}
