//! The table `revocations`: what every replica must refuse before it expires by itself.

use contract::Timestamp;
use kit::database::{Database, DatabaseError, notify};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder, entity::prelude::*};

/// Where listeners hear of new rows.
pub(crate) const CHANNEL: &str = "platform_revocations";

/// What a row refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revocation {
    /// Rises with each row.
    pub(crate) id: i64,
    /// `session`, `user`, `service` (an account), `secret` (one of an account's) or `token`.
    pub(crate) kind: String,
    /// The id of the session or user, the account's name, `NAME/ID` of a secret, the token's `jti`.
    pub(crate) subject: String,
    /// Access tokens issued up to this moment are refused, in microseconds since 1970.
    pub(crate) not_before: i64,
    /// When the last of them has expired, in microseconds since 1970.
    pub(crate) expires_at: i64,
}

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "revocations")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub kind: String,
        pub subject: String,
        pub not_before: i64,
        pub expires_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Adds a row within a transaction; every replica hears of it once that is committed.
pub(crate) async fn add(
    transaction: &DatabaseTransaction,
    kind: &str,
    subject: String,
    not_before: Timestamp,
    expires_at: Timestamp,
) -> Result<Revocation, DatabaseError> {
    let row = row::ActiveModel {
        kind: Set(kind.to_owned()),
        subject: Set(subject),
        not_before: Set(not_before.microseconds()),
        expires_at: Set(expires_at.microseconds()),
        ..Default::default()
    }
    .insert(transaction)
    .await?;
    notify(transaction, CHANNEL).await?;
    Ok(of(row))
}

/// Rows above `id` that have not expired, in order.
pub(crate) async fn newer(
    database: &Database,
    id: i64,
    now: Timestamp,
) -> Result<Vec<Revocation>, DatabaseError> {
    let rows = row::Entity::find()
        .filter(row::Column::Id.gt(id))
        .filter(row::Column::ExpiresAt.gt(now.microseconds()))
        .order_by_asc(row::Column::Id)
        .all(database.reader())
        .await?;
    Ok(rows.into_iter().map(of).collect())
}

/// Deletes what has expired.
pub(crate) async fn purge(database: &Database, now: Timestamp) -> Result<u64, DatabaseError> {
    let transaction = database.begin_write().await?;
    let deleted = row::Entity::delete_many()
        .filter(row::Column::ExpiresAt.lte(now.microseconds()))
        .exec(&transaction)
        .await?
        .rows_affected;
    transaction.commit().await?;
    Ok(deleted)
}

fn of(row: row::Model) -> Revocation {
    Revocation {
        id: row.id,
        kind: row.kind,
        subject: row.subject,
        not_before: row.not_before,
        expires_at: row.expires_at,
    }
}
