//! What HTTP asks of one who stands between: trailers, 100-continue, HTTP/1.0, slow clients, early answers, bodies of any size.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kit::{server::Limits, testing::TestDatabase};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

use crate::support::{Gateway, Raw, answer, config, declared, exchange, read_head, scripted};

fn document() -> Value {
    let any = json!({ "200": { "description": "", "content": { "*/*": {} } } });
    let name = json!([{ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }]);
    let bytes = json!({ "content": { "*/*": {} } });
    json!({
        "openapi": "3.0.3", "info": { "title": "Echo", "version": "1" },
        "paths": {
            "/get": { "get": { "operationId": "get", "responses": any } },
            "/put": { "put": { "operationId": "put", "requestBody": bytes, "responses": any } },
            "/guarded": { "put": { "operationId": "guarded", "requestBody": bytes, "responses": any } },
            "/json": { "post": { "operationId": "json", "requestBody": { "content": { "application/json": {} } }, "responses": any } },
            "/files/{name}": { "get": { "operationId": "file", "parameters": name, "responses": any },
                "delete": { "operationId": "remove", "parameters": name, "responses": any } },
            "/{rest}": { "get": { "operationId": "rest", "responses": any,
                "parameters": [{ "name": "rest", "in": "path", "required": true, "schema": { "type": "string" } }] } },
        },
    })
}

const MORE: &str = "access = \"public\"\nbody_limit = \"1GiB\"\n[operations.guarded]\naccess = \"signed-in\"\nbody_limit = \"1MiB\"\n\
    [operations.file]\nencoded_slash = true\n";

async fn start(url: &str) -> (Gateway, (TestDatabase, tempfile::TempDir)) {
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.limits = Limits { idle_time: Duration::from_millis(500), ..config.limits };
    config.services = vec![declared(folder.path(), url, &document(), MORE)];
    (Gateway::start(config).await, (database, folder))
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), future).await.unwrap_or_else(|_| panic!("{what}"))
}

async fn metrics(gateway: &Gateway) -> String {
    gateway.client.get(format!("http://{}/metrics", gateway.ops)).send().await.unwrap().text().await.unwrap()
}

/// Waits until nothing is in flight, and gives the metrics.
async fn quiet(gateway: &Gateway) -> String {
    let waiting = async {
        loop {
            let told = metrics(gateway).await;
            if told.contains("platform_requests_in_flight{service=\"gateway\"} 0\n") {
                return told;
            }
        }
    };
    within("a request stays in flight", waiting).await
}

#[tokio::test]
async fn announced_trailers_reach_who_takes_them_and_none_governs_the_answer() {
    let raw = Raw::answering(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\
         trailer: X-Sum, Content-Length, Access-Control-Allow-Origin\r\n\r\n4\r\nbody\r\n0\r\n\
         x-sum: 7\r\ncontent-length: 1\r\naccess-control-allow-origin: *\r\nauthorization: x\r\nx-other: 1\r\n\r\n",
    )
    .await;
    let (gateway, _kept) = start(&raw.url()).await;
    for (fields, expected) in [
        ("TE: trailers\r\nConnection: TE, close", "0\r\nx-sum: 7\r\n\r\n"),
        ("Connection: close", "0\r\n\r\n"),
    ] {
        let head = format!("GET /api/echo/get HTTP/1.1\r\nHost: g\r\n{fields}\r\n\r\n");
        let got = exchange(gateway.address, head.as_bytes()).await;
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, format!("4\r\nbody\r\n{expected}"), "{fields}");
        assert!(head.starts_with("HTTP/1.1 200 ") && !head.contains("access-control"), "{head}");
        assert!(head.to_ascii_lowercase().contains("\r\ntrailer: x-sum\r\n"), "{head}");
    }
}

#[tokio::test]
async fn a_client_is_told_to_go_on_once_and_only_after_it_was_let_in() {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "done")).await;
    let (gateway, _kept) = start(&raw.url()).await;
    let operator = gateway.operator().await;
    let head = |path: &str, more: &str, length: u64| {
        format!(
            "PUT /api/echo/{path} HTTP/1.1\r\nHost: g\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
             Expect: 100-continue\r\nConnection: close\r\n{more}\r\n"
        )
    };
    let token = format!("Authorization: Bearer {operator}\r\n");
    for (head, status) in [
        (head("guarded", "", 4), 401),
        (head("guarded", &token, 2 * 1024 * 1024), 413),
        (head("nowhere", "", 4), 405),
        (head("put", "Host: other\r\n", 4), 400),
    ] {
        let got = exchange(gateway.address, head.as_bytes()).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{got}");
    }
    assert!(raw.requests().await.is_empty());
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(head("guarded", &token, 4).as_bytes()).await.unwrap();
    let interim = within("no 100", read_head(&mut stream)).await.unwrap();
    assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").await.unwrap();
    let mut rest = String::new();
    within("no answer", stream.read_to_string(&mut rest)).await.unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 ") && rest.ends_with("done"), "{rest}");
    let [request] = raw.requests().await.try_into().unwrap();
    assert!(!request.contains("expect") && request.contains("body"), "{request}");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_a_body_without_chunks_and_the_end_by_closing() {
    let raw = Raw::answering(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n5\r\n text\r\n0\r\n\r\n",
    )
    .await;
    let (gateway, _kept) = start(&raw.url()).await;
    for fields in ["", "Host: g\r\n", "Connection: keep-alive\r\n", "Connection: Keep-Alive\r\nHost: g\r\n"] {
        let head = format!("GET /api/echo/get HTTP/1.0\r\n{fields}\r\n");
        let got = exchange(gateway.address, head.as_bytes()).await;
        let (head, body) = got.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200 ") || head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(!head.contains("transfer-encoding") && !head.contains("connection: keep-alive"), "{head}");
        assert_eq!(body, "some text", "{fields}");
    }
    // A length is known: the connection stays, if it is asked for.
    let raw = Raw::answering(&answer("200 OK", "text/plain", "text")).await;
    let (gateway, _kept) = start(&raw.url()).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET /api/echo/get HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await.unwrap();
        let head = within("closed", read_head(&mut stream)).await.unwrap();
        assert!(head.contains("content-length: 4") && head.contains("connection: keep-alive"), "{head}");
        let mut body = [0; 4];
        stream.read_exact(&mut body).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_trickles_is_408_and_one_that_is_only_slow_is_not() {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "done")).await;
    let (gateway, _kept) = start(&raw.url()).await;
    // 700 ms are the window here: 70 bytes.
    for (bytes, status) in [(1, 408), (20, 200)] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let head =
            "PUT /api/echo/put HTTP/1.1\r\nHost: g\r\nContent-Type: text/plain\r\nConnection: close\r\n";
        let head = format!("{head}Content-Length: {}\r\n\r\n", bytes * 30);
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let trickling = tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(50));
            for _ in 0..30 {
                beat.tick().await;
                if writing.write_all(&vec![b'x'; bytes]).await.is_err() {
                    break;
                }
            }
            // Kept until the answer is there: its end would be the client's.
            writing
        });
        let mut got = String::new();
        within("no answer", reading.read_to_string(&mut got)).await.unwrap();
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{got}");
        drop(trickling.await.unwrap());
    }
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_the_service_with_it() {
    let written = Arc::new(AtomicU64::new(0));
    let ended = Arc::new(Notify::new());
    let (count, end) = (Arc::clone(&written), Arc::clone(&ended));
    let url = scripted(move |mut stream, _| {
        let (count, end) = (Arc::clone(&count), Arc::clone(&end));
        async move {
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\nconnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            let block = vec![7; 64 * 1024];
            while stream.write_all(&block).await.is_ok() {
                count.fetch_add(block.len() as u64, Ordering::Relaxed);
            }
            end.notify_one();
        }
    })
    .await;
    let (gateway, _kept) = start(&url).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let begun = Instant::now();
    stream.write_all(b"GET /api/echo/get HTTP/1.1\r\nHost: g\r\n\r\n").await.unwrap();
    within("the service writes on", ended.notified()).await;
    assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
    // What the buffers of the sockets hold, and no more: nothing piles up in between.
    let taken = written.load(Ordering::Relaxed);
    assert!(taken < 24 * 1024 * 1024, "{taken} bytes were taken off the service");
    quiet(&gateway).await;
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let refusing = kit::testing::FaultServer::refusing().await;
    let raw = scripted(|mut stream, _| async move {
        let early = answer("200 OK", "text/plain", "enough");
        stream.write_all(early.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    for (url, path, status) in
        [(&raw, "guarded", 401), (&refusing, "put", 503), (&raw, "nowhere", 405), (&raw, "put", 200)]
    {
        let (gateway, _kept) = start(url).await;
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let length = 24 * 1024 * 1024;
        let head = format!(
            "PUT /api/echo/{path} HTTP/1.1\r\nHost: g\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // As a simple client does it: all of the body first, and only then a look at the answer.
        let block = vec![7; 64 * 1024];
        let mut sent = 0;
        while sent < length && within("stuck", stream.write_all(&block)).await.is_ok() {
            sent += block.len();
        }
        let head = within("no answer", read_head(&mut stream)).await;
        let head =
            head.unwrap_or_else(|| panic!("{path}: reset before the answer was read, after {sent} bytes"));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {head}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_it_sends_takes_the_call_with_it_and_is_told_as_499() {
    let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (seen, gone) = (Arc::clone(&begun), Arc::clone(&ended));
    let url = scripted(move |mut stream, _| {
        let (seen, gone) = (Arc::clone(&seen), Arc::clone(&gone));
        async move {
            seen.notify_one();
            let mut block = [0; 4096];
            while stream.read(&mut block).await.is_ok_and(|count| count > 0) {}
            gone.notify_one();
        }
    })
    .await;
    let (gateway, _kept) = start(&url).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = "PUT /api/echo/put HTTP/1.1\r\nHost: g\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\nsome";
    stream.write_all(head.as_bytes()).await.unwrap();
    within("nothing reached the service", begun.notified()).await;
    let left = Instant::now();
    drop(stream);
    within("the service's socket stays open", ended.notified()).await;
    assert!(left.elapsed() < Duration::from_secs(1), "{:?}", left.elapsed());
    let told = quiet(&gateway).await;
    // Nobody is blamed: no failure of the service, no 5xx.
    assert!(!told.contains("status=\"5xx\""), "{told}");
    assert!(told.contains("operation=\"put\",status=\"499\"} 1\n"), "{told}");
}

#[tokio::test]
async fn multipart_goes_through_byte_for_byte_however_broken_it_is() {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let (gateway, _kept) = start(&raw.url()).await;
    let whole = "--b\r\nContent-Disposition: form-data; name=\"a[b][c]\"; filename=\"../../x\"\r\n\r\n--bx\r\n--b--\r\n";
    let many = "--b\r\n\r\n\r\n".repeat(20_000);
    let long = format!("--b\r\nX-Long: {}\r\n\r\n\r\n--b--", "x".repeat(1024 * 1024));
    for (kind, body) in [
        ("multipart/form-data; boundary=b", whole),
        ("multipart/form-data; boundary=\"b\"", &whole[..whole.len() - 3]),
        ("multipart/form-data", whole),
        ("multipart/form-data; boundary=b", many.as_str()),
        ("multipart/form-data; boundary=b", long.as_str()),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"\"; filename*=UTF-8''%00\r\n\r\n\r\n--b--",
        ),
    ] {
        let put = gateway.client.put(gateway.url("/api/echo/put")).header("content-type", kind);
        assert_eq!(put.body(body.to_owned()).send().await.unwrap().status(), 200, "{kind}");
        let seen = raw.requests().await.pop().unwrap();
        let (head, got) = seen.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-type: {kind}\r\n")), "{head}");
        assert!(got == body, "{kind}: {} bytes of {}", got.len(), body.len());
    }
}

#[tokio::test]
async fn a_compressed_body_is_inflated_by_nobody_here() {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let (gateway, _kept) = start(&raw.url()).await;
    let operator = gateway.operator().await;
    for coding in ["gzip", "zstd", "gzip, gzip", "br"] {
        for path in ["/api_v1/users", "/api/echo/json", "/api_v1/auth/access"] {
            let post = gateway.post(path).header("content-encoding", coding).bearer_auth(&operator);
            let refused = post.header("content-type", "application/json").body("{}").send().await.unwrap();
            assert_eq!(refused.status(), 415, "{path} {coding}");
            assert_eq!(refused.headers()["accept-encoding"], "identity");
        }
        let put = gateway.client.put(gateway.url("/api/echo/put")).header("content-encoding", coding);
        let put = put.header("content-type", "text/plain").body("no such coding").send().await.unwrap();
        assert_eq!(put.status(), 200);
        let seen = raw.requests().await.pop().unwrap();
        assert!(
            seen.contains(&format!("content-encoding: {coding}\r\n")) && seen.ends_with("no such coding")
        );
    }
}

#[tokio::test]
async fn an_encoded_slash_reaches_the_operation_that_takes_it_and_no_other() {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let (gateway, _kept) = start(&raw.url()).await;
    for (method, path, status, sent) in [
        ("GET", "/files/a%2Fb", 200, true),
        ("GET", "/files/a%2fb%2Fc.txt", 200, true),
        ("GET", "/files/a%252Fb", 200, true),
        ("HEAD", "/files/a%2Fb", 200, true),
        ("OPTIONS", "/files/a%2Fb", 204, false),
        ("DELETE", "/files/a%2Fb", 400, false),
        ("GET", "/files/a%2F..%2Fb", 400, false),
        ("GET", "/files/..%2Fget", 400, false),
        ("GET", "/files/%2Fb", 400, false),
        ("GET", "/files/a%2Fb%5Cc", 400, false),
        ("GET", "/files/a%2Fb%00", 400, false),
        ("GET", "/admin%2Fx", 400, false),
        ("GET", "/admin%5Cx", 400, false),
        ("GET", "/admin%00x", 400, false),
        ("GET", "/files%2Fa", 400, false),
        ("GET", "/admin;jsessionid=1", 200, true),
        ("GET", "/ADMIN", 200, true),
    ] {
        let before = raw.requests().await.len();
        let head = format!("{method} /api/echo{path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
        let got = exchange(gateway.address, head.as_bytes()).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {got}");
        assert!(got.contains("x-request-id: "), "{method} {path}");
        let seen = raw.requests().await;
        assert_eq!(seen.len() > before, sent, "{method} {path}");
        if sent {
            assert!(seen[before].starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{}", seen[before]);
        }
    }
}
