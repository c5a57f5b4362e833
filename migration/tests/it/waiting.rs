//! A database that is not up, never will be, or is in another process's hands.

use std::time::Duration;

use kit::{
    database::{DatabaseError, DatabaseUrl},
    on_both_databases,
    testing::TestDatabase,
};
use migration::{MigrationError, Service, up};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::timeout,
};

on_both_databases! {
    async fn a_migration_waits_for_the_one_that_runs(database: TestDatabase) {
        up(Service::Gateway, database.url(), Some(1)).await.unwrap();
        let open = database.open().await;
        let running = open.begin_write().await.unwrap();
        // On PostgreSQL a lock on the tracking table is what the other meets; on SQLite the write lock.
        if database.url().sqlite_path().is_none() {
            use sea_orm::ConnectionTrait;
            running.execute_unprepared("LOCK TABLE gateway_migrations").await.unwrap();
        }
        let waiting = up(Service::Gateway, database.url(), None);
        tokio::pin!(waiting);
        assert!(timeout(Duration::from_millis(1_500), &mut waiting).await.is_err(), "it did not wait");
        running.commit().await.unwrap();
        assert!(!waiting.await.unwrap().is_empty());
        assert!(up(Service::Gateway, database.url(), None).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_is_not_up_yet_is_waited_for() {
    let database = TestDatabase::postgres().await;
    let server = url::Url::parse(&database.url().expose()).unwrap();
    let behind = format!("127.0.0.1:{}", server.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut front = server.clone();
    front.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    // The first three connections end at once, as while a server starts behind its port.
    tokio::spawn(async move {
        for number in 0.. {
            let (mut client, _) = listener.accept().await.unwrap();
            if number >= 3 {
                let mut server = TcpStream::connect(&behind).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        }
    });
    let url: DatabaseUrl = front.as_str().parse().unwrap();
    up(Service::Users, &url, None).await.unwrap();
}

#[tokio::test]
async fn what_waiting_cannot_mend_fails_at_once() {
    let database = TestDatabase::postgres().await;
    let good = url::Url::parse(&database.url().expose()).unwrap();
    let mut unknown_database = good.clone();
    unknown_database.set_path("/no_such_database");
    let mut unknown_user = good;
    unknown_user.set_username("nobody_of_this_name").unwrap();
    for url in [unknown_database, unknown_user] {
        let url: DatabaseUrl = url.as_str().parse().unwrap();
        let error =
            timeout(Duration::from_secs(3), up(Service::Users, &url, None)).await.unwrap().unwrap_err();
        assert!(matches!(error, MigrationError::Database(DatabaseError::Refused(_))), "{error}");
    }
}
