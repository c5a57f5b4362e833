//! The roles that there are: `admin` and `user`, and those of the operator's own.

use std::future::Future;

use poem_openapi::{ApiResponse, Object, OpenApi, Tags, param::Path};
use serde::{Deserialize, Serialize};

use super::types::{Clearable, Nullable};
use crate::{
    Caller, Problem, Role, Timestamp, caller::CallerOf, document::Policy, operation::Access, payload::Json,
};

/// A role that users can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct KnownRole {
    /// Its name, in tokens too.
    pub name: Role,
    /// What it is for, for people.
    #[oai(validator(max_length = 255))]
    pub description: Nullable<String>,
    /// Whether it belongs to the platform and stays.
    pub built_in: bool,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A role to create.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
pub struct NewRole {
    /// Its name.
    pub name: Role,
    /// What it is for, for people.
    #[serde(default)]
    #[oai(validator(max_length = 255))]
    pub description: Clearable<String>,
}

/// What each operation needs.
#[must_use]
pub fn policies() -> Vec<Policy> {
    let admins = || Access::Role(Role::ADMIN);
    vec![
        Policy::new("list_roles", admins(), &[]).scope("roles:read"),
        Policy::new("create_role", admins(), &[409]).scope("roles:write").recent(),
        Policy::new("get_role", admins(), &[404]).scope("roles:read"),
        Policy::new("delete_role", admins(), &[404, 409]).scope("roles:write").recent(),
    ]
}

#[derive(Tags)]
enum Tag {
    /// What users may do.
    Roles,
}

#[derive(ApiResponse)]
enum Created {
    /// The role is created
    #[oai(status = 201)]
    Created(
        Json<KnownRole>,
        /// Where the role is found
        #[oai(header = "Location")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Deleted {
    /// The role is deleted
    #[oai(status = 204)]
    NoContent,
}

/// What the users service does with roles. Each method answers the operation of the same name in [`RolesApi`].
pub trait RolesPort: Send + Sync + 'static {
    /// Lists all roles, by name.
    fn list_roles(&self, caller: &Caller) -> impl Future<Output = Result<Vec<KnownRole>, Problem>> + Send;

    /// Creates a role; 409 where it exists.
    fn create_role(
        &self,
        caller: &Caller,
        role: NewRole,
    ) -> impl Future<Output = Result<KnownRole, Problem>> + Send;

    /// Fetches a role.
    fn get_role(
        &self,
        caller: &Caller,
        name: Role,
    ) -> impl Future<Output = Result<KnownRole, Problem>> + Send;

    /// Deletes a role; 409 where it is built in, or somebody has it.
    fn delete_role(&self, caller: &Caller, name: Role) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// The operations on roles over whatever implements them.
pub struct RolesApi<P> {
    port: P,
}

impl<P> RolesApi<P> {
    /// The operations, answered by `port`.
    pub fn new(port: P) -> Self {
        Self { port }
    }
}

#[OpenApi]
impl<P: RolesPort> RolesApi<P> {
    /// List roles
    ///
    /// All of them, by name.
    #[oai(path = "/api_v1/roles", method = "get", operation_id = "list_roles", tag = "Tag::Roles")]
    async fn list_roles(&self, caller: CallerOf) -> Result<Json<Vec<KnownRole>>, Problem> {
        self.port.list_roles(&caller.0).await.map(Json)
    }

    /// Create a role
    ///
    /// Users can have it from then on; what it allows is for services to say.
    #[oai(path = "/api_v1/roles", method = "post", operation_id = "create_role", tag = "Tag::Roles")]
    async fn create_role(&self, caller: CallerOf, body: Json<NewRole>) -> Result<Created, Problem> {
        let role = self.port.create_role(&caller.0, body.0).await?;
        let location = format!("/api_v1/roles/{}", role.name);
        Ok(Created::Created(Json(role), location))
    }

    /// Fetch a role
    #[oai(path = "/api_v1/roles/:name", method = "get", operation_id = "get_role", tag = "Tag::Roles")]
    async fn get_role(
        &self,
        caller: CallerOf,
        /// The role's name
        name: Path<Role>,
    ) -> Result<Json<KnownRole>, Problem> {
        self.port.get_role(&caller.0, name.0).await.map(Json)
    }

    /// Delete a role
    ///
    /// Not one that somebody has (409): take it from its users first. `admin` and `user` stay.
    #[oai(path = "/api_v1/roles/:name", method = "delete", operation_id = "delete_role", tag = "Tag::Roles")]
    async fn delete_role(
        &self,
        caller: CallerOf,
        /// The role's name
        name: Path<Role>,
    ) -> Result<Deleted, Problem> {
        self.port.delete_role(&caller.0, name.0).await?;
        Ok(Deleted::NoContent)
    }
}
