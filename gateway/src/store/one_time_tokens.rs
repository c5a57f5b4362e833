//! The table `one_time_tokens`: links that were sent out, by the hash of their token.

use contract::{Timestamp, UserId};
use kit::database::{Database, DatabaseError};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, PaginatorTrait, entity::prelude::*, sea_query::Expr};

/// A token that can be used now.
#[derive(Debug, Clone)]
pub(crate) struct StoredToken {
    pub(crate) id: i64,
    pub(crate) user: UserId,
    pub(crate) address_sealed: Vec<u8>,
}

/// A token to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewToken {
    pub(crate) hash: Vec<u8>,
    pub(crate) purpose: &'static str,
    pub(crate) user: UserId,
    pub(crate) address_sealed: Vec<u8>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "one_time_tokens")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub token_hash: Vec<u8>,
        pub purpose: String,
        pub user_id: i64,
        pub created_at: i64,
        pub expires_at: i64,
        pub used_at: Option<i64>,
        pub address_sealed: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Adds a token.
pub(crate) async fn add(database: &Database, token: NewToken) -> Result<(), DatabaseError> {
    let transaction = database.begin_write().await?;
    let row = row::ActiveModel {
        token_hash: Set(token.hash),
        purpose: Set(token.purpose.to_owned()),
        user_id: Set(token.user.0),
        created_at: Set(token.created_at.microseconds()),
        expires_at: Set(token.expires_at.microseconds()),
        address_sealed: Set(Some(token.address_sealed)),
        ..Default::default()
    };
    row::Entity::insert(row).exec_without_returning(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Takes a token that is good now: of many who take it at once, one gets it.
pub(crate) async fn take(
    database: &Database,
    hash: &[u8],
    purposes: &[&str],
    now: Timestamp,
) -> Result<Option<StoredToken>, DatabaseError> {
    let transaction = database.begin_write().await?;
    let found = row::Entity::find()
        .filter(row::Column::TokenHash.eq(hash))
        .filter(row::Column::Purpose.is_in(purposes.iter().copied()))
        .filter(row::Column::ExpiresAt.gt(now.microseconds()))
        .one(&transaction)
        .await?;
    let Some(row) = found else { return Ok(None) };
    let change = row::Entity::update_many()
        .col_expr(row::Column::UsedAt, Expr::value(now.microseconds()))
        .filter(row::Column::Id.eq(row.id))
        .filter(row::Column::UsedAt.is_null())
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    let token = StoredToken {
        id: row.id,
        user: UserId(row.user_id),
        address_sealed: row.address_sealed.unwrap_or_default(),
    };
    Ok((change.rows_affected == 1).then_some(token))
}

/// Gives a token back that was taken, and for which nothing was done.
pub(crate) async fn give_back(database: &Database, id: i64) -> Result<(), DatabaseError> {
    let transaction = database.begin_write().await?;
    row::Entity::update_many()
        .col_expr(row::Column::UsedAt, Expr::value(Option::<i64>::None))
        .filter(row::Column::Id.eq(id))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// How many tokens of a user are good now.
pub(crate) async fn outstanding(
    database: &Database,
    purpose: &str,
    user: UserId,
    now: Timestamp,
) -> Result<u64, DatabaseError> {
    let good = row::Entity::find()
        .filter(row::Column::UserId.eq(user.0))
        .filter(row::Column::Purpose.eq(purpose))
        .filter(row::Column::UsedAt.is_null())
        .filter(row::Column::ExpiresAt.gt(now.microseconds()));
    Ok(good.count(database.reader()).await?)
}

/// Voids every token of a user.
pub(crate) async fn void_all(transaction: &DatabaseTransaction, user: UserId) -> Result<(), DatabaseError> {
    row::Entity::delete_many().filter(row::Column::UserId.eq(user.0)).exec(transaction).await?;
    Ok(())
}

/// Deletes what expired before `before`.
pub(crate) async fn purge(database: &Database, before: Timestamp) -> Result<u64, DatabaseError> {
    let transaction = database.begin_write().await?;
    let deleted = row::Entity::delete_many()
        .filter(row::Column::ExpiresAt.lt(before.microseconds()))
        .exec(&transaction)
        .await?
        .rows_affected;
    transaction.commit().await?;
    Ok(deleted)
}
