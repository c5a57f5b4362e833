//! The table `signing_keys`.

use kit::database::{Database, DatabaseError, is_duplicate};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseTransaction, DbBackend, QueryOrder, QuerySelect,
    entity::prelude::*, sea_query::LockType,
};

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Published, and not signing yet.
    Next,
    /// Signs.
    Active,
    /// Signs no more, and verifies until a moment that is stored.
    Retired,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

/// A key as it is stored; moments in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    pub(crate) purpose: String,
    pub(crate) algorithm: String,
    pub(crate) state: State,
    pub(crate) public_jwk: String,
    /// Empty once the key is retired: it never signs again.
    pub(crate) private_sealed: Vec<u8>,
    pub(crate) created_at: i64,
    /// Since when it signs; of a next key: from when it is to sign, where that is settled.
    pub(crate) activated_at: Option<i64>,
    pub(crate) retired_at: Option<i64>,
    /// Of a retired key: from then on it verifies nothing.
    pub(crate) verifies_until: Option<i64>,
    /// Seconds that the longest of its tokens is good.
    pub(crate) longest_token: i64,
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
        pub verifies_until: Option<i64>,
        pub longest_token: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// All keys, oldest first.
pub(crate) async fn all(database: &Database) -> Result<Vec<StoredKey>, DatabaseError> {
    let rows = row::Entity::find().order_by_asc(row::Column::Id).all(database.reader()).await?;
    Ok(rows.into_iter().map(of).collect())
}

/// All keys of a purpose, oldest first, held until the transaction ends.
pub(crate) async fn locked(
    transaction: &DatabaseTransaction,
    purpose: &str,
) -> Result<Vec<StoredKey>, DatabaseError> {
    let mut select =
        row::Entity::find().filter(row::Column::Purpose.eq(purpose)).order_by_asc(row::Column::Id);
    if transaction.get_database_backend() == DbBackend::Postgres {
        select = select.lock(LockType::Update);
    }
    Ok(select.all(transaction).await?.into_iter().map(of).collect())
}

/// Writes what changed from `before` to `after`. `false` where another replica changed the same keys first: then nothing of
/// this transaction may be committed.
pub(crate) async fn save(
    transaction: &DatabaseTransaction,
    before: &[StoredKey],
    after: &[StoredKey],
) -> Result<bool, DatabaseError> {
    let gone = before.iter().filter(|old| !after.iter().any(|key| key.kid == old.kid));
    for key in gone {
        row::Entity::delete_many().filter(row::Column::Kid.eq(&key.kid)).exec(transaction).await?;
    }
    // A purpose has one active key and one next: each place is left before it is taken.
    for state in [State::Retired, State::Active, State::Next] {
        for key in after.iter().filter(|key| key.state == state && !before.contains(key)) {
            let known = before.iter().any(|old| old.kid == key.kid);
            let written = if known {
                let change =
                    row::Entity::update_many().set(active(key)).filter(row::Column::Kid.eq(&key.kid));
                change.exec(transaction).await.map(|_| ())
            } else {
                row::Entity::insert(active(key)).exec_without_returning(transaction).await.map(|_| ())
            };
            match written {
                Ok(()) => {}
                Err(error) if is_duplicate(&error) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(true)
}

/// Deletes keys that have verified nothing since `before`, in microseconds since 1970.
pub(crate) async fn purge(database: &Database, before: i64) -> Result<u64, DatabaseError> {
    let transaction = database.begin_write().await?;
    let deleted = row::Entity::delete_many()
        .filter(row::Column::State.eq(State::Retired.name()))
        .filter(row::Column::VerifiesUntil.lt(before))
        .exec(&transaction)
        .await?
        .rows_affected;
    transaction.commit().await?;
    Ok(deleted)
}

fn active(key: &StoredKey) -> row::ActiveModel {
    row::ActiveModel {
        kid: Set(key.kid.clone()),
        purpose: Set(key.purpose.clone()),
        algorithm: Set(key.algorithm.clone()),
        state: Set(key.state.name().to_owned()),
        public_jwk: Set(key.public_jwk.clone()),
        private_sealed: Set(key.private_sealed.clone()),
        created_at: Set(key.created_at),
        activated_at: Set(key.activated_at),
        retired_at: Set(key.retired_at),
        verifies_until: Set(key.verifies_until),
        longest_token: Set(key.longest_token),
        ..Default::default()
    }
}

fn of(row: row::Model) -> StoredKey {
    StoredKey {
        kid: row.kid,
        purpose: row.purpose,
        algorithm: row.algorithm,
        state: match row.state.as_str() {
            "next" => State::Next,
            "active" => State::Active,
            _ => State::Retired,
        },
        public_jwk: row.public_jwk,
        private_sealed: row.private_sealed,
        created_at: row.created_at,
        activated_at: row.activated_at,
        retired_at: row.retired_at,
        verifies_until: row.verifies_until,
        longest_token: row.longest_token,
    }
}
