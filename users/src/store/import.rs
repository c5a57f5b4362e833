//! Many users in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use contract::{Role, UserId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QueryResult, QuerySelect, QueryTrait,
    sea_query::{OnConflict, Query},
};

use super::{
    SqlStore,
    entity::{known_role, role, user},
    failed, roles, row, unavailable,
};
use crate::domain::{
    Standing, User, UsersError,
    import::{ImportStore, Imported},
    roles::of_the_operator,
};

/// Two imports that bring the same users in another order would wait for each other's rows for good: on PostgreSQL they queue
/// behind this advisory lock ("import" in ASCII).
const IMPORT_LOCK: i64 = 0x696d_706f_7274;

/// How many rows one statement takes: past that, a longer one is hardly faster, and SQLite numbers 32,766 values at most.
const ROWS_A_STATEMENT: usize = 100;

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
        let imported = import_all(&transaction, users, &known).await?;
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

/// A part of the users at a time: few statements for many rows, of one text, which both databases keep prepared.
async fn import_all(
    transaction: &DatabaseTransaction,
    users: Vec<User>,
    known: &BTreeSet<String>,
) -> Result<Vec<Imported>, UsersError> {
    let mut imported = Vec::with_capacity(users.len());
    let mut users = users.into_iter();
    loop {
        let part: Vec<User> = users.by_ref().take(ROWS_A_STATEMENT).collect();
        if part.is_empty() {
            return Ok(imported);
        }
        imported.extend(import_part(transaction, part, known).await?);
    }
}

async fn import_part(
    transaction: &DatabaseTransaction,
    users: Vec<User>,
    known: &BTreeSet<String>,
) -> Result<Vec<Imported>, UsersError> {
    let addresses: Vec<&str> = users.iter().map(|user| user.email.canonical()).collect();
    let mut there = ids(transaction, &addresses).await?;
    // Of several rows with one address the first counts.
    let mut new: BTreeMap<&str, &User> = BTreeMap::new();
    let mut order = Vec::new();
    for user in &users {
        let address = user.email.canonical();
        if missing_roles(user, known).is_empty() && !there.contains_key(address) && !new.contains_key(address)
        {
            new.insert(address, user);
            order.push(user);
        }
    }
    let mut created = insert(transaction, &order).await?;
    let roles = created.iter().filter_map(|(address, id)| Some((*id, *new.get(address.as_str())?)));
    insert_roles_of(transaction, roles).await?;
    // Whoever registered with one of the addresses meanwhile has it.
    let lost: Vec<&str> = new.keys().copied().filter(|address| !created.contains_key(*address)).collect();
    there.extend(ids(transaction, &lost).await?);
    users
        .iter()
        .map(|user| {
            let missing = missing_roles(user, known);
            if !missing.is_empty() {
                return Ok(Imported::Refused(format!(
                    "roles: there is no such role: {}",
                    missing.join(", ")
                )));
            }
            let address = user.email.canonical();
            if let Some(id) = created.remove(address) {
                there.insert(address.to_owned(), id);
                return Ok(Imported::Created(Some(UserId(id))));
            }
            there
                .get(address)
                .map(|id| Imported::Exists(UserId(*id)))
                .ok_or_else(|| UsersError::Failed("an imported user is neither created nor there".to_owned()))
        })
        .collect()
}

fn missing_roles(user: &User, known: &BTreeSet<String>) -> Vec<String> {
    of_the_operator(&user.roles).iter().map(Role::to_string).filter(|role| !known.contains(role)).collect()
}

/// Who has these addresses.
async fn ids(
    transaction: &DatabaseTransaction,
    addresses: &[&str],
) -> Result<BTreeMap<String, i64>, UsersError> {
    if addresses.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = user::Entity::find()
        .select_only()
        .column(user::Column::EmailCanonical)
        .column(user::Column::Id)
        .filter(user::Column::EmailCanonical.is_in(addresses.iter().copied()));
    let found: Vec<(String, i64)> = query.into_tuple().all(transaction).await.map_err(failed)?;
    Ok(found.into_iter().collect())
}

/// Adds the users whose address is free; their addresses and ids. Somebody may register with one right now: a violation would
/// void the whole transaction on PostgreSQL.
async fn insert(
    transaction: &DatabaseTransaction,
    users: &[&User],
) -> Result<BTreeMap<String, i64>, UsersError> {
    if users.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = users.iter().map(|user| {
        let mut new = row::columns(user);
        new.created_at = Set(user.created_at.microseconds());
        new
    });
    let mut statement = user::Entity::insert_many(rows).into_query();
    statement.on_conflict(OnConflict::column(user::Column::EmailCanonical).do_nothing().to_owned());
    statement.returning(Query::returning().columns([user::Column::EmailCanonical, user::Column::Id]));
    let inserted = transaction.query_all(&statement).await.map_err(failed)?;
    let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    inserted.iter().map(read).collect::<Result<_, DbErr>>().map_err(failed)
}

async fn insert_roles_of(
    transaction: &DatabaseTransaction,
    users: impl Iterator<Item = (i64, &User)>,
) -> Result<(), UsersError> {
    let rows: Vec<role::ActiveModel> = users
        .flat_map(|(id, user)| {
            let of_one = move |name: &Role| role::ActiveModel {
                user_id: Set(id),
                role: Set(name.as_str().to_owned()),
            };
            user.roles.iter().map(of_one)
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    role::Entity::insert_many(rows).exec_without_returning(transaction).await.map_err(failed)?;
    Ok(())
}
