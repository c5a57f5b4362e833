//! The table `signing_keys`.

use contract::Timestamp;
use kit::database::{Database, DatabaseError, is_duplicate};
use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*};

/// A key as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    pub(crate) purpose: String,
    pub(crate) algorithm: String,
    pub(crate) state: String,
    pub(crate) public_jwk: String,
    pub(crate) private_sealed: Vec<u8>,
}

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "signing_keys")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub kid: String,
        pub purpose: String,
        pub algorithm: String,
        pub state: String,
        pub public_jwk: String,
        pub private_sealed: Vec<u8>,
        pub created_at: i64,
        pub activated_at: Option<i64>,
        pub retired_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// All keys of a purpose, oldest first.
pub(crate) async fn all(database: &Database, purpose: &str) -> Result<Vec<StoredKey>, DatabaseError> {
    let rows = row::Entity::find()
        .filter(row::Column::Purpose.eq(purpose))
        .order_by_asc(row::Column::Id)
        .all(database.reader())
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| StoredKey {
            kid: row.kid,
            purpose: row.purpose,
            algorithm: row.algorithm,
            state: row.state,
            public_jwk: row.public_jwk,
            private_sealed: row.private_sealed,
        })
        .collect())
}

/// Adds an active key. Where another replica was first, nothing is added: a purpose has one active key.
pub(crate) async fn add_active(
    database: &Database,
    key: StoredKey,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let transaction = database.begin_write().await?;
    let added = row::ActiveModel {
        kid: Set(key.kid),
        purpose: Set(key.purpose),
        algorithm: Set(key.algorithm),
        state: Set(key.state),
        public_jwk: Set(key.public_jwk),
        private_sealed: Set(key.private_sealed),
        created_at: Set(now.microseconds()),
        activated_at: Set(Some(now.microseconds())),
        ..Default::default()
    }
    .insert(&transaction)
    .await;
    match added {
        Ok(_) => Ok(transaction.commit().await?),
        Err(error) if is_duplicate(&error) => Ok(transaction.rollback().await?),
        Err(error) => Err(error.into()),
    }
}
