//! Migrations on both databases, by one process and by many.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod history;
mod processes;
mod waiting;

use kit::{database::Database, testing::TestDatabase};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// Every table, column and index of the database, one a line, sorted.
async fn schema_of(database: &Database) -> Vec<String> {
    let sql = match database.backend() {
        DbBackend::Sqlite => {
            "SELECT coalesce(sql, name) AS line FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        }
        _ => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' \
               || is_identity AS line FROM information_schema.columns WHERE table_schema = 'public' \
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
             UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
               WHERE connamespace = 'public'::regnamespace"
        }
    };
    let mut lines: Vec<String> = rows(database, sql).await;
    lines.sort();
    lines
}

/// The first column of every row.
async fn rows(database: &Database, sql: &str) -> Vec<String> {
    let rows =
        database.reader().query_all_raw(Statement::from_string(database.backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Runs one statement that writes.
async fn execute(database: &Database, sql: &str) {
    let transaction = database.begin_write().await.unwrap();
    transaction.execute_unprepared(sql).await.unwrap();
    transaction.commit().await.unwrap();
}

/// The schema that one undisturbed run makes.
async fn expected_schema(like: &TestDatabase) -> Vec<String> {
    let alone = match like.url().sqlite_path() {
        Some(_) => TestDatabase::sqlite(),
        None => TestDatabase::postgres().await,
    };
    for service in migration::Service::ALL.iter().copied() {
        migration::up(service, alone.url(), None).await.unwrap();
    }
    let database = alone.open().await;
    let schema = schema_of(&database).await;
    database.close().await.unwrap();
    schema
}
