//! An empty database for one test, gone when the test ends.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::postgres;
use crate::database::{Database, DatabaseUrl};

/// An empty database. Dropping it deletes it, whoever is still connected.
#[derive(Debug)]
pub struct TestDatabase {
    url: DatabaseUrl,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Sqlite { _directory: TempDir },
    Postgres { server: String, name: String },
}

impl TestDatabase {
    /// A file in a directory of its own.
    #[must_use]
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let url = format!("sqlite://{}/test.db", directory.path().display());
        Self { url: url.parse().expect("the path makes a URL"), kept: Kept::Sqlite { _directory: directory } }
    }

    /// A database on the server that `PLATFORM_TEST_POSTGRES_URL` names, else on a throw-away one that is started for all
    /// tests of this machine and stops by itself.
    pub async fn postgres() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = postgres::server();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{}", uuid::Uuid::new_v4().simple(), number);
        run(&server, &format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(&server).expect("PLATFORM_TEST_POSTGRES_URL is a URL");
        url.set_path(&name);
        Self {
            url: url.as_str().parse().expect("the server's URL names a host"),
            kept: Kept::Postgres { server, name },
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Opens it.
    pub async fn open(&self) -> Database {
        Database::connect(&self.url, 8, "platform-test").await.expect("the test database can be opened")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Kept::Postgres { server, name } = &self.kept else { return };
        let (server, drop) = (server.clone(), format!("DROP DATABASE {name} WITH (FORCE)"));
        // A runtime of its own: this one may be going down.
        let dropping = thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be built")
                .block_on(run(&server, &drop));
        });
        let dropped = dropping.join().is_ok();
        assert!(dropped || thread::panicking(), "the test database was not deleted");
    }
}

async fn run(server: &str, statement: &str) {
    let url = server.parse().expect("PLATFORM_TEST_POSTGRES_URL is a PostgreSQL URL with a database name");
    execute(&url, statement).await;
}

/// Runs a statement, or several, in this database.
pub async fn execute(url: &DatabaseUrl, statement: &str) {
    let database = Database::connect_single(url, "platform-test").await.unwrap_or_else(|error| {
        panic!(
            "no PostgreSQL at {url} ({error}): unset PLATFORM_TEST_POSTGRES_URL to have the tests start one"
        )
    });
    database.reader().execute_unprepared(statement).await.expect("the statement is right");
    database.close().await.expect("the connection closes");
}
