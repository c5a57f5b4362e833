//! The table `roles`.

use contract::{Role, Timestamp, UserId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::{
    SqlStore,
    entity::{known_role, role},
    failed, find, unavailable,
};
use crate::domain::{
    Standing, UsersError,
    roles::{KnownRole, RoleStore},
};

impl RoleStore for SqlStore {
    async fn roles(&self) -> Result<Vec<KnownRole>, UsersError> {
        let rows = known_role::Entity::find()
            .order_by_asc(known_role::Column::Name)
            .all(self.database.reader())
            .await
            .map_err(failed)?;
        rows.into_iter().map(of_row).collect()
    }

    async fn role(&self, name: &Role) -> Result<Option<KnownRole>, UsersError> {
        let row = known_role::Entity::find_by_id(name.as_str())
            .one(self.database.reader())
            .await
            .map_err(failed)?;
        row.map(of_row).transpose()
    }

    async fn add_role(
        &self,
        role: &KnownRole,
        actor: Option<UserId>,
        permit: impl FnOnce(Option<Standing>) -> Result<(), UsersError> + Send,
    ) -> Result<(), UsersError> {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        permit(standing(&transaction, actor).await?)?;
        let row = known_role::ActiveModel {
            name: Set(role.name.as_str().to_owned()),
            description: Set(role.description.clone()),
            created_at: Set(role.created_at.microseconds()),
        };
        let inserted = known_role::Entity::insert(row).exec_without_returning(&transaction).await;
        inserted.map_err(|error| match failed(error) {
            UsersError::Duplicate => UsersError::DuplicateRole,
            other => other,
        })?;
        transaction.commit().await.map_err(failed)
    }

    async fn remove_role(
        &self,
        name: &Role,
        actor: Option<UserId>,
        permit: impl FnOnce(Option<Standing>) -> Result<(), UsersError> + Send,
    ) -> Result<(), UsersError> {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        permit(standing(&transaction, actor).await?)?;
        // Whoever gives the role to somebody holds its row until that is done.
        let mut query = known_role::Entity::find_by_id(name.as_str());
        if transaction.get_database_backend() == DbBackend::Postgres {
            query = query.lock_exclusive();
        }
        query.one(&transaction).await.map_err(failed)?.ok_or(UsersError::NoSuchRole)?;
        let having = role::Entity::find()
            .filter(role::Column::Role.eq(name.as_str()))
            .count(&transaction)
            .await
            .map_err(failed)?;
        if having > 0 {
            return Err(UsersError::RoleInUse(having));
        }
        known_role::Entity::delete_by_id(name.as_str()).exec(&transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }
}

/// How the acting user stands.
pub(super) async fn standing(
    connection: &impl ConnectionTrait,
    actor: Option<UserId>,
) -> Result<Option<Standing>, UsersError> {
    let Some(actor) = actor else { return Ok(None) };
    let user = find(connection, actor).await?;
    Ok(user.map(|user| Standing { is_active: user.is_active, is_admin: user.is_admin() }))
}

/// Makes sure that the roles exist, and stay until this transaction ends.
pub(super) async fn require(transaction: &DatabaseTransaction, wanted: &[Role]) -> Result<(), UsersError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let mut query = known_role::Entity::find()
        .select_only()
        .column(known_role::Column::Name)
        .filter(known_role::Column::Name.is_in(wanted.iter().map(Role::as_str)))
        // All in one order, so that two never wait for each other.
        .order_by_asc(known_role::Column::Name);
    if transaction.get_database_backend() == DbBackend::Postgres {
        query = query.lock_shared();
    }
    let found: Vec<String> = query.into_tuple().all(transaction).await.map_err(failed)?;
    let missing: Vec<String> = wanted
        .iter()
        .filter(|role| !found.iter().any(|name| name == role.as_str()))
        .map(ToString::to_string)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(UsersError::invalid("roles", format!("there is no such role: {}", missing.join(", "))))
}

fn of_row(row: known_role::Model) -> Result<KnownRole, UsersError> {
    let broken = || UsersError::Failed(format!("the row of the role {:?} can't be read", row.name));
    Ok(KnownRole {
        name: row.name.parse().map_err(|_| broken())?,
        created_at: Timestamp::from_microseconds(row.created_at).ok_or_else(broken)?,
        description: row.description,
    })
}
