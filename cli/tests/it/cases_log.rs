//! A secret that comes in a request, wherever and however it ends, stands in no log, metric or refusal, and forges no line (C48).

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::process::{Place, wait_for};

const SENTINEL: &str = "S3NTxV7q0Lk9";

fn send(address: &str, request: &[u8]) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(request).unwrap();
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A service that says back what it got, in an answer that breaks its contract, until nobody asks any more.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut buffer = [0; 8192];
            let read = client.read(&mut buffer).unwrap_or_default();
            let told = format!("{{\"told\": {:?}}}", String::from_utf8_lossy(&buffer[..read]));
            let head = "HTTP/1.1 500 No\r\ncontent-type: text/html\r\nconnection: close";
            let _ = client
                .write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{told}", told.len()).as_bytes());
        }
    });
    address
}

/// With a service behind it that says everything back, and a log that tells everything.
fn place() -> Place {
    let place = Place::new().with("PLATFORM__LOG__LEVEL", "trace").with("PLATFORM__LOG__FORMAT", "json");
    let document = json!({
        "openapi": "3.0.3", "info": {"title": "Echo", "version": "1"},
        "paths": {"/back": {"get": {"operationId": "sayBack", "responses": {"200": {"description": "", "content": {
            "application/json": {"schema": {"type": "object"}}}}}}}},
    });
    fs::write(place.path().join("echo.json"), document.to_string()).unwrap();
    let declared = format!(
        "[[service]]\nname = \"echo\"\nopenapi = \"echo.json\"\nurls = [\"http://{}\"]\naccess = \"public\"\n",
        echo()
    );
    fs::write(place.path().join("platform.toml"), declared).unwrap();
    place
}

/// Requests with the secret in every place that there is, and how each may end.
fn requests() -> Vec<(String, &'static [&'static str])> {
    let secrets = format!(
        "authorization: Bearer {SENTINEL}\r\nproxy-authorization: Basic {SENTINEL}\r\ncookie: session={SENTINEL}\r\n\
         user-agent: %1b[31m{SENTINEL}\r\nreferer: http://h/?access_token={SENTINEL}\r\n\
         traceparent: 00-{SENTINEL}-bad-01\r\n"
    );
    let body = format!("{{\"email\": \"ada@example.com\", \"password\": \"{SENTINEL}\"}}");
    let json = |body: &str| {
        format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let query = format!("?access_token={SENTINEL}&password={SENTINEL}&x=%0aforged%1b");
    let large = "x".repeat(2 * 1024 * 1024);
    vec![
        (
            format!(
                "GET /healthz{query} HTTP/1.1\r\nhost: h\r\ncookie: a={SENTINEL}\r\nconnection: close\r\n\r\n"
            ),
            &["200"],
        ),
        (
            format!("GET /api_v1/users/me{query} HTTP/1.1\r\nhost: h\r\n{secrets}connection: close\r\n\r\n"),
            &["401"],
        ),
        (
            format!("GET /api_v1/nothing{query} HTTP/1.1\r\nhost: h\r\n{secrets}connection: close\r\n\r\n"),
            &["404", "401"],
        ),
        (
            format!(
                "GET /api/echo/back{query} HTTP/1.1\r\nhost: h\r\ncookie: a={SENTINEL}\r\nconnection: close\r\n\r\n"
            ),
            &["502", "401"],
        ),
        (
            format!(
                "POST /api_v1/auth/access{query} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{}",
                json(&body)
            ),
            &["400"],
        ),
        (
            format!(
                "POST /api_v1/auth/access HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{}",
                json(&format!("{{\"password\": \"{SENTINEL}\""))
            ),
            &["400"],
        ),
        (
            format!("POST /api_v1/users HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{}", json(&large)),
            &["413"],
        ),
        (
            format!("GET /account/reset-password{query} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"),
            &["200"],
        ),
        (
            format!(
                "POST /api_v1/auth/refresh HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{}",
                json(&format!("{{\"refresh_token\": \"{SENTINEL}\"}}"))
            ),
            &["401"],
        ),
    ]
}

#[test]
fn no_secret_of_a_request_is_told_whatever_comes_of_it_and_every_request_is_one_line() {
    let mut platform = place().serve(&[]);
    let address = platform.gateway();
    let forged = format!(
        "GET /healthz HTTP/1.1\r\nhost: h\r\nuser-agent: \u{1b}[31m{SENTINEL}\r\nconnection: close\r\n\r\n"
    );
    let answer = send(&address, forged.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400") && !answer.contains(SENTINEL), "{answer}");
    let mut ids = BTreeSet::new();
    for (request, statuses) in &requests() {
        let answer = send(&address, request.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(statuses.contains(&status), "{} is {status}: {answer}", request.lines().next().unwrap());
        assert!(!answer.contains(SENTINEL), "{answer}");
        let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
        assert!(ids.insert(id.trim().to_owned()), "an id twice");
    }
    let metrics = send(
        platform.run["ops"].as_str().unwrap(),
        b"GET /metrics HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
    );
    assert!(metrics.contains("platform_requests_total") && !metrics.contains(SENTINEL));
    // The log is written by a thread of its own.
    let lines = wait_for("a line of each", || {
        let log = platform.log();
        let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let told = |id: &String| lines.iter().filter(|line| is_access(line, id)).count();
        ids.iter().all(|id| told(id) >= 1).then_some(lines)
    });
    for id in &ids {
        let own: Vec<&Value> = lines.iter().filter(|line| is_access(line, id)).collect();
        assert_eq!(own.len(), 1, "{own:#?}");
        let text = own[0].to_string();
        for name in
            ["\"method\"", "\"operation\"", "\"status\"", "\"duration_us\"", "\"peer\"", "\"trace_id\""]
        {
            assert!(text.contains(name), "{name}: {text}");
        }
    }
    platform.signal("TERM");
    platform.end();
    let log = platform.log();
    assert!(!log.contains(SENTINEL), "{}", log.lines().find(|line| line.contains(SENTINEL)).unwrap());
    assert!(
        !log.contains('\u{1b}') && log.lines().all(|line| line.starts_with('{') || !line.contains("forged"))
    );
    assert!(!log.contains("ada@example.com"));
}

/// The gateway's line of this request.
fn is_access(line: &Value, id: &str) -> bool {
    let text = line.to_string();
    text.contains(&format!("\"{id}\"")) && text.contains("\"access\"") && text.contains("\"gateway\"")
}
