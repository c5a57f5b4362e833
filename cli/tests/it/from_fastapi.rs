//! The users of the replaced system move by one command, straight from the table in which that system keeps them.

use std::fs;

use kit::database::Database;
use kit::testing::TestDatabase;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::process::{Place, Platform};

const BCRYPT: &str = "$2b$05$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6";
const OF_BCRYPT: &str = "träumende Kühe 42";

/// As `SQLAlchemy` makes it from that system's model.
const TABLE: &str = "
    CREATE TABLE users (
        id SERIAL NOT NULL, email VARCHAR NOT NULL, hashed_password VARCHAR NOT NULL, is_active BOOLEAN,
        first_name VARCHAR, last_name VARCHAR, PRIMARY KEY (id));
    CREATE UNIQUE INDEX ix_users_email ON users (email);
    CREATE INDEX ix_users_id ON users (id);";

/// 2,000 ordinary people and those that its rules let in.
async fn theirs() -> (TestDatabase, Database) {
    let database = TestDatabase::postgres().await;
    let open = database.open().await;
    run(&open, TABLE).await;
    let insert = "INSERT INTO users (email, hashed_password, is_active, first_name, last_name)";
    run(
        &open,
        &format!(
            "{insert} SELECT 'u' || n || '@example.com', '{BCRYPT}', n % 10 <> 0, 'First ' || n, 'O''Last' \
             FROM generate_series(1, 2000) n;
             {insert} VALUES ('Ann@Example.com', '{BCRYPT}', true, '', NULL), ('ann@example.com', '{BCRYPT}', true, 'Ann', 'Two'),
             ('nobody@example.com', '{BCRYPT}', NULL, NULL, NULL), ('Bob <bob@example.com>', '{BCRYPT}', true, NULL, NULL),
             ('odd@example.com', 'S3NT in clear', true, NULL, NULL)"
        ),
    )
    .await;
    (database, open)
}

async fn run(open: &Database, sql: &str) {
    let transaction = open.begin_write().await.unwrap();
    transaction.execute_unprepared(sql).await.unwrap();
    transaction.commit().await.unwrap();
}

fn with_password(database: &TestDatabase) -> String {
    database.url().expose().replacen("postgres://postgres@", "postgres://postgres:S3NT@", 1)
}

fn show(platform: &Platform, email: &str) -> serde_json::Value {
    platform.place.run(&["user", "show", email, "-o", "json"]).done().json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_users_of_the_fastapi_system_move_by_one_command_and_keep_their_passwords() {
    let (database, open) = theirs().await;
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let url = database.url().expose();
    let import = |more: &[&str]| {
        place.run(&[&["user", "import", "--from-postgres", &url, "-o", "json"], more].concat())
    };

    // Two people there are one here: who is it? Nothing is sent until somebody has said so.
    let two = import(&[]).failed(1, "1 users of the table have an address that another one has too");
    assert!(two.stdout.is_empty(), "{two:#?}");
    let named = fs::read_to_string(place.path().join("users.refused.csv")).unwrap();
    assert_eq!(named, "line,email,reason\n2002,ann@example.com,email: the user 2001 has the same address\n");

    let dry = import(&["--take-first", "--dry-run"]).ended(1);
    assert_eq!(dry.json(), json!({"created": 2002, "exists": 0, "refused": 3}));
    assert_eq!(place.run(&["user", "list", "-o", "json"]).done().json(), json!([]));

    let moved = import(&["--take-first"]).ended(1);
    assert_eq!(moved.json(), json!({"created": 2002, "exists": 0, "refused": 3}));
    let refused = fs::read_to_string(place.path().join("users.refused.csv")).unwrap();
    let keys: Vec<&str> = refused.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(keys, ["line", "2002", "2004", "2005"], "{refused}");
    assert!(!refused.contains("S3NT") && !moved.stderr.contains("S3NT"), "{refused}");

    let issue = ["token", "issue", "--email", "u1999@example.com", "--password-stdin"];
    place.run_with(&issue, OF_BCRYPT).done();
    place.run_with(&issue, "wrong").ended(4);
    let user = show(&platform, "u7@example.com");
    assert_eq!((&user["first_name"], &user["last_name"]), (&json!("First 7"), &json!("O'Last")));
    assert_eq!((&user["is_active"], &user["roles"]), (&json!(true), &json!(["user"])));
    assert_eq!(show(&platform, "u10@example.com")["is_active"], false);
    // Who was neither active nor inactive could not sign in there.
    assert_eq!(show(&platform, "nobody@example.com")["is_active"], false);
    assert_eq!(show(&platform, "ann@example.com")["email"], "Ann@Example.com");

    // Again, after somebody registered there: only that one is new.
    run(&open, &format!("INSERT INTO users (email, hashed_password) VALUES ('new@example.com', '{BCRYPT}')"))
        .await;
    let again = import(&["--take-first"]).ended(1);
    assert_eq!(again.json(), json!({"created": 1, "exists": 2002, "refused": 3}));
    assert!(!place.path().join("users.progress.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_of_that_database_is_taken_from_anywhere_but_the_command_line() {
    let (database, open) = theirs().await;
    run(&open, "DELETE FROM users WHERE id > 20").await;
    let url = with_password(&database);
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let refused = place.run(&["user", "import", "--from-postgres", &url]).failed(2, "--from-postgres-file");
    assert!(!refused.stderr.contains("S3NT"), "{refused:#?}");

    let mut command = place.command(&["user", "import", "-o", "json"]);
    let done = command.env("PLATFORM_IMPORT_FROM_POSTGRES", &url).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    fs::write(place.path().join("url"), format!("{url}\n")).unwrap();
    let again = place.run(&["user", "import", "--from-postgres-file", "url", "-o", "json"]).done();
    assert_eq!(again.json(), json!({"created": 0, "exists": 20, "refused": 0}));

    // What is wrong is told, and never with the URL.
    for (url, code, words) in [
        ("postgres://S3NT", 2, "can't be used"),
        ("mysql://u:S3NT@h/d", 2, "can't be used"),
        ("postgres://u:S3NT@127.0.0.1:1/d", 5, "postgres://u:…@127.0.0.1"),
    ] {
        fs::write(place.path().join("url"), url).unwrap();
        let wrong = place.run(&["user", "import", "--from-postgres-file", "url"]).failed(code, words);
        assert!(!wrong.stderr.contains("S3NT"), "{wrong:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_and_columns_of_other_names_are_named() {
    let (database, open) = theirs().await;
    run(
        &open,
        &format!(
            "DROP TABLE users; CREATE SCHEMA people; CREATE TABLE people.\"Account\" (
             key uuid PRIMARY KEY, mail text, passwd text, is_active integer, secret text);
             INSERT INTO people.\"Account\" SELECT gen_random_uuid(), 'u' || n || '@example.com', '{BCRYPT}', n % 2, 'S3NT'
             FROM generate_series(1, 1500) n"
        ),
    )
    .await;
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let url = database.url().expose();
    let from = ["user", "import", "--from-postgres", &url, "-o", "json"];
    place.run(&from).failed(3, "there is no table users or");
    let table = [&from[..], &["--table", "people.\"Account\""]].concat();
    place.run(&table).failed(2, "has no column email");
    let mail = [&table[..], &["--column", "email=mail"]].concat();
    place.run(&mail).failed(2, "has no column password_hash");
    let all = [&mail[..], &["--column", "password_hash=passwd"]].concat();
    // By uuid, over the end of a page.
    assert_eq!(place.run(&all).done().json(), json!({"created": 1500, "exists": 0, "refused": 0}));
    assert_eq!(show(&platform, "u2@example.com")["is_active"], false);
    assert_eq!(show(&platform, "u3@example.com")["is_active"], true);
}
