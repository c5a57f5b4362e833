//! The table `audit`: rows are added and never changed, each sealed with the hash of the one before.

use aws_lc_rs::digest;
use contract::Timestamp;
use kit::database::{Database, DatabaseError};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseTransaction, DbBackend, QueryOrder, QuerySelect, Statement,
    entity::prelude::*,
};
use serde::Serialize;

/// The hash before the first row.
const GENESIS: [u8; 32] = [0; 32];

/// Whoever adds a row on PostgreSQL holds this advisory lock, so that the chain has one end ("audit" in ASCII).
const CHAIN_LOCK: i64 = 0x0061_7564_6974;

/// Rows read at once while the chain is checked.
const BATCH: u64 = 1_000;

/// What happened. The order of the fields is part of what is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) target: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) outcome: String,
    pub(crate) detail: Option<String>,
}

/// Which rows to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Rows above this id.
    pub(crate) after: Option<i64>,
    pub(crate) actor: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) since: Option<Timestamp>,
}

/// What a check of the whole chain found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    /// Every row follows the one before; how many there are.
    Intact(u64),
    /// The first row that does not, by its id.
    Broken(i64),
}

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub at: i64,
        pub actor: String,
        pub action: String,
        pub target: Option<String>,
        pub address: Option<String>,
        pub request_id: Option<String>,
        pub outcome: String,
        pub detail: Option<String>,
        pub previous_hash: Vec<u8>,
        pub hash: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Adds a row at the end of the chain.
pub(crate) async fn append(database: &Database, entry: Entry) -> Result<(), DatabaseError> {
    let transaction = database.begin_write().await?;
    let previous = end_of_chain(&transaction).await?;
    let hash = sealed(&previous, &entry);
    let row = row::ActiveModel {
        at: Set(entry.at),
        actor: Set(entry.actor),
        action: Set(entry.action),
        target: Set(entry.target),
        address: Set(entry.address),
        request_id: Set(entry.request_id),
        outcome: Set(entry.outcome),
        detail: Set(entry.detail),
        previous_hash: Set(previous),
        hash: Set(hash),
        ..Default::default()
    };
    row::Entity::insert(row).exec_without_returning(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// The hash of the last row, which stays the last until the transaction ends.
async fn end_of_chain(transaction: &DatabaseTransaction) -> Result<Vec<u8>, DatabaseError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT pg_advisory_xact_lock($1)";
        let lock = Statement::from_sql_and_values(DbBackend::Postgres, sql, [CHAIN_LOCK.into()]);
        transaction.execute_raw(lock).await?;
    }
    let last = row::Entity::find().order_by_desc(row::Column::Id).one(transaction).await?;
    Ok(last.map_or_else(|| GENESIS.to_vec(), |row| row.hash))
}

/// SHA-256 of the hash before and the entry as JSON.
fn sealed(previous: &[u8], entry: &Entry) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(previous);
    context.update(&serde_json::to_vec(entry).unwrap_or_default());
    context.finish().as_ref().to_vec()
}

/// Rows that the filter lets through, newest first, below the id `before`.
pub(crate) async fn page(
    database: &Database,
    filter: &Filter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<(i64, Entry)>, DatabaseError> {
    let mut select = row::Entity::find().order_by_desc(row::Column::Id).limit(u64::from(limit));
    if let Some(before) = before {
        select = select.filter(row::Column::Id.lt(before));
    }
    if let Some(after) = filter.after {
        select = select.filter(row::Column::Id.gt(after));
    }
    if let Some(actor) = &filter.actor {
        select = select.filter(row::Column::Actor.eq(actor));
    }
    if let Some(action) = &filter.action {
        select = select.filter(row::Column::Action.eq(action));
    }
    if let Some(target) = &filter.target {
        select = select.filter(row::Column::Target.eq(target));
    }
    if let Some(since) = filter.since {
        select = select.filter(row::Column::At.gte(since.microseconds()));
    }
    let rows = select.all(database.reader()).await?;
    Ok(rows.into_iter().map(|row| (row.id, of(row))).collect())
}

/// Recomputes the chain from its first row.
pub(crate) async fn verify(database: &Database) -> Result<Chain, DatabaseError> {
    let (mut previous, mut last, mut count) = (GENESIS.to_vec(), 0, 0);
    loop {
        let rows = row::Entity::find()
            .filter(row::Column::Id.gt(last))
            .order_by_asc(row::Column::Id)
            .limit(BATCH)
            .all(database.reader())
            .await?;
        if rows.is_empty() {
            return Ok(Chain::Intact(count));
        }
        for row in rows {
            (last, count) = (row.id, count + 1);
            let (before, hash) = (row.previous_hash.clone(), row.hash.clone());
            if before != previous || hash != sealed(&previous, &of(row)) {
                return Ok(Chain::Broken(last));
            }
            previous = hash;
        }
    }
}

fn of(row: row::Model) -> Entry {
    Entry {
        at: row.at,
        actor: row.actor,
        action: row.action,
        target: row.target,
        address: row.address,
        request_id: row.request_id,
        outcome: row.outcome,
        detail: row.detail,
    }
}
