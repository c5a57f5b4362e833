//! The public listener against what no well-behaved client sends.

use std::time::{Duration, Instant};

use kit::testing::TestDatabase;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Gateway, config, exchange, problem};

async fn start() -> (Gateway, TestDatabase) {
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, "http://127.0.0.1:1").await).await;
    (gateway, database)
}

#[tokio::test]
async fn a_path_that_two_readers_could_read_differently_is_400() {
    let (gateway, _database) = start().await;
    for path in [
        "/api_v1/users/1%2F..%2Fme",
        "/api_v1//users",
        "//api_v1/users",
        "/api_v1/../api_v1/users",
        "/api_v1/%2e%2e/x",
        "/a%5Cb",
        "/a%00",
        "/a%zz",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n");
        let answer = exchange(gateway.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("\"request_id\""), "{answer}");
    }
}

#[tokio::test]
async fn ambiguous_framing_is_400_and_the_second_request_gets_no_answer() {
    let (gateway, _database) = start().await;
    let second = "GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n";
    for fields in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "content-length: 4\r\ncontent-length: 5\r\n",
        "content-length: -1\r\n",
        "host: h\r\n",
        "transfer-encoding: gzip\r\n",
        "x-field : 1\r\n",
    ] {
        let request =
            format!("POST /api_v1/auth/access HTTP/1.1\r\nhost: g\r\n{fields}\r\n0\r\n\r\n{second}");
        let answer = exchange(gateway.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{fields}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{fields}: {answer}");
        assert!(answer.contains("application/problem+json"), "{fields}: {answer}");
    }
    for host in ["a b", "a@b", "a:99999", "a/b", ""] {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n");
        assert!(exchange(gateway.address, request.as_bytes()).await.starts_with("HTTP/1.1 400 "), "{host:?}");
    }
    for host in ["a", "a:80", "127.0.0.1:8001", "[::1]", "[::1]:80"] {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert!(exchange(gateway.address, request.as_bytes()).await.starts_with("HTTP/1.1 200 "), "{host:?}");
    }
    let target = "GET http://u:p@evil:99999/healthz HTTP/1.1\r\nhost: g\r\n\r\n";
    assert!(exchange(gateway.address, target.as_bytes()).await.starts_with("HTTP/1.1 400 "));
    let coded =
        "POST /api_v1/auth/access HTTP/1.1\r\nhost: g\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
    assert!(exchange(gateway.address, coded.as_bytes()).await.starts_with("HTTP/1.1 501 "));
    let old = exchange(
        gateway.address,
        b"POST /api_v1/auth/access HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    )
    .await;
    assert!(old.contains(" 400 "), "{old}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431_with_a_problem_body() {
    let (gateway, _database) = start().await;
    let long = format!("GET /healthz HTTP/1.1\r\nhost: g\r\nx: {}\r\n\r\n", "y".repeat(64 * 1024));
    let just_over = format!("GET /healthz HTTP/1.1\r\nhost: g\r\nx: {}\r\n\r\n", "y".repeat(32 * 1024));
    let many = (0..150).map(|number| format!("x-{number}: 1\r\n")).collect::<Vec<_>>().concat();
    let many = format!("GET /healthz HTTP/1.1\r\nhost: g\r\n{many}\r\n");
    for request in [long, just_over, many] {
        let answer = exchange(gateway.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("\"status\":431"), "{answer}");
    }
    let garbage = exchange(gateway.address, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").await;
    assert!(garbage.starts_with("HTTP/1.1 400 ") && garbage.contains("\"status\":400"), "{garbage}");
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_cut_and_a_silent_connection_is_not_yet() {
    let (gateway, _database) = start().await;
    let mut silent = TcpStream::connect(gateway.address).await.unwrap();
    let started = Instant::now();
    let slow = async {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost:").await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    };
    tokio::time::timeout(Duration::from_secs(5), slow).await.expect("a slow head is cut");
    assert!(started.elapsed() >= Duration::from_millis(300));
    silent.write_all(b"GET /healthz HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    silent.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408() {
    let (gateway, _database) = start().await;
    let head = "POST /api_v1/auth/access HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: 30\r\n\r\n{";
    let answer = exchange(gateway.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"status\":408"), "{answer}");
}

#[tokio::test]
async fn every_path_answers_options_and_every_get_answers_head() {
    let (gateway, _database) = start().await;
    let options = |path: &str| gateway.client.request(reqwest::Method::OPTIONS, gateway.url(path)).send();
    let answer = options("/api_v1/users/me").await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.headers()["allow"], "GET, HEAD, OPTIONS, PATCH, PUT");
    assert_eq!(
        options("/api_v1/users/7").await.unwrap().headers()["allow"],
        "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    );
    assert_eq!(options("/nope").await.unwrap().status(), 404);
    let deleted = gateway.client.delete(gateway.url("/api_v1/users/me")).send().await.unwrap();
    assert_eq!(deleted.status(), 405);
    assert_eq!(deleted.headers()["allow"], "GET, HEAD, OPTIONS, PATCH, PUT");
    problem(deleted).await;
    for path in ["/healthz", "/docs", "/redoc", "/api_v1/openapi.json", "/.well-known/jwks.json"] {
        let get = gateway.get(path).send().await.unwrap();
        let head = gateway.client.head(gateway.url(path)).send().await.unwrap();
        assert_eq!(
            (get.status(), head.status()),
            (reqwest::StatusCode::OK, reqwest::StatusCode::OK),
            "{path}"
        );
        let length = get.bytes().await.unwrap().len().to_string();
        assert_eq!(head.headers()["content-length"], *length, "{path}");
        assert!(head.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_trailing_slash_changes_nothing() {
    let (gateway, _database) = start().await;
    assert_eq!(gateway.get("/healthz/").send().await.unwrap().status(), 200);
    let login = gateway.post("/api_v1/auth/access/").json(&serde_json::json!({})).send().await.unwrap();
    assert_eq!(login.status(), 422);
    assert_eq!(gateway.get("/").send().await.unwrap().status(), 303);
}

#[tokio::test]
async fn a_method_nobody_has_is_a_problem_answer() {
    let (gateway, _database) = start().await;
    for method in ["TRACE", "PROPFIND", "CONNECT-ISH"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = gateway.client.request(method, gateway.url("/api_v1/users")).send().await.unwrap();
        assert_eq!(answer.status(), 405);
        problem(answer).await;
    }
}

#[tokio::test]
async fn health_is_public_and_readiness_is_not() {
    let (gateway, _database) = start().await;
    assert_eq!(gateway.get("/healthz").send().await.unwrap().status(), 200);
    assert_eq!(gateway.get("/readyz").send().await.unwrap().status(), 404);
    let ready = gateway.client.get(format!("http://{}/readyz", gateway.ops)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
}
