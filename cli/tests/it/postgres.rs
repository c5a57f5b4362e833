//! The same commands on PostgreSQL: chosen by URL, migrated by several processes at once, refused with the reason.

use std::time::{Duration, Instant};

use kit::testing::TestDatabase;

use crate::process::Place;

fn place(users: &TestDatabase, gateway: &TestDatabase) -> Place {
    Place::new()
        .with("PLATFORM__USERS__DATABASE_URL", &users.url().expose())
        .with("PLATFORM__GATEWAY__DATABASE_URL", &gateway.url().expose())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_migrations_at_once_make_one_schema_and_serve_runs_on_it() {
    let (users, gateway) = (TestDatabase::postgres().await, TestDatabase::postgres().await);
    let place = place(&users, &gateway);
    let children: Vec<_> = (0..4).map(|_| place.command(&["migrate", "up"]).spawn().unwrap()).collect();
    let mut applied = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        applied += String::from_utf8(output.stdout).unwrap().lines().count();
    }
    let status = place.run(&["migrate", "status", "-o", "json"]).done().json();
    assert_eq!(status.as_array().unwrap().len(), applied, "each migration was applied once");
    assert!(status.as_array().unwrap().iter().all(|row| row["applied"] == true));

    let mut platform = place.serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    let listed = platform.place.run(&["user", "list", "-o", "json"]).done().json();
    assert_eq!(listed[0]["email"], "ada@example.com");
    platform.signal("TERM");
    assert_eq!(platform.end(), Some(0), "{}", platform.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_database_is_refused_at_once_and_without_its_url() {
    let (users, gateway) = (TestDatabase::postgres().await, TestDatabase::postgres().await);
    let place = place(&users, &gateway);
    let unknown = format!("{}_S3NT", users.url().expose());
    let place = place.with("PLATFORM__USERS__DATABASE_URL", &unknown);
    for command in [&["migrate", "up"][..], &["serve"]] {
        let begun = Instant::now();
        let ended = place.run(command).ended(1);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert!(ended.stderr.contains("error: "), "{ended:#?}");
    }
}
