//! Several processes on one database: this test program starts itself again as the others.

use std::{env, process::Stdio};

use kit::{on_both_databases, testing::TestDatabase};
use migration::{Service, down, up};
use tokio::process::{Child, Command};

use crate::{expected_schema, rows, schema_of};

const URL: &str = "MIGRATION_TEST_URL";
const DOWN_FIRST: &str = "MIGRATION_TEST_DOWN_FIRST";

/// What another process does. Run by the tests below, never by itself.
#[tokio::test]
#[ignore = "is the other process"]
async fn other_process() {
    let url = env::var(URL).unwrap().parse().unwrap();
    loop {
        for service in Service::ALL.iter().copied() {
            up(service, &url, None).await.unwrap();
        }
        if env::var_os(DOWN_FIRST).is_none() {
            break;
        }
        for service in Service::ALL.iter().copied() {
            down(service, &url, None).await.unwrap();
        }
    }
}

fn start(database: &TestDatabase, up_and_down_for_ever: bool) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "processes::other_process", "--ignored", "--nocapture"])
        .env(URL, database.url().expose())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    if up_and_down_for_ever {
        command.env(DOWN_FIRST, "1");
    }
    command.spawn().unwrap()
}

on_both_databases! {
    async fn four_processes_migrate_at_once_and_each_migration_is_applied_once(database: TestDatabase) {
        let expected = expected_schema(&database).await;
        let open = database.open().await;
        for _round in 0..3 {
            let others: Vec<Child> = (0..4).map(|_| start(&database, false)).collect();
            for mut other in others {
                assert!(other.wait().await.unwrap().success());
            }
            assert_eq!(schema_of(&open).await, expected);
            for service in Service::ALL.iter().copied() {
                let applied = rows(&open, &format!("SELECT version FROM {} ORDER BY version", service.schema().table)).await;
                assert_eq!(applied, service.schema().migrations);
                down(service, database.url(), None).await.unwrap();
            }
        }
    }

    async fn a_process_killed_in_the_middle_leaves_nothing_half_done(database: TestDatabase) {
        let expected = expected_schema(&database).await;
        let open = database.open().await;
        for round in 0..6_u32 {
            let mut other = start(&database, true);
            // Killed at a different point each time: it is somewhere in its endless up and down.
            for _ in 0..=round {
                let _ = migration::status(Service::Users, database.url()).await.unwrap();
            }
            other.kill().await.unwrap();
            for service in Service::ALL.iter().copied() {
                up(service, database.url(), None).await.unwrap();
            }
            assert_eq!(schema_of(&open).await, expected, "round {round}");
        }
    }
}
