//! Many users in one transaction.

use std::collections::BTreeSet;

use contract::{Role, UserId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::{
    SqlStore,
    entity::{known_role, user},
    failed, insert_roles, roles, row, unavailable,
};
use crate::domain::{
    Standing, User, UsersError,
    import::{ImportStore, Imported},
    roles::of_the_operator,
};

/// Two imports that bring the same users in another order would wait for each other's rows for good: on PostgreSQL they queue
/// behind this advisory lock ("import" in ASCII).
const IMPORT_LOCK: i64 = 0x696d_706f_7274;

impl ImportStore for SqlStore {
    async fn import(
        &self,
        users: Vec<User>,
        actor: Option<UserId>,
        permit: impl FnOnce(Option<Standing>) -> Result<(), UsersError> + Send,
        dry_run: bool,
    ) -> Result<Vec<Imported>, UsersError> {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        if transaction.get_database_backend() == DbBackend::Postgres {
            let lock = format!("SELECT pg_advisory_xact_lock({IMPORT_LOCK})");
            transaction.execute_unprepared(&lock).await.map_err(failed)?;
        }
        permit(roles::standing(&transaction, actor).await?)?;
        let known = known_roles(&transaction).await?;
        let mut imported = Vec::with_capacity(users.len());
        for user in users {
            imported.push(import_one(&transaction, user, &known).await?);
        }
        if dry_run {
            transaction.rollback().await.map_err(failed)?;
            let would_be = |outcome| match outcome {
                Imported::Created(_) => Imported::Created(None),
                other => other,
            };
            return Ok(imported.into_iter().map(would_be).collect());
        }
        transaction.commit().await.map_err(failed)?;
        Ok(imported)
    }
}

/// The names of all roles, which stay until this transaction ends.
async fn known_roles(transaction: &DatabaseTransaction) -> Result<BTreeSet<String>, UsersError> {
    let mut query = known_role::Entity::find()
        .select_only()
        .column(known_role::Column::Name)
        .order_by_asc(known_role::Column::Name);
    if transaction.get_database_backend() == DbBackend::Postgres {
        query = query.lock_shared();
    }
    let names: Vec<String> = query.into_tuple().all(transaction).await.map_err(failed)?;
    Ok(names.into_iter().collect())
}

async fn import_one(
    transaction: &DatabaseTransaction,
    mut user: User,
    known: &BTreeSet<String>,
) -> Result<Imported, UsersError> {
    let missing: Vec<String> = of_the_operator(&user.roles)
        .iter()
        .map(Role::to_string)
        .filter(|role| !known.contains(role))
        .collect();
    if !missing.is_empty() {
        return Ok(Imported::Refused(format!("roles: there is no such role: {}", missing.join(", "))));
    }
    let canonical = user.email.canonical().to_owned();
    let taken = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::EmailCanonical.eq(&canonical));
    let find = || taken.clone().into_tuple::<i64>().one(transaction);
    if let Some(id) = find().await.map_err(failed)? {
        return Ok(Imported::Exists(UserId(id)));
    }
    let mut new = row::columns(&user);
    new.created_at = Set(user.created_at.microseconds());
    // Somebody may register with the address right now: a violation would void the whole transaction on PostgreSQL.
    let conflict =
        sea_orm::sea_query::OnConflict::column(user::Column::EmailCanonical).do_nothing().to_owned();
    let inserted = user::Entity::insert(new).on_conflict(conflict).exec_without_returning(transaction).await;
    let inserted = inserted.map_err(failed)?;
    let id = find()
        .await
        .map_err(failed)?
        .ok_or_else(|| UsersError::Failed("an imported user is neither created nor there".to_owned()))?;
    if inserted == 0 {
        return Ok(Imported::Exists(UserId(id)));
    }
    user.id = UserId(id);
    insert_roles(transaction, &user).await?;
    Ok(Imported::Created(Some(user.id)))
}
