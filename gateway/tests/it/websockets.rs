//! Tunnels of declared services (WebSocket): opened for whom they are meant for, carried byte for byte, ended in order.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use kit::testing::TestDatabase;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::support::{
    self, EchoService, Gateway, Raw, UsersDouble, answer, close_code, config, declared, exchange,
    exchange_text,
};

fn document() -> Value {
    let switching = json!({ "101": { "description": "" } });
    json!({
        "openapi": "3.1.0", "info": { "title": "Echo", "version": "1" },
        "paths": {
            "/echo": { "get": { "operationId": "echo", "responses": switching } },
            "/rooms/{room}": { "get": { "operationId": "room", "responses": switching,
                "parameters": [{ "name": "room", "in": "path", "required": true, "schema": { "type": "integer" } }] } },
            "/refused": { "get": { "operationId": "refused", "responses": {} } },
            "/wrong": { "get": { "operationId": "wrong", "responses": switching } },
            "/plain": { "get": { "operationId": "plain", "responses": { "200": { "description": "", "content": { "*/*": {} } } } } },
        },
    })
}

const MORE: &str = "websockets = [\"/unknown/{name}\"]\n";
const MARKED: &str = "[operations.refused]\nwebsocket = true\n";

async fn start(url: &str, more: &str) -> (Gateway, (TestDatabase, tempfile::TempDir)) {
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.cors = kit::cors::Origins::parse("https://app.example").unwrap();
    config.services = vec![declared(folder.path(), url, &document(), &format!("{MORE}{more}{MARKED}"))];
    (Gateway::start(config).await, (database, folder))
}

async fn metrics(gateway: &Gateway) -> String {
    gateway.client.get(format!("http://{}/metrics", gateway.ops)).send().await.unwrap().text().await.unwrap()
}

/// Waits until the metrics hold a line.
async fn counted(gateway: &Gateway, line: &str) {
    let waiting = async {
        while !metrics(gateway).await.lines().any(|told| told == line) {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(4), waiting).await;
    assert!(waited.is_ok(), "no {line} in {}", metrics(gateway).await);
}

#[tokio::test]
async fn a_socket_is_carried_byte_for_byte_both_ways_and_accounted() {
    let service = EchoService::start().await;
    let (gateway, _kept) = start(&service.url(), "").await;
    let operator = format!("Bearer {}", gateway.operator().await);
    let fields = [("authorization", operator.as_str()), ("sec-websocket-protocol", "chat, other")];
    let (mut socket, headers) = gateway.socket("/api/echo/echo?room=%20a", &fields).await.unwrap();
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    assert!(headers.contains_key("x-request-id"));
    counted(&gateway, "platform_tunnels_open{service=\"echo\"} 1").await;
    for message in [
        Message::text("hello"),
        Message::binary(vec![7; 1024 * 1024]),
        Message::text(""),
        Message::binary((0..=255).collect::<Vec<u8>>()),
    ] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.send(Message::Ping(vec![1, 2].into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong(vec![1, 2].into()));
    let close = CloseFrame { code: CloseCode::from(4321), reason: "done".into() };
    socket.close(Some(close)).await.unwrap();
    assert_eq!(close_code(&mut socket).await, Some(4321));
    assert_eq!(service.ended(1).await, [Some(4321)]);
    let [asked] = service.asked().await.try_into().unwrap();
    assert_eq!(asked.uri, "/echo?room=%20a");
    assert_eq!(asked.headers["x-forwarded-prefix"], "/api/echo");
    assert_eq!(asked.headers["sec-websocket-protocol"], "chat, other");
    let token = asked.headers["authorization"].to_str().unwrap();
    assert!(token.starts_with("Bearer ") && token != operator);
    counted(&gateway, "platform_tunnels_open{service=\"echo\"} 0").await;
    counted(&gateway, "platform_tunnels_total{service=\"echo\",closed_by=\"client\"} 1").await;
    let told = metrics(&gateway).await;
    for direction in ["in", "out"] {
        let name = format!("platform_tunnel_bytes_total{{service=\"echo\",direction=\"{direction}\"}} ");
        let bytes: u64 = told.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap();
        assert!((1_048_576..1_050_000).contains(&bytes), "{bytes}");
    }
}

#[tokio::test]
async fn a_page_sends_its_token_among_the_subprotocols_and_the_service_never_sees_it() {
    let service = EchoService::start().await;
    let (gateway, _kept) = start(&service.url(), "").await;
    let operator = gateway.operator().await;
    for (offered, taken, seen) in [
        (format!("bearer, {operator}"), "bearer", None),
        (format!("chat, bearer, {operator}"), "chat", Some("chat")),
    ] {
        let fields = [("sec-websocket-protocol", offered.as_str())];
        let (mut socket, headers) = gateway.socket("/api/echo/echo", &fields).await.unwrap();
        exchange_text(&mut socket, "a").await;
        assert_eq!(headers["sec-websocket-protocol"], taken);
        let asked = service.asked().await.pop().unwrap();
        let protocols = asked.headers.get("sec-websocket-protocol").map(|value| value.to_str().unwrap());
        assert_eq!(protocols, seen);
        assert!(!format!("{:?}", asked.headers).contains(&operator));
    }
    let both = format!("Bearer {operator}");
    let offered = format!("bearer, {operator}");
    for (path, fields, status) in [
        ("/api/echo/echo", vec![], 401),
        ("/api/echo/echo", vec![("sec-websocket-protocol", "bearer, nonsense")], 401),
        ("/api/echo/echo", vec![("sec-websocket-protocol", "bearer")], 400),
        ("/api/echo/echo", vec![("authorization", both.as_str()), ("sec-websocket-protocol", &offered)], 400),
        (&format!("/api/echo/echo?access_token={operator}"), vec![], 401),
        ("/api/echo/rooms/seven", vec![("sec-websocket-protocol", offered.as_str())], 422),
    ] {
        let refused = gateway.socket(path, &fields).await.unwrap_err();
        assert_eq!(refused.0, status, "{fields:?} {}", refused.1);
    }
    assert_eq!(service.asked().await.len(), 2, "a refused one reached the service");
}

#[tokio::test]
async fn pages_of_other_origins_open_no_socket() {
    let service = EchoService::start().await;
    let (gateway, _kept) = start(&service.url(), "access = \"public\"\n").await;
    for (origin, status) in [
        (Some("https://app.example"), 101),
        (Some("http://platform.test"), 101),
        (None, 101),
        (Some("https://evil.example"), 403),
        (Some("null"), 403),
        (Some("https://app.example.evil.example"), 403),
    ] {
        let fields: Vec<_> = origin.map(|origin| ("origin", origin)).into_iter().collect();
        let opened = gateway.socket("/api/echo/echo", &fields).await;
        assert_eq!(opened.map_or_else(|(status, _)| status, |_| 101), status, "{origin:?}");
    }
    assert_eq!(service.asked().await.len(), 3);
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_and_reaches_no_service() {
    let service = EchoService::start().await;
    let (gateway, _kept) = start(&service.url(), "access = \"public\"\n").await;
    let plain = gateway.get("/api/echo/echo").send().await.unwrap();
    assert_eq!(plain.headers()["upgrade"], "websocket");
    assert_eq!(plain.headers()["sec-websocket-version"], "13");
    assert_eq!(plain.status(), 426);
    support::problem(plain).await;
    let head = gateway.client.head(gateway.url("/api/echo/echo")).send().await.unwrap();
    assert_eq!(head.status(), 426);
    let right = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    for (fields, status) in [
        (format!("{right}{key}Sec-WebSocket-Version: 8\r\n"), 426),
        (format!("{right}{key}"), 426),
        (format!("Upgrade: websocket\r\n{key}{version}Connection: close\r\n"), 426),
        (format!("{right}{version}"), 400),
        (format!("{right}{version}{key}{key}"), 400),
        (format!("{right}{version}Sec-WebSocket-Key: c2hvcnQ=\r\n"), 400),
        (format!("{right}{version}{key}Content-Length: 1\r\n"), 400),
    ] {
        let head = format!("GET /api/echo/echo HTTP/1.1\r\nHost: g\r\n{fields}\r\n");
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut status_line = [0; 12];
        stream.read_exact(&mut status_line).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&status_line), format!("HTTP/1.1 {status}"), "{fields}");
    }
    let http_1_0 = format!("GET /api/echo/echo HTTP/1.0\r\nHost: g\r\n{right}{key}{version}\r\n");
    assert!(exchange(gateway.address, http_1_0.as_bytes()).await.contains(" 426 "));
    assert!(service.asked().await.is_empty());
}

#[tokio::test]
async fn a_service_s_refusal_is_passed_on_and_a_wrong_handshake_of_its_own_is_502() {
    let service = EchoService::start().await;
    let (gateway, _kept) = start(&service.url(), "access = \"public\"\n").await;
    let refused = gateway.socket("/api/echo/refused", &[]).await.unwrap_err();
    assert!(refused.0 == 403 && refused.1.contains("not today"), "{refused:?}");
    assert_eq!(gateway.socket("/api/echo/wrong", &[]).await.unwrap_err().0, 502);
    assert!(gateway.socket("/api/echo/unknown/room", &[]).await.is_ok());

    // No 101 at all.
    for (text, status) in [
        (answer("200 OK", "text/plain", "x"), 502),
        (answer("302 Found", "text/plain", "x"), 502),
        (answer("503 Service Unavailable", "text/plain", "x"), 503),
    ] {
        let raw = Raw::answering(&text).await;
        let (gateway, _kept) = start(&raw.url(), "access = \"public\"\n").await;
        assert_eq!(gateway.socket("/api/echo/echo", &[]).await.unwrap_err().0, status, "{text}");
    }

    // A 101 that nobody asked for.
    let raw =
        Raw::answering("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n").await;
    for mode in ["enforce", "report", "off"] {
        let (gateway, _kept) =
            start(&raw.url(), &format!("access = \"public\"\ncontract = \"{mode}\"\n")).await;
        assert_eq!(gateway.get("/api/echo/plain").send().await.unwrap().status(), 502, "{mode}");
    }
    let request = raw.requests().await.pop().unwrap();
    assert!(!request.contains("upgrade"), "{request}");
}

#[tokio::test]
async fn a_socket_outlives_the_limits_of_requests_and_ends_after_its_own_silence() {
    let service = EchoService::start().await;
    // A head has 400 ms here, and an answer 800 ms.
    let (gateway, _kept) = start(&service.url(), "access = \"public\"\nidle_timeout = \"300ms\"\n").await;
    let (mut socket, _) = gateway.socket("/api/echo/echo", &[]).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1200) {
        exchange_text(&mut socket, "still here").await;
    }
    let silent = Instant::now();
    assert_eq!(close_code(&mut socket).await, Some(3008));
    assert!(silent.elapsed() >= Duration::from_millis(280), "{:?}", silent.elapsed());
    assert_eq!(service.ended(1).await, [Some(1001)]);
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let service = EchoService::start().await;
    let double = UsersDouble::bind().await;
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, &double.url()).await;
    config.services = vec![declared(folder.path(), &service.url(), &document(), "")];
    let gateway = Gateway::start(config).await;
    double.serve(&gateway.url(""));
    let open = async |email: &str| {
        let access = gateway.sign_in(email).await.access;
        let protocols = format!("bearer, {access}");
        let (socket, _) =
            gateway.socket("/api/echo/echo", &[("sec-websocket-protocol", &protocols)]).await.unwrap();
        (access, socket)
    };
    let (_, mut bobs) = open("bob@example.com").await;
    let (access, mut anns) = open("ann@example.com").await;
    exchange_text(&mut anns, "a").await;
    let ended = gateway.post("/api_v1/auth/logout").bearer_auth(&access).send().await.unwrap();
    assert!(ended.status().is_success());
    assert_eq!(close_code(&mut anns).await, Some(3000));
    assert_eq!(service.ended(1).await, [Some(1001)]);
    exchange_text(&mut bobs, "bob goes on").await;
}

#[tokio::test]
async fn more_sockets_than_a_service_may_have_are_503_until_one_ends() {
    let service = EchoService::start().await;
    let (gateway, _kept) =
        start(&service.url(), "access = \"public\"\nmax_tunnels = 1\nmax_in_flight = 1\n").await;
    let (mut first, _) = gateway.socket("/api/echo/echo", &[]).await.unwrap();
    exchange_text(&mut first, "a").await;
    let (status, body) = gateway.socket("/api/echo/echo", &[]).await.unwrap_err();
    assert_eq!(status, 503, "{body}");
    // An open one is none of the calls in flight: this one gets an answer, if one that is not declared.
    assert_eq!(gateway.get("/api/echo/plain").send().await.unwrap().status(), 502);
    first.close(None).await.unwrap();
    service.ended(1).await;
    let again = async { while gateway.socket("/api/echo/echo", &[]).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(4), again).await.expect("the place is not given back");
}

/// Opens a socket by hand and gives the stream behind its 101.
async fn by_hand(gateway: &Gateway) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = "GET /api/echo/echo HTTP/1.1\r\nHost: g\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    stream
}

#[tokio::test]
async fn a_gateway_that_stops_tells_both_sides_and_lets_a_frame_that_was_begun_pass() {
    let service = EchoService::start().await;
    let (gateway, _kept) = start(&service.url(), "access = \"public\"\n").await;
    let (mut socket, _) = gateway.socket("/api/echo/echo", &[]).await.unwrap();
    exchange_text(&mut socket, "a").await;
    let mut stream = by_hand(&gateway).await;
    // The first half of a masked text of eight letters (the mask is 0).
    stream.write_all(b"\x81\x88\0\0\0\0half").await.unwrap();
    counted(&gateway, "platform_tunnels_open{service=\"echo\"} 2").await;
    drop(gateway);
    assert_eq!(close_code(&mut socket).await, Some(1001));
    // The client hears it at once, whatever it has not finished itself.
    let mut close = [0; 4];
    stream.read_exact(&mut close).await.unwrap();
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1001));
    stream.write_all(b"half").await.unwrap();
    stream.write_all(b"\x88\x82\0\0\0\0\x03\xe9").await.unwrap();
    assert_eq!(service.ended(2).await, [Some(1001), Some(1001)]);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.windows(8).any(|window| window == b"halfhalf"), "a message after the Close: {rest:?}");
}

#[tokio::test]
async fn a_side_that_is_gone_takes_the_other_with_it() {
    let service = EchoService::start().await;
    let (gateway, _kept) = start(&service.url(), "access = \"public\"\n").await;
    let stream = by_hand(&gateway).await;
    drop(stream);
    assert_eq!(service.ended(1).await, [None]);
    let stream = by_hand(&gateway).await;
    stream.set_zero_linger().unwrap();
    drop(stream);
    assert_eq!(service.ended(2).await, [None, None]);
    counted(&gateway, "platform_tunnels_open{service=\"echo\"} 0").await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_service_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (told, written) = tokio::sync::oneshot::channel();
    let flooding = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let message = Message::binary(vec![7; 256 * 1024]);
        let mut count = 0_u64;
        while let Ok(sent) =
            tokio::time::timeout(Duration::from_millis(400), socket.send(message.clone())).await
        {
            sent.unwrap();
            count += 1;
        }
        told.send(count).unwrap();
        // What was cut off by the wait above still goes out, and then the end.
        socket.close(None).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
        count
    });
    let (gateway, _kept) = start(&url, "access = \"public\"\n").await;
    let (mut socket, _) = gateway.socket("/api/echo/echo", &[]).await.unwrap();
    let stalled =
        tokio::time::timeout(Duration::from_secs(10), written).await.expect("it is never held back");
    let stalled = stalled.unwrap() * 256 * 1024;
    // What the buffers of four sockets hold, and the gateway's own.
    assert!(stalled < 40 * 1024 * 1024, "{stalled} bytes were taken off the service");
    let mut received = 0;
    while let Some(Ok(message)) = socket.next().await {
        received += u64::from(message.is_binary());
    }
    assert!(received >= flooding.await.unwrap());
}
