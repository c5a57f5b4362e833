//! The table `login_attempts`: attempts to sign in that failed or are still being checked, by what they count against.

use aws_lc_rs::digest;
use contract::Timestamp;
use kit::database::{Database, DatabaseError};
use sea_orm::{
    ActiveValue::Set, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, Statement,
    entity::prelude::*, sea_query::OnConflict,
};

use crate::identity::attempts::Count;

#[expect(unreachable_pub, reason = "sea-orm's derive wants `pub`")]
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "login_attempts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: String,
        pub failures: i64,
        pub first_failed_at: i64,
        pub last_failed_at: i64,
        pub retry_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Reads the counts of `subjects`, lets `decide` change them, and stores what it changed: all within one write
/// transaction that holds the rows, so that attempts at the same moment are counted one after the other.
pub(crate) async fn change<T>(
    database: &Database,
    subjects: &[String],
    decide: impl FnOnce(&mut [Count]) -> T,
) -> Result<T, DatabaseError> {
    let transaction = database.begin_write().await?;
    let mut counts = held(&transaction, subjects).await?;
    let before = counts.clone();
    let decision = decide(&mut counts);
    let changed = || subjects.iter().zip(&counts).zip(&before).filter(|((_, count), before)| count != before);
    let (gone, kept): (Vec<_>, Vec<_>) =
        changed().map(|(changed, _)| changed).partition(|(_, count)| **count == Count::default());
    if !gone.is_empty() {
        let gone = gone.into_iter().map(|(subject, _)| subject.as_str());
        row::Entity::delete_many().filter(row::Column::Subject.is_in(gone)).exec(&transaction).await?;
    }
    if !kept.is_empty() {
        let replace = OnConflict::column(row::Column::Subject)
            .update_columns([
                row::Column::Failures,
                row::Column::FirstFailedAt,
                row::Column::LastFailedAt,
                row::Column::RetryAt,
            ])
            .to_owned();
        let rows = kept.into_iter().map(|(subject, count)| stored(subject, count));
        row::Entity::insert_many(rows).on_conflict(replace).exec_without_returning(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(decision)
}

/// The counts of subjects, which nobody else changes until the transaction ends. On SQLite the transaction is the only one
/// that writes; on PostgreSQL it takes a lock on each name, also of rows that are not there yet, which no row lock could give.
async fn held(transaction: &DatabaseTransaction, subjects: &[String]) -> Result<Vec<Count>, DatabaseError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let mut keys: Vec<i64> = subjects.iter().map(|subject| lock_key(subject)).collect();
        // One order everywhere, so that no two wait for each other.
        keys.sort_unstable();
        for key in keys {
            let lock = Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT pg_advisory_xact_lock($1)",
                [key.into()],
            );
            transaction.execute_raw(lock).await?;
        }
    }
    let names = subjects.iter().map(String::as_str);
    let rows = row::Entity::find().filter(row::Column::Subject.is_in(names)).all(transaction).await?;
    let count =
        |subject: &String| rows.iter().find(|row| row.subject == *subject).map_or_else(Count::default, of);
    Ok(subjects.iter().map(count).collect())
}

/// A subject's advisory lock. Two subjects with the same key merely wait for each other.
fn lock_key(subject: &str) -> i64 {
    let hash = digest::digest(&digest::SHA256, subject.as_bytes());
    hash.as_ref().first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

fn of(row: &row::Model) -> Count {
    Count {
        attempts: row.failures,
        first_at: row.first_failed_at,
        last_at: row.last_failed_at,
        retry_at: row.retry_at,
    }
}

fn stored(subject: &str, count: &Count) -> row::ActiveModel {
    row::ActiveModel {
        subject: Set(subject.to_owned()),
        failures: Set(count.attempts),
        first_failed_at: Set(count.first_at),
        last_failed_at: Set(count.last_at),
        retry_at: Set(count.retry_at),
    }
}

/// Deletes the count of a subject, and those of all whose names begin so.
pub(crate) async fn forget(database: &Database, subject: &str, prefix: &str) -> Result<(), DatabaseError> {
    let transaction = database.begin_write().await?;
    row::Entity::delete_many()
        .filter(
            Condition::any()
                .add(row::Column::Subject.eq(subject))
                .add(row::Column::Subject.starts_with(prefix)),
        )
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Deletes counts that nothing was added to since `before`.
pub(crate) async fn purge(database: &Database, before: Timestamp) -> Result<u64, DatabaseError> {
    let transaction = database.begin_write().await?;
    let deleted = row::Entity::delete_many()
        .filter(row::Column::LastFailedAt.lt(before.microseconds()))
        .filter(row::Column::RetryAt.lt(before.microseconds()))
        .exec(&transaction)
        .await?
        .rows_affected;
    transaction.commit().await?;
    Ok(deleted)
}
