//! Roles, between the wire and the domain.

use contract::{
    Caller, Problem, Role,
    users::{
        RolesPort,
        roles::{KnownRole as WireRole, NewRole},
        types::Nullable,
    },
};

use super::{Api, problem};
use crate::domain::{Actor, roles::KnownRole};

impl RolesPort for Api {
    async fn list_roles(&self, caller: &Caller) -> Result<Vec<WireRole>, Problem> {
        let roles = self.users.list_roles(Actor::of(caller)).await.map_err(problem::of)?;
        Ok(roles.into_iter().map(wire).collect())
    }

    async fn create_role(&self, caller: &Caller, role: NewRole) -> Result<WireRole, Problem> {
        let NewRole { name, description } = role;
        let created = self.users.create_role(Actor::of(caller), name, description.value()).await;
        created.map(wire).map_err(problem::of)
    }

    async fn get_role(&self, caller: &Caller, name: Role) -> Result<WireRole, Problem> {
        self.users.get_role(Actor::of(caller), &name).await.map(wire).map_err(problem::of)
    }

    async fn delete_role(&self, caller: &Caller, name: Role) -> Result<(), Problem> {
        self.users.delete_role(Actor::of(caller), &name).await.map_err(problem::of)
    }
}

fn wire(role: KnownRole) -> WireRole {
    WireRole {
        built_in: role.is_built_in(),
        name: role.name,
        description: Nullable(role.description),
        created_at: role.created_at,
    }
}
