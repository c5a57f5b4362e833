//! The tables `service_accounts` and `service_account_secrets`.

use std::collections::BTreeSet;

use contract::{Role, Scope, Scopes, ServiceName, Timestamp};
use kit::database::{Database, DatabaseError, is_duplicate};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectionTrait, DatabaseTransaction, DbBackend, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, LockType},
};
use serde::{Serialize, de::DeserializeOwned};

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredAccount {
    pub(crate) id: i64,
    pub(crate) name: ServiceName,
    pub(crate) description: Option<String>,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) scopes: Scopes,
    pub(crate) audiences: BTreeSet<ServiceName>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) disabled_at: Option<Timestamp>,
}

/// A secret as it is stored, without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredSecret {
    pub(crate) id: i64,
    pub(crate) account: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) last_used_at: Option<Timestamp>,
}

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "service_accounts")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub description: Option<String>,
        pub roles: String,
        pub scopes: String,
        pub audiences: String,
        pub created_at: i64,
        pub updated_at: i64,
        pub disabled_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod secret {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "service_account_secrets")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub service_account_id: i64,
        pub secret_hash: Vec<u8>,
        pub created_at: i64,
        pub expires_at: Option<i64>,
        pub last_used_at: Option<i64>,
        pub revoked_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// All accounts, by name.
pub(crate) async fn all(database: &Database) -> Result<Vec<StoredAccount>, DatabaseError> {
    let rows = row::Entity::find().order_by_asc(row::Column::Name).all(database.reader()).await?;
    rows.into_iter().map(of).collect()
}

/// The account with this name.
pub(crate) async fn find(
    database: &Database,
    name: &ServiceName,
) -> Result<Option<StoredAccount>, DatabaseError> {
    let row = row::Entity::find().filter(row::Column::Name.eq(name.as_str())).one(database.reader()).await?;
    row.map(of).transpose()
}

/// The account with this name, whose row is held until the transaction ends. `LockType::Share` lets many hold it who read,
/// and nobody change it meanwhile.
pub(crate) async fn held(
    transaction: &DatabaseTransaction,
    name: &ServiceName,
    lock: LockType,
) -> Result<Option<StoredAccount>, DatabaseError> {
    let mut select = row::Entity::find().filter(row::Column::Name.eq(name.as_str()));
    if transaction.get_database_backend() == DbBackend::Postgres {
        select = select.lock(lock);
    }
    select.one(transaction).await?.map(of).transpose()
}

/// Adds an account, whose `id` is given out here; `None` where the name is taken.
pub(crate) async fn add(
    transaction: &DatabaseTransaction,
    account: StoredAccount,
) -> Result<Option<StoredAccount>, DatabaseError> {
    let row = row::ActiveModel { id: NotSet, ..active(&account)? };
    match row.insert(transaction).await {
        Ok(row) => of(row).map(Some),
        Err(error) if is_duplicate(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Stores an account that is held.
pub(crate) async fn update(
    transaction: &DatabaseTransaction,
    account: &StoredAccount,
) -> Result<(), DatabaseError> {
    active(account)?.update(transaction).await?;
    Ok(())
}

/// Deletes an account and its secrets.
pub(crate) async fn delete(transaction: &DatabaseTransaction, id: i64) -> Result<(), DatabaseError> {
    row::Entity::delete_by_id(id).exec(transaction).await?;
    Ok(())
}

/// The secrets of these accounts that are not revoked, oldest first.
pub(crate) async fn secrets<C: ConnectionTrait>(
    connection: &C,
    accounts: impl IntoIterator<Item = i64> + Send,
) -> Result<Vec<StoredSecret>, DatabaseError> {
    let rows = secret::Entity::find()
        .filter(secret::Column::ServiceAccountId.is_in(accounts))
        .filter(secret::Column::RevokedAt.is_null())
        .order_by_asc(secret::Column::Id)
        .all(connection)
        .await?;
    rows.iter().map(secret_of).collect()
}

/// Adds a secret by its hash.
pub(crate) async fn add_secret(
    transaction: &DatabaseTransaction,
    account: i64,
    hash: &[u8],
    now: Timestamp,
    expires_at: Option<Timestamp>,
) -> Result<StoredSecret, DatabaseError> {
    let row = secret::ActiveModel {
        service_account_id: Set(account),
        secret_hash: Set(hash.to_vec()),
        created_at: Set(now.microseconds()),
        expires_at: Set(expires_at.map(Timestamp::microseconds)),
        last_used_at: Set(None),
        revoked_at: Set(None),
        ..Default::default()
    };
    secret_of(&row.insert(transaction).await?)
}

/// The account's secret with this hash that is not revoked.
pub(crate) async fn find_secret(
    transaction: &DatabaseTransaction,
    account: i64,
    hash: &[u8],
) -> Result<Option<StoredSecret>, DatabaseError> {
    let row = secret::Entity::find()
        .filter(secret::Column::SecretHash.eq(hash.to_vec()))
        .filter(secret::Column::ServiceAccountId.eq(account))
        .filter(secret::Column::RevokedAt.is_null())
        .one(transaction)
        .await?;
    row.as_ref().map(secret_of).transpose()
}

/// Notes that a secret was used.
pub(crate) async fn used(
    transaction: &DatabaseTransaction,
    id: i64,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    secret::Entity::update_many()
        .col_expr(secret::Column::LastUsedAt, Expr::value(now.microseconds()))
        .filter(secret::Column::Id.eq(id))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Revokes one secret of an account; `false` where there is none.
pub(crate) async fn revoke_secret(
    transaction: &DatabaseTransaction,
    account: i64,
    id: i64,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    let changed = secret::Entity::update_many()
        .col_expr(secret::Column::RevokedAt, Expr::value(now.microseconds()))
        .filter(secret::Column::Id.eq(id))
        .filter(secret::Column::ServiceAccountId.eq(account))
        .filter(secret::Column::RevokedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(changed.rows_affected == 1)
}

fn active(account: &StoredAccount) -> Result<row::ActiveModel, DatabaseError> {
    Ok(row::ActiveModel {
        id: Set(account.id),
        name: Set(account.name.to_string()),
        description: Set(account.description.clone()),
        roles: Set(json(&account.roles)?),
        scopes: Set(json(&account.scopes.iter().collect::<Vec<_>>())?),
        audiences: Set(json(&account.audiences)?),
        created_at: Set(account.created_at.microseconds()),
        updated_at: Set(account.updated_at.microseconds()),
        disabled_at: Set(account.disabled_at.map(Timestamp::microseconds)),
    })
}

fn of(row: row::Model) -> Result<StoredAccount, DatabaseError> {
    let scopes: Vec<Scope> = read(&row.scopes)?;
    Ok(StoredAccount {
        id: row.id,
        name: row.name.parse().map_err(unreadable)?,
        description: row.description,
        roles: read(&row.roles)?,
        scopes: scopes.into_iter().collect(),
        audiences: read(&row.audiences)?,
        created_at: at(row.created_at)?,
        updated_at: at(row.updated_at)?,
        disabled_at: row.disabled_at.map(at).transpose()?,
    })
}

fn secret_of(row: &secret::Model) -> Result<StoredSecret, DatabaseError> {
    Ok(StoredSecret {
        id: row.id,
        account: row.service_account_id,
        created_at: at(row.created_at)?,
        expires_at: row.expires_at.map(at).transpose()?,
        last_used_at: row.last_used_at.map(at).transpose()?,
    })
}

fn json<T: Serialize>(value: &T) -> Result<String, DatabaseError> {
    serde_json::to_string(value).map_err(unreadable)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, DatabaseError> {
    serde_json::from_str(text).map_err(unreadable)
}

fn at(microseconds: i64) -> Result<Timestamp, DatabaseError> {
    Timestamp::from_microseconds(microseconds).ok_or_else(|| unreadable("a time out of range"))
}

/// What stands in the table was not written by us: rights are never guessed.
fn unreadable(fault: impl std::fmt::Display) -> DatabaseError {
    DbErr::Type(format!("service_accounts: {fault}")).into()
}
