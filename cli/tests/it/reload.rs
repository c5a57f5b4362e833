//! A changed configuration, read by a running platform: by the command, and by the signal alone.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::process::{Place, Platform, wait_for};

const PAGE: &str = "https://app.example";

fn write(place: &Place, text: &str) {
    fs::write(place.path().join("platform.toml"), text).unwrap();
}

/// A status and all fields.
fn get(platform: &Platform, path: &str) -> String {
    let mut client = TcpStream::connect(platform.gateway()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\norigin: {PAGE}\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer.split("\r\n\r\n").next().unwrap().to_owned()
}

fn is_shared(platform: &Platform) -> bool {
    get(platform, "/healthz").contains("access-control-allow-origin")
}

#[test]
fn the_command_tells_what_came_of_it_and_a_fault_changes_nothing() {
    let place = Place::new();
    place.run(&["reload"]).failed(5, "no platform runs here");
    write(&place, "");
    let platform = place.serve(&[]);
    let place = &platform.place;
    assert!(!is_shared(&platform));
    let shared = format!("[gateway]\ncors_origins = \"{PAGE}\"\n");
    write(place, &shared);
    let pid = platform.child.id().to_string();
    assert!(place.run(&["reload"]).done().stderr.contains(&pid));
    assert!(is_shared(&platform));
    for (text, line, what) in [
        (
            "[gateway]\nrate_limit = \"often\"\ncors_origins = \"nowhere\"\n",
            "platform.toml:2: ",
            "gateway.rate_limit",
        ),
        (
            "[gateway]\nrate_limit = \"often\"\ncors_origins = \"nowhere\"\n",
            "platform.toml:3: ",
            "gateway.cors_origins",
        ),
        ("[gateway]\n\ndocs = 7\n[[service]]\nname = 1\n", "platform.toml:3: ", "gateway.docs"),
        ("[gateway]\n\ndocs = 7\n[[service]]\nname = 1\n", "platform.toml:5: ", "service"),
        ("[gateway\n", "platform.toml:1: ", "is not TOML"),
        (
            "[ops]\nlisten = \"127.0.0.1:9\"\n[database]\nmax_connections = 3\n",
            "platform.toml:4: ",
            "restart",
        ),
        (
            "[[service]]\nname = \"a\"\nopenapi = \"a.json\"\nurls = [\"http://127.0.0.1:1\"]\n",
            "platform.toml:1: ",
            "a.json",
        ),
    ] {
        write(place, text);
        let refused = place.run(&["reload"]).ended(1).stderr;
        assert!(refused.lines().any(|told| told.contains(line) && told.contains(what)), "{refused}");
        assert!(is_shared(&platform), "{text}");
    }
    // What the environment sets over the file is no change.
    write(place, &format!("{shared}listen = \"127.0.0.1:0\"\n"));
    place.run(&["reload"]).done();
    write(place, "");
    place.run(&["reload"]).done();
    assert!(!is_shared(&platform));
}

#[test]
fn the_signal_alone_does_the_same_and_the_log_tells() {
    let place = Place::new();
    write(&place, "[log]\nlevel = \"error\"\n");
    let platform = place.serve(&[]);
    assert!(!is_shared(&platform));
    if std::env::var("RUST_LOG").is_err() {
        assert_eq!(platform.log(), "");
    }
    write(&platform.place, &format!("[log]\nlevel = \"info\"\n[gateway]\ncors_origins = \"{PAGE}\"\n"));
    platform.signal("HUP");
    wait_for("the reload", || platform.log().contains("was read again").then_some(()));
    assert!(is_shared(&platform));
    wait_for("the line of that request", || platform.log().contains("\"access\"").then_some(()));
    write(&platform.place, "[gateway]\ndocs = 7\n");
    platform.signal("HUP");
    wait_for("the refusal", || platform.log().contains("gateway.docs").then_some(()));
    assert!(platform.log().contains("the configuration was refused") && is_shared(&platform));
}

#[test]
fn reloads_under_load_lose_no_request() {
    let place = Place::new();
    write(&place, "");
    let platform = place.serve(&[]);
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = TcpStream::connect(platform.gateway()).unwrap();
                let mut buffer = [0; 4096];
                while !done.load(Ordering::Relaxed) {
                    client.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
                    let count = client.read(&mut buffer).unwrap();
                    let answer = String::from_utf8_lossy(&buffer[..count]);
                    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with('}'), "{answer}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 0..30 {
            let good = number % 3 != 2;
            write(&platform.place, if good { "[gateway]\ndocs = false\n" } else { "[gateway]\ndocs = 7\n" });
            platform.place.run(&["reload"]).ended(i32::from(!good));
        }
        done.store(true, Ordering::Relaxed);
    });
    let answered = answered.load(Ordering::Relaxed);
    assert!(answered > 300, "{answered} requests were too few to tell");
}
