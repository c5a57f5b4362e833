//! A database that is not up yet, goes away and comes back (C52), and many who migrate at once (C49).

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kit::database::DatabaseUrl;
use kit::testing::{TestDatabase, TestPostgres, execute};

use crate::process::{PASSWORD, Place, Platform, wait_for};

const SECRET: &str = "S3NT-xV7-q0Lk9mZ2wTf4";

/// The head of an answer, in lower case.
fn get(address: &str, path: &str, token: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    let token = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\n{token}connection: close\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer.to_lowercase()
}

fn status(address: &str, path: &str, token: &str) -> String {
    get(address, path, token).split(' ').nth(1).unwrap().to_owned()
}

async fn databases(server: &TestPostgres) -> Place {
    let url: DatabaseUrl = server.url(SECRET, "postgres").parse().unwrap();
    execute(&url, "CREATE DATABASE users").await;
    execute(&url, "CREATE DATABASE gateway").await;
    Place::new()
        .with("PLATFORM__USERS__DATABASE_URL", &server.url(SECRET, "users"))
        .with("PLATFORM__GATEWAY__DATABASE_URL", &server.url(SECRET, "gateway"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_late_is_waited_for_and_one_that_refuses_is_not() {
    let server = TestPostgres::with_password(SECRET);
    server.start();
    let place = databases(&server).await;
    server.stop();
    let log = place.path().join("log");
    let mut child =
        place.command(&["migrate", "up"]).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let read = || fs::read_to_string(&log).unwrap();
    wait_for("two tries", || (read().matches("not up yet").count() >= 2).then_some(()));
    assert!(child.try_wait().unwrap().is_none());
    server.start();
    let ended = wait_for("the end of migrate", || child.try_wait().unwrap());
    assert!(ended.success(), "{}", read());
    let lines = read().lines().filter(|line| line.contains("not up yet")).count();
    assert!(lines < 20 && !read().contains("S3NT"), "{}", read());

    for (url, words) in [
        (server.url("S3NT-another", "users"), "password authentication failed"),
        (server.url(SECRET, "nowhere"), "does not exist"),
    ] {
        let wrong = Place::new().with("PLATFORM__USERS__DATABASE_URL", &url);
        for command in [&["migrate", "up", "--service", "users"][..], &["serve", "users", "--migrate"]] {
            let begun = Instant::now();
            let ended = wrong.run(command).ended(1);
            assert!(ended.stderr.contains(words) && !ended.stderr.contains("S3NT"), "{ended:#?}");
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        }
    }
}

/// A platform with an admin's token, and a service whose operations need nothing of the gateway's database.
fn serving(place: Place) -> (Platform, String) {
    let platform = place.serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    let issue = ["token", "issue", "-e", "ada@example.com", "--password-stdin"];
    let token = platform.place.run_with(&issue, PASSWORD).done().stdout.trim().to_owned();
    (platform, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_while_serving_is_503_where_it_is_needed_and_all_is_well_again_without_a_restart()
 {
    let server = TestPostgres::with_password(SECRET);
    server.start();
    let place = databases(&server).await;
    let (platform, token) = serving(place);
    let (api, ops) = (platform.gateway(), platform.run["ops"].as_str().unwrap().to_owned());
    assert_eq!(status(&api, "/api_v1/users", &token), "200");
    server.stop();
    wait_for("not ready", || (status(&ops, "/readyz", "") == "503").then_some(()));
    assert_eq!(status(&api, "/healthz", ""), "200");
    let refused = get(&api, "/api_v1/users", &token);
    assert!(refused.starts_with("http/1.1 503") && refused.contains("\r\nretry-after: "), "{refused}");
    assert!(refused.contains("application/problem+json"), "{refused}");
    // What needs no database goes on.
    assert_eq!(status(&api, "/.well-known/jwks.json", ""), "200");
    assert_eq!(status(&api, "/api_v1/openapi.json", ""), "200");
    server.start();
    let begun = Instant::now();
    wait_for("all well", || {
        let well = status(&ops, "/readyz", "") == "200" && status(&api, "/api_v1/users", &token) == "200";
        well.then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!platform.log().contains("S3NT"));
}

/// Five at once, again and again, on databases of either kind.
fn migrate_at_once(make: impl Fn() -> Place) {
    for round in 0..4 {
        let place = make();
        let children: Vec<_> = (0..5).map(|_| place.command(&["migrate", "up"]).spawn().unwrap()).collect();
        let mut applied = 0;
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "round {round}: {}", String::from_utf8_lossy(&output.stderr));
            applied += String::from_utf8(output.stdout).unwrap().lines().count();
        }
        let all = place.run(&["migrate", "status", "-o", "json"]).done().json();
        assert_eq!(all.as_array().unwrap().len(), applied, "round {round}: each was applied once");
        assert!(all.as_array().unwrap().iter().all(|row| row["applied"] == true));
    }
}

#[test]
fn five_migrations_at_once_apply_each_once_on_sqlite() {
    migrate_at_once(|| {
        let place = Place::new();
        fs::create_dir(place.data()).unwrap();
        place
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_that_migrate_as_they_start_all_serve() {
    let (users, gateway) = (TestDatabase::postgres().await, TestDatabase::postgres().await);
    let key =
        secrecy::ExposeSecret::expose_secret(&gateway::MasterKey::generate().unwrap().to_base64()).to_owned();
    let place = || {
        Place::new()
            .with("PLATFORM__USERS__DATABASE_URL", &users.url().expose())
            .with("PLATFORM__GATEWAY__DATABASE_URL", &gateway.url().expose())
            .with("PLATFORM__GATEWAY__MASTER_KEY", &key)
    };
    let replicas: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn({
                let place = place();
                // What it tells of itself stands there, and nothing that must last.
                fs::create_dir(place.data()).unwrap();
                move || place.serve(&["--migrate"])
            })
        })
        .collect();
    for replica in replicas {
        let replica = replica.join().unwrap();
        assert_eq!(status(&replica.gateway(), "/healthz", ""), "200");
        replica.place.run(&["migrate", "status"]).done();
    }
}
