//! `platform status`: what a running platform tells of itself, and how the command ends.

use kit::testing::TestDatabase;

use crate::process::{PASSWORD, Place, wait_for};

#[test]
fn a_running_platform_tells_how_it_stands_and_none_is_told_as_such() {
    let place = Place::new();
    place.run(&["status"]).failed(5, "no platform runs here");
    let platform = place.serve(&[]);
    let place = &platform.place;
    platform.create("ada@example.com", &["--admin"]);
    place.run_with(&["token", "issue", "--email", "ada@example.com", "--password-stdin"], PASSWORD).done();
    let told = wait_for("the count of sessions", || {
        let told = place.run(&["status", "-o", "json"]).done().json();
        (told["sessions"] == 1).then_some(told)
    });
    assert_eq!(told["state"], "ready");
    assert_eq!(told["pid"], platform.child.id());
    assert_eq!(told["api"], format!("http://{}", platform.gateway()));
    let users = &told["services"][0];
    assert_eq!(
        (&users["service"], &users["healthy"], &users["instances"]),
        (&"users".into(), &1.into(), &1.into())
    );
    assert!(told["requests"]["total"].as_i64().unwrap() >= 2 && told["requests"]["failed"] == 0, "{told}");
    assert!(told["memory_bytes"].as_u64().unwrap() > 1_000_000, "{told}");
    assert!(told["open_files"].as_u64().unwrap() < told["open_files_limit"].as_u64().unwrap(), "{told}");
    assert!(told["databases"]["users"].as_str().unwrap().ends_with("users.db"), "{told}");
    let table = place.run(&["status"]).done().stdout;
    for words in ["State", "ready", "users: 1 of 1 healthy", "Sessions"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let elsewhere = Place::new();
    let url = format!("http://{}", platform.gateway());
    let told = elsewhere.run(&["status", "--url", &url, "-o", "json"]).done().json();
    assert_eq!(told["state"], "alive");
    elsewhere.run(&["status", "--url", "http://127.0.0.1:1"]).failed(5, "can't be reached");
}

#[test]
fn one_that_was_killed_is_told_by_what_it_left_behind() {
    let mut platform = Place::new().serve(&[]);
    let pid = platform.child.id();
    platform.signal("KILL");
    platform.end();
    for command in [["status"].as_slice(), &["reload"], &["user", "list"]] {
        let told = platform.place.run(command).failed(5, "no platform runs here").stderr;
        assert!(told.contains(&format!("platform.run names process {pid}, which is gone")), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_can_t_serve_is_told_with_the_reason_and_exit_code_1() {
    let gateway = TestDatabase::postgres().await;
    let platform = Place::new().with("PLATFORM__GATEWAY__DATABASE_URL", &gateway.url().expose()).serve(&[]);
    platform.place.run(&["status"]).done();
    tokio::task::spawn_blocking(move || drop(gateway)).await.unwrap();
    let told = platform.place.run(&["status", "-o", "json"]).ended(1);
    assert_eq!(told.json()["state"], "not ready");
    assert!(told.stderr.contains("database"), "{told:#?}");
}

#[test]
fn a_service_alone_tells_of_itself() {
    let platform = Place::new().serve(&["users", "--migrate"]);
    let told = platform.place.run(&["status", "-o", "json"]).done().json();
    assert_eq!((&told["state"], &told["services"]), (&"ready".into(), &serde_json::json!([])));
    assert!(told["api"].is_null(), "{told}");
}
