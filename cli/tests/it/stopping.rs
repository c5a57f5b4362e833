//! The end of `serve`: signals, what is left behind, and readers that go away.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::process::{Place, wait_for};

#[test]
fn either_signal_stops_it_at_once_when_idle_and_it_leaves_nothing_behind() {
    for signal in ["TERM", "INT"] {
        let mut platform = Place::new().serve(&[]);
        let begun = Instant::now();
        platform.signal(signal);
        assert_eq!(platform.end(), Some(0), "{}", platform.log());
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert!(!platform.place.data().join("platform.run").exists());
        let wal = std::fs::metadata(platform.place.data().join("users.db-wal")).map_or(0, |data| data.len());
        assert_eq!(wal, 0, "the write-ahead log is not checkpointed");
    }
}

#[test]
fn a_second_signal_ends_it_although_a_client_holds_on() {
    let mut platform = Place::new().serve(&[]);
    // A request whose body never comes keeps the drain waiting.
    let mut client = TcpStream::connect(platform.gateway()).unwrap();
    client.write_all(b"POST /api_v1/auth/access HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{").unwrap();
    let begun = Instant::now();
    platform.signal("TERM");
    wait_for("the first signal's note", || platform.log().contains("stopping").then_some(()));
    platform.signal("TERM");
    assert_eq!(platform.end(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn it_can_be_started_again_on_what_it_left() {
    let mut platform = Place::new().serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    let token = platform.place.run(&["token", "issue", "--operator"]).done().stdout;
    platform.child.kill().unwrap();
    platform.end();
    // Nothing was tidied up: the run file of a process that is gone counts for nothing.
    assert!(platform.place.data().join("platform.run").exists());
    platform.place.run(&["user", "list"]).failed(5, "no platform runs here");
    let folder = std::mem::replace(&mut platform.place, Place::new());
    let again = folder.serve(&[]);
    let listed = again.place.run(&["user", "list", "-o", "json"]).done().json();
    assert_eq!(listed[0]["email"], "ada@example.com");
    // The port is another one, and so is the issuer.
    again.place.run_with(&["token", "verify"], &token).ended(1);
}

#[test]
fn it_goes_on_when_the_reader_of_its_logs_is_gone() {
    let place = Place::new();
    let mut child = place.command(&["serve"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    drop(child.stdout.take());
    let run_file = place.data().join("platform.run");
    let run: serde_json::Value =
        wait_for("platform.run", || serde_json::from_str(&std::fs::read_to_string(&run_file).ok()?).ok());
    for _ in 0..3 {
        let mut client = TcpStream::connect(run["gateway"].as_str().unwrap()).unwrap();
        client.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_signal_ends_it_while_it_waits_for_a_database() {
    let place = Place::new()
        .with("PLATFORM__USERS__DATABASE_URL", "postgres://u:S3NT@127.0.0.1:1/d")
        .with("PLATFORM__GATEWAY__DATABASE_URL", "postgres://u:S3NT@127.0.0.1:1/e");
    let log = place.path().join("log");
    let mut child = place.command(&["serve"]).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let read = || std::fs::read_to_string(&log).unwrap();
    wait_for("the first try", || read().contains("not up yet").then_some(()));
    let begun = Instant::now();
    let kill = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let ended = wait_for("its end", || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0), "{}", read());
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(!read().contains("S3NT"), "{}", read());
}
