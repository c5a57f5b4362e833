//! The start of `serve`: what it makes, what it refuses, and how it says so.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;

use crate::process::Place;

#[test]
fn it_makes_its_folder_and_key_for_its_owner_alone() {
    let platform = Place::new().serve(&[]);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = platform.place.data();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("master.key")), 0o600);
    assert_eq!(mode(&data.join("platform.run")), 0o600);
}

#[test]
fn services_are_listed_with_how_their_instances_stand_where_a_platform_runs() {
    let place = Place::new();
    let idle = place.run(&["service", "list", "-o", "json"]).done();
    assert_eq!(idle.json()[0]["instances"], serde_json::Value::Null);
    assert!(idle.stderr.contains("No platform runs here"), "{idle:#?}");
    let platform = place.serve(&[]);
    let listed = crate::process::wait_for("a look at the contract", || {
        let listed = platform.place.run(&["service", "list", "-o", "json"]).done();
        (listed.json()[0]["agreement"] == "equal").then_some(listed)
    });
    let users = &listed.json()[0];
    assert_eq!((&users["service"], &users["instances"][0]["healthy"]), (&"users".into(), &true.into()));
    assert_eq!(users["instances"][0]["address"], platform.run["users"]);
    assert_eq!(listed.stderr, "");
    let table = platform.place.run(&["service", "list"]).done();
    assert!(table.stdout.contains("HEALTHY") && table.stdout.contains("1 of 1"), "{table:#?}");
    // Every few seconds one: they would bury what others ask.
    if std::env::var("RUST_LOG").is_err() {
        let of_looks = |line: &&str| {
            ["\"access\"", "\"users\"", "\"operation\":\"-\""].iter().all(|part| line.contains(part))
        };
        assert_eq!(platform.log().lines().find(of_looks), None);
    }
}

#[test]
fn a_second_one_on_the_same_folder_is_refused() {
    let platform = Place::new().serve(&[]);
    let again = platform.place.run(&["serve"]).ended(1);
    assert!(
        again.stderr.contains("runs already") && again.stderr.contains(&platform.child.id().to_string()),
        "{again:#?}"
    );
}

#[test]
fn a_port_in_use_is_told_with_its_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setting in ["gateway.listen", "users.listen", "ops.listen"] {
        let begun = Instant::now();
        let ended = Place::new().run(&[
            "serve",
            "--set",
            &format!("{setting}={address}"),
            "--set",
            "log.level=error",
        ]);
        let ended = ended.failed(1, "another process listens there");
        assert!(ended.stderr.contains(&address) && ended.stderr.contains(setting), "{ended:#?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn all_ports_in_use_are_told_at_once_and_nothing_is_made() {
    let taken: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<String> = taken.iter().map(|taken| taken.local_addr().unwrap().to_string()).collect();
    let settings = [format!("ops.listen={}", addresses[0]), format!("users.listen={}", addresses[1])];
    let place = Place::new();
    let ended = place.run(&["serve", "--set", &settings[0], "--set", &settings[1]]);
    let told = ended.failed(1, "another process listens there").stderr;
    for part in [
        "ops.listen",
        "users.listen",
        "PLATFORM__OPS__LISTEN",
        "PLATFORM__USERS__LISTEN",
        &addresses[0],
        &addresses[1],
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("gateway.listen") && !place.data().exists(), "{told}");
}

#[test]
fn a_folder_that_can_not_be_used_is_told_with_path_and_mend() {
    let place = Place::new();
    fs::write(place.path().join("file"), "").unwrap();
    let begun = Instant::now();
    for folder in ["file", "file/inside", "/proc/nothing"] {
        let ended = place.run(&["serve", "--data-dir", folder]).failed(1, folder);
        assert!(ended.stderr.contains("--data-dir"), "{ended:#?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn single_services_do_not_migrate_unless_told_to() {
    let place = Place::new();
    let refused = place.run(&["serve", "users", "--set", "log.level=error"]).failed(1, "behind this version");
    assert!(refused.stderr.contains("platform migrate up --service users"), "{refused:#?}");
    place.run(&["migrate", "up"]).done();
    place.run(&["serve", "gateway", "--set", "log.level=error"]).failed(1, "there is no master key");
    let users = place.serve(&["users"]);
    assert!(users.run["users"].is_string() && users.run["gateway"].is_null());
}

#[test]
fn the_two_services_run_apart_as_they_run_together() {
    let port = |listener: TcpListener| listener.local_addr().unwrap().to_string();
    let gateway = port(TcpListener::bind("127.0.0.1:0").unwrap());
    let users_place = Place::new().with("PLATFORM__USERS__GATEWAY_URL", &format!("http://{gateway}"));
    let users = users_place.serve(&["users", "--migrate"]);
    let at = users.run["users"].as_str().unwrap().to_owned();
    let place = Place::new().with("PLATFORM__USERS__URL", &format!("http://{at}"));
    let platform = place.serve(&["gateway", "--migrate", "--listen", &gateway]);
    platform.create("ada@example.com", &["--admin"]);
    let listed = platform.place.run(&["user", "list", "-o", "json"]).done().json();
    assert_eq!(listed[0]["email"], "ada@example.com");
}

#[test]
fn a_lost_master_key_is_told_and_not_replaced() {
    let mut platform = Place::new().serve(&[]);
    platform.signal("TERM");
    platform.end();
    let other = gateway::MasterKey::generate().unwrap().to_base64();
    fs::write(platform.place.data().join("master.key"), other.expose_secret()).unwrap();
    let ended = platform.place.run(&["serve", "--set", "log.level=error"]).failed(1, "signing keys");
    assert!(ended.stderr.contains("master.key"), "{ended:#?}");
}

#[test]
fn migrations_go_up_and_down_and_tell_where_they_stand() {
    let place = Place::new();
    let pending = place.run(&["migrate", "status", "-o", "json"]).done().json();
    assert!(pending.as_array().unwrap().iter().all(|row| row["applied"] == false));
    assert!(!place.data().join("users.db").exists(), "looking makes nothing");
    let planned = place.run(&["migrate", "up", "--dry-run"]).done();
    assert_eq!(planned.stdout.lines().count(), pending.as_array().unwrap().len());
    place.run(&["migrate", "up"]).done();
    assert_eq!(place.run(&["migrate", "up"]).done().stdout, "");
    place.run(&["migrate", "down", "--service", "users"]).failed(2, "--yes");
    place.run(&["migrate", "down", "--service", "users", "--yes"]).done();
    let status = place.run(&["migrate", "status", "--service", "users", "-o", "json"]).done().json();
    assert_eq!(status.as_array().unwrap().last().unwrap()["applied"], false);
    place.run(&["migrate", "up"]).done();
    place.run(&["migrate", "redo", "--yes"]).done();
    place.run(&["migrate", "fresh", "--yes"]).done();
    let status = place.run(&["migrate", "status", "-o", "json"]).done().json();
    assert!(status.as_array().unwrap().iter().all(|row| row["applied"] == true));
    let server = ["migrate", "fresh", "--yes", "--service", "users"];
    let place = place.with("PLATFORM__USERS__DATABASE_URL", "postgres://u:S3NT@127.0.0.1:1/d");
    let refused = place.run(&server).failed(1, "--force");
    assert!(!refused.stderr.contains("S3NT"));
}
