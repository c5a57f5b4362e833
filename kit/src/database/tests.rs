//! SQLite as opened by [`Database`]; PostgreSQL is tried by the suites of `migration` and `users`.

use std::str::FromStr;

use sea_orm::ConnectionTrait;

use super::*;

async fn open(directory: &tempfile::TempDir) -> Database {
    let url = format!("sqlite://{}/test.db", directory.path().display());
    Database::connect(&DatabaseUrl::from_str(&url).unwrap(), 4, "test").await.unwrap()
}

async fn value(connection: &impl ConnectionTrait, sql: &str) -> String {
    let row =
        connection.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap().unwrap();
    row.try_get_by_index::<String>(0)
        .or_else(|_| row.try_get_by_index::<i64>(0).map(|n| n.to_string()))
        .unwrap()
}

#[tokio::test]
async fn sqlite_runs_with_wal_normal_synchronous_and_foreign_keys() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory).await;
    for connection in [&database.reader, &database.writer] {
        assert_eq!(value(connection, "PRAGMA journal_mode").await, "wal");
        assert_eq!(value(connection, "PRAGMA synchronous").await, "1");
        assert_eq!(value(connection, "PRAGMA foreign_keys").await, "1");
    }
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory).await;
    assert!(database.reader().execute_unprepared("CREATE TABLE t (n INTEGER)").await.is_err());
}

#[tokio::test]
async fn transactions_that_read_and_then_write_all_succeed_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (open(&directory).await, open(&directory).await);
    first.writer.execute_unprepared("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (0)").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let database = if number % 2 == 0 { first.clone() } else { second.clone() };
        tasks.spawn(async move {
            let transaction = database.begin_write().await.unwrap();
            value(&transaction, "SELECT n FROM t").await;
            transaction.execute_unprepared("UPDATE t SET n = n + 1").await.unwrap();
            transaction.commit().await.unwrap();
        });
    }
    tasks.join_all().await;
    assert_eq!(value(first.reader(), "SELECT n FROM t").await, "16");
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory).await;
    let transaction = database.begin_write().await.unwrap();
    transaction.execute_unprepared("CREATE TABLE t (n INTEGER)").await.unwrap();
    transaction.commit().await.unwrap();
    database.close().await.unwrap();
    let files: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["test.db"]);
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_a_refusal_not_an_outage() {
    let url = DatabaseUrl::from_str("sqlite:///no/such/directory/test.db").unwrap();
    let error = Database::connect(&url, 1, "test").await.unwrap_err();
    assert!(matches!(error, DatabaseError::Refused(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_outage() {
    let url = DatabaseUrl::from_str("postgres://nobody:hunter2@127.0.0.1:1/none").unwrap();
    let error = Database::connect(&url, 1, "test").await.unwrap_err();
    assert!(error.is_unavailable() && !error.to_string().contains("hunter2"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_sqlite_file_and_its_companions_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let url: DatabaseUrl = format!("sqlite://{}/new.db", folder.path().display()).parse().unwrap();
    let database = Database::connect(&url, 2, "test").await.unwrap();
    database.begin_write().await.unwrap().execute_unprepared("CREATE TABLE t (x INTEGER)").await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}
