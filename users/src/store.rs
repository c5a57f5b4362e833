//! Users in a database, SQLite or PostgreSQL. The only place that knows tables, and the only one that reads its errors.

mod entity;
mod gathered;
mod import;
mod list;
mod once;
mod roles;
mod row;

use contract::{Email, UserId};
use kit::database::{Database, DatabaseError, Held, Schema, is_duplicate};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    FromQueryResult, PaginatorTrait, QueryFilter, QueryResult, QuerySelect,
};

use self::{
    entity::{role, user},
    gathered::{Found, Gathered, ReadUsers},
    row::{Row, search_text},
};
use crate::domain::{
    Decision, Listed, Listing, Standing, User, UserStore, UsersError, password::PasswordHash,
    roles::of_the_operator,
};

/// The schema this service was built for. A test holds it against the migrations.
pub const SCHEMA: Schema = Schema {
    service: "users",
    table: "users_migrations",
    migrations: &[
        "m20261125_000001_users",
        "m20261125_000002_roles",
        "m20261125_000003_idempotency_keys",
        "m20261125_000010_verified_address",
        "m20261125_000030_search",
    ],
};

/// Changes that can take away the last active admin queue behind this advisory lock on PostgreSQL ("admins" in ASCII).
const ADMINS_LOCK: i64 = 0x6164_6d69_6e73;

/// Keeps users in a database.
#[derive(Debug, Clone)]
pub struct SqlStore {
    database: Database,
    by_id: Gathered<Rows>,
}

impl SqlStore {
    /// Over an open database whose schema is [`SCHEMA`].
    #[must_use]
    pub fn new(database: Database) -> Self {
        let by_id = Gathered::new(Rows(database.clone()), database.connections());
        Self { database, by_id }
    }

    /// Whether there is anybody who can administer: an active user with the role `admin`.
    ///
    /// # Errors
    /// As any query.
    pub async fn has_active_admin(&self) -> Result<bool, UsersError> {
        let found = active_admins().one(self.database.reader()).await.map_err(failed)?;
        Ok(found.is_some())
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }
}

impl UserStore for SqlStore {
    async fn find(&self, id: UserId) -> Result<Option<User>, UsersError> {
        self.by_id.find(id).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<User>, UsersError> {
        let query = row::select().filter(user::Column::EmailCanonical.eq(email.canonical()));
        let row = query.into_model::<Row>().one(self.database.reader()).await.map_err(failed)?;
        row.map(User::try_from).transpose()
    }

    async fn list(&self, listing: &Listing) -> Result<Listed, UsersError> {
        list::list(self.database.reader(), listing).await
    }

    async fn insert(&self, user: User) -> Result<User, UsersError> {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        let user = insert_within(&transaction, user).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(user)
    }

    async fn change<F>(
        &self,
        id: UserId,
        actor: Option<UserId>,
        decide: F,
    ) -> Result<(User, Decision), UsersError>
    where
        F: FnOnce(&User, Option<Standing>) -> Result<Decision, UsersError> + Send,
    {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        lock(&transaction, id).await?;
        let before = find(&transaction, id).await?;
        let standing = roles::standing(&transaction, actor).await?;
        let before = before.ok_or(UsersError::NotFound)?;
        let decision = decide(&before, standing)?;
        let after = match &decision {
            Decision::Keep => return Ok((before, decision)),
            Decision::Replace(after) => Some(&**after),
            Decision::Delete => None,
        };
        if before.is_active_admin() && !after.is_some_and(User::is_active_admin) {
            another_active_admin(&transaction, id).await?;
        }
        if let Some(after) = after {
            replace(&transaction, &before, after).await?;
        } else {
            once::forget(&transaction, id).await?;
            user::Entity::delete_by_id(id.0).exec(&transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok((before, decision))
    }

    async fn rehash(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<(), UsersError> {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        user::Entity::update_many()
            .set(user::ActiveModel { password_hash: Set(new.expose().to_owned()), ..Default::default() })
            .filter(user::Column::Id.eq(id.0))
            .filter(user::Column::PasswordHash.eq(old.expose()))
            .exec(&transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }
}

/// The rows of users, read where nothing is changed.
#[derive(Debug)]
struct Rows(Database);

impl ReadUsers for Rows {
    type Connection = Held;

    async fn connect(&self) -> Result<Held, UsersError> {
        self.0.hold().await.map_err(unavailable)
    }

    async fn read(&self, connection: &mut Held, ids: &[UserId]) -> Result<Found, UsersError> {
        let query = row::by_ids(self.0.backend(), ids);
        found(connection.rows(query.text, &query.parameters).await.map_err(unavailable)?)
    }
}

async fn find(connection: &impl ConnectionTrait, id: UserId) -> Result<Option<User>, UsersError> {
    let backend = connection.get_database_backend();
    let rows = connection.query_all_raw(row::by_ids(backend, &[id]).statement(backend)).await;
    found(rows.map_err(failed)?)?.remove(&id).transpose()
}

/// A row that holds no user is its own user's fault alone.
fn found(rows: Vec<QueryResult>) -> Result<Found, UsersError> {
    let read = |row: QueryResult| {
        let id = row.try_get("", "id").map(UserId).map_err(failed)?;
        Ok((id, Row::from_query_result(&row, "").map_err(failed).and_then(User::try_from)))
    };
    rows.into_iter().map(read).collect()
}

/// On PostgreSQL, makes other changes of the user wait. A statement of its own: one that waited and then read would see the
/// user's row as it is now and its roles as they were. On SQLite the transaction is alone already.
async fn lock(transaction: &DatabaseTransaction, id: UserId) -> Result<(), UsersError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let query =
            user::Entity::find().select_only().column(user::Column::Id).filter(user::Column::Id.eq(id.0));
        query.lock_exclusive().into_tuple::<i64>().one(transaction).await.map_err(failed)?;
    }
    Ok(())
}

/// Makes sure that an active admin other than `id` exists, and stays until this transaction ends: two that race, each
/// taking the other's last admin for granted, would else both succeed.
async fn another_active_admin(transaction: &DatabaseTransaction, id: UserId) -> Result<(), UsersError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let lock = format!("SELECT pg_advisory_xact_lock({ADMINS_LOCK})");
        transaction.execute_unprepared(&lock).await.map_err(failed)?;
    }
    let others =
        active_admins().filter(user::Column::Id.ne(id.0)).count(transaction).await.map_err(failed)?;
    if others == 0 { Err(UsersError::LastAdmin) } else { Ok(()) }
}

fn active_admins() -> sea_orm::Select<user::Entity> {
    user::Entity::find()
        .filter(user::Column::IsActive.eq(true))
        .filter(user::Column::Id.in_subquery(list::with_role(contract::Role::ADMIN.as_str())))
}

async fn insert_within(transaction: &DatabaseTransaction, mut user: User) -> Result<User, UsersError> {
    let mut new = row::columns(&user);
    new.created_at = Set(user.created_at.microseconds());
    roles::require(transaction, &of_the_operator(&user.roles)).await?;
    let inserted = user::Entity::insert(new).exec(transaction).await.map_err(failed)?;
    user.id = UserId(inserted.last_insert_id);
    insert_roles(transaction, &user).await?;
    Ok(user)
}

async fn replace(transaction: &DatabaseTransaction, before: &User, after: &User) -> Result<(), UsersError> {
    let new = after.roles.difference(&before.roles).cloned().collect();
    roles::require(transaction, &of_the_operator(&new)).await?;
    user::Entity::update_many()
        .set(row::columns(after))
        .filter(user::Column::Id.eq(after.id.0))
        .exec(transaction)
        .await
        .map_err(failed)?;
    if before.roles != after.roles {
        role::Entity::delete_many()
            .filter(role::Column::UserId.eq(after.id.0))
            .exec(transaction)
            .await
            .map_err(failed)?;
        insert_roles(transaction, after).await?;
    }
    Ok(())
}

async fn insert_roles(transaction: &DatabaseTransaction, user: &User) -> Result<(), UsersError> {
    let rows = user
        .roles
        .iter()
        .map(|name| role::ActiveModel { user_id: Set(user.id.0), role: Set(name.as_str().to_owned()) });
    role::Entity::insert_many(rows).exec(transaction).await.map_err(failed)?;
    Ok(())
}

/// An error of a statement. The one unique index that a statement of this module can run into is the address's.
fn failed(error: DbErr) -> UsersError {
    if is_duplicate(&error) { UsersError::Duplicate } else { unavailable(error.into()) }
}

/// An error of the database that no value of the request is to blame for.
#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn unavailable(error: DatabaseError) -> UsersError {
    if error.is_unavailable() {
        UsersError::Unavailable(error.to_string())
    } else {
        UsersError::Failed(error.to_string())
    }
}
