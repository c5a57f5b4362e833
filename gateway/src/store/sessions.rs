//! The table `sessions`: one row a sign-in, however often its refresh token is rotated.

use contract::{SessionId, Timestamp, UserId};
use kit::database::{Database, DatabaseError};
use sea_orm::{
    ActiveValue::Set,
    Condition, ConnectionTrait, DatabaseTransaction, DbBackend, PaginatorTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, LockType},
};

use crate::identity::rotation::Rotation;

/// A session as it is stored. Times are in microseconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct StoredSession {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) epoch: i64,
    pub(crate) rotation: Rotation,
    pub(crate) salt: Vec<u8>,
    pub(crate) second_factor: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: i64,
    pub(crate) absolute_expires_at: i64,
    pub(crate) ended: bool,
}

/// A live session as its owner sees it.
#[derive(Debug, Clone)]
pub(crate) struct ListedSession {
    pub(crate) user: UserId,
    pub(crate) id: SessionId,
    pub(crate) device: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) last_used_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// A session to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) epoch: i64,
    pub(crate) salt: Vec<u8>,
    pub(crate) device: Option<String>,
    pub(crate) address: String,
    pub(crate) second_factor: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) absolute_expires_at: Timestamp,
}

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub user_id: i64,
        pub epoch: i64,
        pub generation: i64,
        pub salt: Vec<u8>,
        pub recent_rotations: String,
        pub device: Option<String>,
        pub address: Option<String>,
        pub created_at: i64,
        pub last_used_at: i64,
        pub expires_at: i64,
        pub absolute_expires_at: i64,
        pub ended_at: Option<i64>,
        pub ended_reason: Option<String>,
        pub second_factor: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Stores a new session.
pub(crate) async fn add(database: &Database, session: NewSession) -> Result<(), DatabaseError> {
    let transaction = database.begin_write().await?;
    let created_at = session.created_at.microseconds();
    let row = row::ActiveModel {
        id: Set(session.id.to_string()),
        user_id: Set(session.user.0),
        epoch: Set(session.epoch),
        generation: Set(0),
        salt: Set(session.salt),
        recent_rotations: Set("[]".to_owned()),
        device: Set(session.device),
        address: Set(Some(session.address)),
        created_at: Set(created_at),
        last_used_at: Set(created_at),
        expires_at: Set(session.expires_at.microseconds()),
        absolute_expires_at: Set(session.absolute_expires_at.microseconds()),
        ended_at: Set(None),
        ended_reason: Set(None),
        second_factor: Set(session.second_factor),
    };
    row::Entity::insert(row).exec_without_returning(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// How many have neither ended nor run out.
pub(crate) async fn count_open(database: &Database, now: Timestamp) -> Result<u64, DatabaseError> {
    Ok(row::Entity::find()
        .filter(row::Column::EndedAt.is_null())
        .filter(row::Column::ExpiresAt.gt(now.microseconds()))
        .count(database.reader())
        .await?)
}

/// Reads a session.
pub(crate) async fn find(
    database: &Database,
    id: &SessionId,
) -> Result<Option<StoredSession>, DatabaseError> {
    let row = row::Entity::find_by_id(id.as_str()).one(database.reader()).await?;
    Ok(row.and_then(of))
}

/// A user's live sessions, the last used first.
pub(crate) async fn of_user(
    database: &Database,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<ListedSession>, DatabaseError> {
    let now = now.microseconds();
    let rows = row::Entity::find()
        .filter(row::Column::UserId.eq(user.0))
        .filter(row::Column::EndedAt.is_null())
        .filter(row::Column::ExpiresAt.gt(now))
        .filter(row::Column::AbsoluteExpiresAt.gt(now))
        .order_by_desc(row::Column::LastUsedAt)
        .order_by_desc(row::Column::Id)
        .all(database.reader())
        .await?;
    Ok(rows.into_iter().filter_map(listed).collect())
}

/// Live sessions of everybody, the newest first, below the id `before`. Ids rise with time, so the primary key orders them.
pub(crate) async fn page(
    database: &Database,
    before: Option<&SessionId>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<ListedSession>, DatabaseError> {
    let now = now.microseconds();
    let mut select = row::Entity::find()
        .filter(row::Column::EndedAt.is_null())
        .filter(row::Column::ExpiresAt.gt(now))
        .filter(row::Column::AbsoluteExpiresAt.gt(now))
        .order_by_desc(row::Column::Id)
        .limit(u64::from(limit));
    if let Some(before) = before {
        select = select.filter(row::Column::Id.lt(before.as_str()));
    }
    Ok(select.all(database.reader()).await?.into_iter().filter_map(listed).collect())
}

fn listed(row: row::Model) -> Option<ListedSession> {
    Some(ListedSession {
        user: UserId(row.user_id),
        id: row.id.parse().ok()?,
        device: row.device,
        address: row.address,
        created_at: Timestamp::from_microseconds(row.created_at)?,
        last_used_at: Timestamp::from_microseconds(row.last_used_at)?,
        expires_at: Timestamp::from_microseconds(row.expires_at.min(row.absolute_expires_at))?,
    })
}

/// Reads a session and holds its row until the transaction ends, so that rotation and revocation follow one another.
pub(crate) async fn find_locked(
    transaction: &DatabaseTransaction,
    id: &SessionId,
) -> Result<Option<StoredSession>, DatabaseError> {
    let mut select = row::Entity::find_by_id(id.as_str());
    if transaction.get_database_backend() == DbBackend::Postgres {
        select = select.lock(LockType::Update);
    }
    Ok(select.one(transaction).await?.and_then(of))
}

/// Moves a live session from one generation to the next; `false` where it is not at that generation any more.
pub(crate) async fn rotate(
    transaction: &DatabaseTransaction,
    id: &SessionId,
    from: i64,
    next: &Rotation,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, DatabaseError> {
    let recent = serde_json::to_string(&next.recent).unwrap_or_else(|_| "[]".to_owned());
    let changed = row::Entity::update_many()
        .col_expr(row::Column::Generation, Expr::value(next.generation))
        .col_expr(row::Column::RecentRotations, Expr::value(recent))
        .col_expr(row::Column::LastUsedAt, Expr::value(now.microseconds()))
        .col_expr(row::Column::ExpiresAt, Expr::value(expires_at.microseconds()))
        .filter(row::Column::Id.eq(id.as_str()))
        .filter(row::Column::Generation.eq(from))
        .filter(row::Column::EndedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Ends one session; `false` where it had ended before.
pub(crate) async fn end(
    transaction: &DatabaseTransaction,
    id: &SessionId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let changed = ending(reason, now).filter(row::Column::Id.eq(id.as_str())).exec(transaction).await?;
    Ok(changed.rows_affected == 1)
}

/// Ends every session of a user, and says how many.
pub(crate) async fn end_all(
    transaction: &DatabaseTransaction,
    user: UserId,
    reason: &str,
    now: Timestamp,
) -> Result<u64, DatabaseError> {
    let changed = ending(reason, now).filter(row::Column::UserId.eq(user.0)).exec(transaction).await?;
    Ok(changed.rows_affected)
}

/// Deletes sessions that ended or expired before `before`.
pub(crate) async fn purge(database: &Database, before: Timestamp) -> Result<u64, DatabaseError> {
    let before = before.microseconds();
    let transaction = database.begin_write().await?;
    let deleted = row::Entity::delete_many()
        .filter(
            Condition::any()
                .add(row::Column::EndedAt.lt(before))
                .add(row::Column::ExpiresAt.lt(before))
                .add(row::Column::AbsoluteExpiresAt.lt(before)),
        )
        .exec(&transaction)
        .await?
        .rows_affected;
    transaction.commit().await?;
    Ok(deleted)
}

fn ending(reason: &str, now: Timestamp) -> sea_orm::UpdateMany<row::Entity> {
    row::Entity::update_many()
        .col_expr(row::Column::EndedAt, Expr::value(now.microseconds()))
        .col_expr(row::Column::EndedReason, Expr::value(reason))
        .filter(row::Column::EndedAt.is_null())
}

fn of(row: row::Model) -> Option<StoredSession> {
    Some(StoredSession {
        id: row.id.parse().ok()?,
        user: UserId(row.user_id),
        epoch: row.epoch,
        rotation: Rotation {
            generation: row.generation,
            recent: serde_json::from_str(&row.recent_rotations).unwrap_or_default(),
        },
        salt: row.salt,
        second_factor: row.second_factor,
        created_at: Timestamp::from_microseconds(row.created_at)?,
        expires_at: row.expires_at,
        absolute_expires_at: row.absolute_expires_at,
        ended: row.ended_at.is_some(),
    })
}
