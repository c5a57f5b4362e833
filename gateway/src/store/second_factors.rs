//! The tables `second_factors` and `recovery_codes`.

use contract::{Timestamp, UserId};
use kit::database::{Database, DatabaseError};
use sea_orm::{
    ActiveValue::Set,
    DatabaseTransaction, PaginatorTrait,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};

/// A user's second factor as it is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredFactor {
    pub(crate) active_sealed: Option<Vec<u8>>,
    pub(crate) pending_sealed: Option<Vec<u8>>,
}

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod factor {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "second_factors")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: i64,
        pub active_sealed: Option<Vec<u8>>,
        pub pending_sealed: Option<Vec<u8>>,
        pub last_step: i64,
        pub changed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod code {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "recovery_codes")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub user_id: i64,
        pub code_hash: Vec<u8>,
        pub used_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A user's second factor.
pub(crate) async fn find(database: &Database, user: UserId) -> Result<Option<StoredFactor>, DatabaseError> {
    let row = factor::Entity::find_by_id(user.0).one(database.reader()).await?;
    Ok(row.map(|row| StoredFactor { active_sealed: row.active_sealed, pending_sealed: row.pending_sealed }))
}

/// Recovery codes of a user that were not used.
pub(crate) async fn codes_left(database: &Database, user: UserId) -> Result<u64, DatabaseError> {
    let unused =
        code::Entity::find().filter(code::Column::UserId.eq(user.0)).filter(code::Column::UsedAt.is_null());
    Ok(unused.count(database.reader()).await?)
}

/// Keeps a secret that asks for nothing yet.
pub(crate) async fn propose(
    database: &Database,
    user: UserId,
    sealed: Vec<u8>,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let transaction = database.begin_write().await?;
    let row = factor::ActiveModel {
        user_id: Set(user.0),
        active_sealed: Set(None),
        pending_sealed: Set(Some(sealed)),
        last_step: Set(0),
        changed_at: Set(now.microseconds()),
    };
    let again = OnConflict::column(factor::Column::UserId)
        .update_columns([factor::Column::PendingSealed, factor::Column::ChangedAt])
        .to_owned();
    factor::Entity::insert(row).on_conflict(again).exec_without_returning(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Puts the pending secret, which must still be this one, in the place of the active one, with new recovery codes.
pub(crate) async fn activate(
    database: &Database,
    user: UserId,
    sealed: &[u8],
    step: i64,
    hashes: Vec<Vec<u8>>,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let transaction = database.begin_write().await?;
    let changed = factor::Entity::update_many()
        .col_expr(factor::Column::ActiveSealed, Expr::value(sealed.to_vec()))
        .col_expr(factor::Column::PendingSealed, Expr::value(Option::<Vec<u8>>::None))
        .col_expr(factor::Column::LastStep, Expr::value(step))
        .col_expr(factor::Column::ChangedAt, Expr::value(now.microseconds()))
        .filter(factor::Column::UserId.eq(user.0))
        .filter(factor::Column::PendingSealed.eq(sealed.to_vec()))
        .exec(&transaction)
        .await?;
    if changed.rows_affected == 0 {
        return Ok(false);
    }
    put_codes(&transaction, user, hashes).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Puts new recovery codes in the place of the old.
pub(crate) async fn replace_codes(
    database: &Database,
    user: UserId,
    hashes: Vec<Vec<u8>>,
) -> Result<(), DatabaseError> {
    let transaction = database.begin_write().await?;
    put_codes(&transaction, user, hashes).await?;
    transaction.commit().await?;
    Ok(())
}

async fn put_codes(
    transaction: &DatabaseTransaction,
    user: UserId,
    hashes: Vec<Vec<u8>>,
) -> Result<(), DatabaseError> {
    code::Entity::delete_many().filter(code::Column::UserId.eq(user.0)).exec(transaction).await?;
    let rows = hashes.into_iter().map(|hash| code::ActiveModel {
        user_id: Set(user.0),
        code_hash: Set(hash),
        ..Default::default()
    });
    code::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    Ok(())
}

/// Takes the code of a time step: of many who show it at once, one is let in, and none of an earlier step.
pub(crate) async fn take_step(database: &Database, user: UserId, step: i64) -> Result<bool, DatabaseError> {
    let transaction = database.begin_write().await?;
    let changed = factor::Entity::update_many()
        .col_expr(factor::Column::LastStep, Expr::value(step))
        .filter(factor::Column::UserId.eq(user.0))
        .filter(factor::Column::LastStep.lt(step))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(changed.rows_affected == 1)
}

/// Takes a recovery code: it is good once.
pub(crate) async fn take_code(
    database: &Database,
    user: UserId,
    hash: &[u8],
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let transaction = database.begin_write().await?;
    let changed = code::Entity::update_many()
        .col_expr(code::Column::UsedAt, Expr::value(now.microseconds()))
        .filter(code::Column::UserId.eq(user.0))
        .filter(code::Column::CodeHash.eq(hash.to_vec()))
        .filter(code::Column::UsedAt.is_null())
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(changed.rows_affected > 0)
}

/// Takes a user's second factor away; `false` where there was none.
pub(crate) async fn remove(database: &Database, user: UserId) -> Result<bool, DatabaseError> {
    let transaction = database.begin_write().await?;
    code::Entity::delete_many().filter(code::Column::UserId.eq(user.0)).exec(&transaction).await?;
    let deleted =
        factor::Entity::delete_many().filter(factor::Column::UserId.eq(user.0)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(deleted.rows_affected > 0)
}
