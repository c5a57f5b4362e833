//! Faults of the databases.

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use kit::database::DatabaseUrl;
use kit::testing::{TestDatabase, TestPostgres, execute};

use super::{fault, only_fault, sound_and_stopped};
use crate::process::{Place, Platform};

const SECRET: &str = "hunter2-xV7-q0Lk9mZ2wTf4";

/// The users' database of a platform that was stopped.
fn users_of(platform: &Platform) -> DatabaseUrl {
    format!("sqlite://{}", platform.place.data().join("users.db").display()).parse().unwrap()
}

#[test]
fn a_server_that_is_not_there_is_found() {
    let url = format!("postgres://platform:{SECRET}@127.0.0.1:1/users");
    let place = Place::new().with("PLATFORM__USERS__DATABASE_URL", &url);
    only_fault(&place, &[], "database", "can't be reached");
}

#[test]
fn a_wrong_password_and_an_unknown_database_are_found() {
    let server = TestPostgres::with_password(SECRET);
    server.start();
    let at = |password: &str, database: &str| {
        Place::new().with("PLATFORM__USERS__DATABASE_URL", &server.url(password, database))
    };
    only_fault(
        &at("hunter2-another-Lk9mZ2wTf4", "postgres"),
        &[],
        "database",
        "password authentication failed",
    );
    only_fault(&at(SECRET, "nowhere"), &[], "database", "\"nowhere\\\" does not exist");
    server.stop();
    only_fault(&at(SECRET, "postgres"), &[], "database", "can't be reached");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_behind_or_ahead_is_found() {
    let platform = sound_and_stopped(Place::new());
    let place = &platform.place;
    place.run(&["migrate", "down", "--service", "users", "--yes"]).done();
    let behind = only_fault(place, &[], "schema", "migrations are pending");
    assert_eq!(behind["mend"], "platform migrate up --service users");
    place.run(&["migrate", "up"]).done();
    let newer = "INSERT INTO users_migrations (version, applied_at) VALUES ('m20990101_000001_later', 0)";
    execute(&users_of(&platform), newer).await;
    only_fault(place, &[], "schema", "m20990101_000001_later");
}

#[test]
fn a_damaged_file_is_found() {
    let platform = sound_and_stopped(Place::new());
    let path = platform.place.data().join("users.db");
    let whole = fs::read(&path).unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // Everything but the head and the list of tables.
    file.seek(SeekFrom::Start(8192)).unwrap();
    file.write_all(&vec![0x5a; whole.len() - 8192]).unwrap();
    only_fault(&platform.place, &[], "database-damage", "users");
    fs::write(&path, "no database at all, and long enough to be looked at as one".repeat(100)).unwrap();
    only_fault(&platform.place, &[], "database-damage", "not a database");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_differs_is_found() {
    let users = TestDatabase::postgres().await;
    let place = Place::new().with("PLATFORM__USERS__DATABASE_URL", &users.url().expose());
    place.run(&["migrate", "up"]).done();
    // What this database tells for the time is an hour and a half behind.
    execute(
        users.url(),
        "CREATE SCHEMA late;
         CREATE FUNCTION late.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS 'SELECT pg_catalog.clock_timestamp() - interval ''90 minutes''';
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = late, pg_catalog, public', current_database()); END $$",
    )
    .await;
    fault(&place, &[], "clock", "5400 s behind this machine's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_connections_than_are_wanted_are_found() {
    let users = TestDatabase::postgres().await;
    let place = Place::new().with("PLATFORM__USERS__DATABASE_URL", &users.url().expose());
    place.run(&["migrate", "up"]).done();
    execute(
        users.url(),
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 3', current_database()); END $$",
    )
    .await;
    fault(&place, &[], "database-connections", "takes 3 connections, and this process wants 10");
}

#[test]
fn a_platform_that_nobody_can_administer_is_found() {
    let platform = Place::new().serve(&[]);
    only_fault(&platform.place, &[], "administrator", "no active administrator");
    platform.create("ada@example.com", &[]);
    only_fault(&platform.place, &[], "administrator", "no active administrator");
    platform.create("grace@example.com", &["--admin"]);
    assert_eq!(super::examined(&platform.place, &[]).0, Some(0));
}
