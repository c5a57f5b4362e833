//! What a server that means harm can do to a command: nothing but fail it.

use std::fs;
use std::io::Write as _;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::hostile::{Hostile, json as answered};
use crate::process::Place;

/// A place whose commands are signed in at this server.
fn at(server: &Hostile) -> Place {
    Place::new().with("PLATFORM_TOKEN", "x.y.z").with("PLATFORM_URL", &server.url())
}

#[test]
fn a_token_goes_to_no_other_address_whatever_the_next_page_is_called() {
    let thief = Hostile::of_json("[]");
    let address = thief.address;
    for target in [
        format!("/http://{address}/stolen?x=1"),
        format!("http://x/http://{address}/stolen"),
        format!("//{address}/stolen"),
        format!("http://x//{address}/stolen"),
        format!("/\\\\{address}/stolen"),
        format!("/\\{address}/stolen"),
        format!("@{address}/stolen"),
        format!("/@{address}/stolen"),
    ] {
        let link = format!("link: <{target}>; rel=\"next\"\r\n");
        let server = Hostile::new(move |head, client| {
            let first = head.starts_with("GET /api_v1/users?limit=");
            answered(client, "200 OK", if first { &link } else { "" }, "[{\"id\": 1}]");
        });
        let ended = at(&server).run(&["user", "list", "-o", "json"]);
        assert!(matches!(ended.code, Some(0 | 5)), "{ended:#?}");
        assert!(thief.heads().is_empty(), "{target}: {:?}", thief.heads());
    }
}

#[test]
fn an_answer_without_an_end_is_not_read_to_it() {
    let server = Hostile::new(|_, client| {
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[");
        let part = "[],".repeat(64 * 1024);
        while client.write_all(part.as_bytes()).is_ok() {}
    });
    let place = at(&server);
    for arguments in [&["user", "list"][..], &["role", "list", "-o", "json"], &["whoami"]] {
        let begun = Instant::now();
        let output = place.command(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{told}");
        assert!(told.contains("longer than 8 MiB") && told.lines().count() <= 3, "{told}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}

#[test]
fn nothing_that_a_terminal_obeys_comes_through_in_an_error() {
    let words = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\u{61c}\u{2028}";
    let problem = json!({"type": "about:blank", "title": words, "detail": words, "request_id": words,
        "errors": [{"pointer": words, "detail": words}]});
    let body = problem.to_string();
    let server = Hostile::new(move |_, client| {
        answered(client, "429 Too Many Requests", "retry-after: \u{9b}2J\r\n", &body);
    });
    let ended = at(&server).run(&["--verbose", "user", "list"]).ended(1);
    let is_obeyed = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{61c}\u{2028}".contains(c);
    assert!(!ended.stderr.contains(is_obeyed), "{ended:#?}");
}

/// A process that its run file says is the platform, with this server as its operations listener; killed when dropped.
struct Pretended {
    place: Place,
    child: Child,
}

impl Pretended {
    fn new(server: &Hostile, version: &str) -> Self {
        let place = Place::new();
        let program = place.path().join("platform-pretended");
        fs::copy("/bin/sleep", &program).unwrap();
        let child = std::process::Command::new(&program).arg("300").spawn().unwrap();
        fs::create_dir(place.data()).unwrap();
        let told = json!({"pid": child.id(), "version": version, "started_at": version, "gateway": server.address,
            "ops": server.address});
        fs::write(place.data().join("platform.run"), told.to_string()).unwrap();
        Self { place, child }
    }
}

impl Drop for Pretended {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn status_doctor_and_top_bear_what_an_operations_listener_answers() {
    let words = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\u{61c}";
    let is_obeyed = |c: char| c.is_control() && !"\n\r".contains(c) || "\u{202e}\u{61c}".contains(c);
    let strange = Hostile::new(move |head, client| {
        let labels = format!("service=\"gateway\",operation=\"{words}\"");
        let metrics = format!(
            "platform_requests_total{{{labels}}} NaN\nplatform_requests_total{{{labels}}} 1e308\n\
            platform_cache_bytes -1e308\nplatform_sessions_open +Inf\nplatform_cache_requests_total{{result=\"hit\"}} NaN\nx{{}}"
        );
        let readiness = json!({"faults": [words, 7, null]}).to_string();
        let instances =
            json!([{"healthy": words, "in_flight": u64::MAX, "url": words}, {"in_flight": u64::MAX}, words]);
        let services =
            json!({"services": [{"service": words, "instances": instances, "agreement": words}, words, 7]});
        let body = match head.split(' ').nth(1).unwrap() {
            "/metrics" => metrics,
            "/services" => services.to_string(),
            _ => readiness,
        };
        answered(client, "200 OK", "", &body);
    });
    let pretended = Pretended::new(&strange, words);
    for arguments in [&["status"][..], &["status", "-o", "json"], &["status", "-o", "yaml"], &["doctor"]] {
        let ended = pretended.place.run(arguments);
        assert!(!ended.stderr.contains("panicked") && matches!(ended.code, Some(0 | 1)), "{ended:#?}");
        assert!(!(ended.stdout + &ended.stderr).contains(is_obeyed), "{arguments:?}");
    }
    let (code, shown) =
        crate::terminal::on_terminal(&pretended.place, 80, "top --every 100ms", &[("OPERATION", "q")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("\u{1b}]0;x") && !shown.contains(['\u{9b}', '\u{202e}', '\u{61c}']), "{shown:?}");
    drop(pretended);

    let endless = Hostile::new(|_, client| {
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let part = "platform_requests_total 1\n".repeat(4096);
        while client.write_all(part.as_bytes()).is_ok() {}
    });
    let pretended = Pretended::new(&endless, "1");
    pretended.place.run(&["status"]).failed(5, "longer than 8 MiB");
    drop(pretended);

    let slow = Hostile::new(|_, client| {
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n");
        while client.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let pretended = Pretended::new(&slow, "1");
    let begun = Instant::now();
    pretended.place.run(&["status"]).failed(5, "did not answer in time");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    // Nobody waits for it to get out of `top`.
    let begun = Instant::now();
    let (code, shown) =
        crate::terminal::on_terminal(&pretended.place, 80, "top --every 10s", &[("\u{1b}[?1049h", "q")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(begun.elapsed() < Duration::from_millis(3500), "{:?}", begun.elapsed());
}
