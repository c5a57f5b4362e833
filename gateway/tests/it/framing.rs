//! Requests that two readers could tell apart in two ways, byte by byte through a socket: smuggling in all its forms.

use kit::testing::{Fault, FaultServer, TestDatabase};
use serde_json::json;

use crate::support::{Gateway, Raw, config, declared, exchange};

/// What would be smuggled: a request of its own, which would be answered with 200.
const SECOND: &str = "GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n";

/// A gateway in front of a service that takes any body at `POST /in`.
struct Bound(
    Gateway,
    #[expect(dead_code, reason = "lives as long as the gateway")] (TestDatabase, tempfile::TempDir),
);

struct Place {
    bound: Bound,
    service: FaultServer,
}

impl Bound {
    async fn to(url: &str) -> Self {
        let (database, folder) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
        let document = json!({ "openapi": "3.1.0", "info": { "title": "Echo", "version": "1" }, "paths": {
            "/in": { "post": { "operationId": "in", "requestBody": { "content": { "application/octet-stream": {} } },
                "responses": { "200": { "description": "" } } } } } });
        let mut config = config(&database, "http://127.0.0.1:1").await;
        let more = "access = \"public\"\ncontract = \"off\"";
        config.services = vec![declared(folder.path(), url, &document, more)];
        Self(Gateway::start(config).await, (database, folder))
    }
}

impl Place {
    async fn start() -> Self {
        let service = FaultServer::start(Fault::None).await;
        Self { bound: Bound::to(&service.url()).await, service }
    }

    /// What comes back to these bytes until the gateway closes the connection.
    async fn send(&self, bytes: &str) -> String {
        exchange(self.bound.0.address, bytes.as_bytes()).await
    }
}

fn post(fields: &str, body: &str) -> String {
    format!(
        "POST /api/echo/in HTTP/1.1\r\nhost: g\r\ncontent-type: application/octet-stream\r\n{fields}\r\n{body}"
    )
}

/// The statuses of all answers, in their order.
fn statuses(answer: &str) -> Vec<&str> {
    answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect()
}

#[tokio::test]
async fn what_two_readers_could_frame_differently_is_refused_once_and_reaches_no_service() {
    let place = Place::start().await;
    let chunks = "0\r\n\r\n";
    for (what, head) in [
        ("CL.TE", post("content-length: 4\r\ntransfer-encoding: chunked\r\n", chunks)),
        ("TE.CL", post("transfer-encoding: chunked\r\ncontent-length: 4\r\n", chunks)),
        ("CL.TE in capitals", post("CONTENT-LENGTH: 4\r\nTRANSFER-ENCODING: CHUNKED\r\n", chunks)),
        ("a length of 0 and chunks", post("content-length: 0\r\ntransfer-encoding: chunked\r\n", chunks)),
        (
            "TE.TE, the second of another kind",
            post("transfer-encoding: chunked\r\ntransfer-encoding: x\r\n", chunks),
        ),
        (
            "TE.TE, the first of another kind",
            post("transfer-encoding: x\r\ntransfer-encoding: chunked\r\n", chunks),
        ),
        ("TE twice", post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", chunks)),
        ("chunked twice", post("transfer-encoding: chunked, chunked\r\n", chunks)),
        ("xchunked", post("transfer-encoding: xchunked\r\n", chunks)),
        ("chunked before another", post("transfer-encoding: chunked, identity\r\n", chunks)),
        ("identity", post("transfer-encoding: identity\r\n", chunks)),
        ("chunked with a parameter", post("transfer-encoding: chunked;a=b\r\n", chunks)),
        ("quoted", post("transfer-encoding: \"chunked\"\r\n", chunks)),
        ("a vertical tab before it", post("transfer-encoding: \u{b}chunked\r\n", chunks)),
        ("an empty coding", post("transfer-encoding:\r\ncontent-length: 4\r\n", chunks)),
        ("a space before the colon", post("transfer-encoding : chunked\r\n", chunks)),
        ("a tab before the colon", post("content-length\t: 5\r\n", chunks)),
        ("a line break in the name", post("transfer\r\n-encoding: chunked\r\n", chunks)),
        ("a folded value", post("transfer-encoding:\r\n chunked\r\n", chunks)),
        ("a folded other field", post("x: 1\r\n content-length: 5\r\n", chunks)),
        (
            "a first field that begins with a space",
            "POST /api/echo/in HTTP/1.1\r\n x: 1\r\nhost: g\r\n\r\n".to_owned(),
        ),
        ("differing lengths", post("content-length: 4\r\ncontent-length: 5\r\n", chunks)),
        ("a list of lengths", post("content-length: 5, 5\r\n", chunks)),
        ("a length with a plus", post("content-length: +5\r\n", chunks)),
        ("a length with a minus", post("content-length: -5\r\n", chunks)),
        ("a length in hexadecimal", post("content-length: 0x5\r\n", chunks)),
        ("a length with a space inside", post("content-length: 5 0\r\n", chunks)),
        ("a length with a fraction", post("content-length: 5.0\r\n", chunks)),
        ("an empty length", post("content-length:\r\n", chunks)),
        ("a length past every number", post("content-length: 99999999999999999999\r\n", chunks)),
        ("NUL in a value", post("x: a\0b\r\ncontent-length: 0\r\n", "")),
        ("NUL in a name", post("x\0: a\r\ncontent-length: 0\r\n", "")),
        ("a bare CR in a value", post("x: a\rtransfer-encoding: chunked\r\n", chunks)),
        ("a line that ends without CR", post("x: 1\ncontent-length: 4\r\n", chunks)),
        (
            "a request line that ends without CR",
            "POST /api/echo/in HTTP/1.1\nhost: g\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ),
        ("two hosts", post("host: h\r\ncontent-length: 0\r\n", "")),
        ("no host", "POST /api/echo/in HTTP/1.1\r\ncontent-length: 0\r\n\r\n".to_owned()),
        (
            "another host than the target's",
            "POST http://evil/api/echo/in HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ),
        (
            "chunks in HTTP/1.0",
            "POST /api/echo/in HTTP/1.0\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        ),
        (
            "a space in the target",
            "POST /api/echo/in x HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ),
        (
            "a version that is none",
            "POST /api/echo/in HTTP/1.10\r\nhost: g\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ),
        ("HTTP/3 in words", "POST /api/echo/in HTTP/3.0\r\nhost: g\r\ncontent-length: 0\r\n\r\n".to_owned()),
        (
            "a tab in the request line",
            "POST\t/api/echo/in\tHTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ),
        (
            "a method with a colon",
            "PO:ST /api/echo/in HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ),
    ] {
        // Alone, and behind requests whose answers are well: then it may be in the same read as their end.
        for before in [
            "",
            SECOND,
            &format!("{SECOND}{}", post("transfer-encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n")),
        ] {
            let bytes = format!("{before}{head}{SECOND}");
            let answer = tokio::time::timeout(std::time::Duration::from_secs(2), place.send(&bytes)).await;
            let Ok(answer) = answer else { panic!("{what}: the connection stays open") };
            let mut told = statuses(&answer);
            let refused = told.pop().unwrap_or_else(|| panic!("{what}: nothing"));
            let well = before.matches(" HTTP/1.1\r\n").count();
            assert_eq!(told, vec!["200"; well], "{what}: {answer}");
            assert!(matches!(refused, "400" | "501"), "{what}: {answer}");
            assert!(answer.contains("application/problem+json"), "{what}: {answer}");
        }
    }
    // One for each that was sent before a bad one, and not one more.
    assert_eq!(place.service.requests(), 44);
}

#[tokio::test]
async fn a_length_that_stands_twice_alike_is_one_length_to_the_service() {
    let service = Raw::json("200 OK", "1").await;
    let bound = Bound::to(&service.url()).await;
    let twice = post("content-length: 5\r\ncontent-length: 5\r\nconnection: close\r\n", "12345");
    assert_eq!(statuses(&exchange(bound.0.address, twice.as_bytes()).await), ["200"]);
    let [sent] = service.requests().await.try_into().unwrap();
    assert_eq!(sent.matches("content-length").count(), 1, "{sent}");
    assert!(sent.ends_with("12345"), "{sent}");
}

#[tokio::test]
async fn chunks_that_can_t_be_read_end_the_connection_and_no_body_is_taken_for_whole() {
    let place = Place::start().await;
    for chunks in [
        "x\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "3\r\nabc0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3 3\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "0\r\nx y: 1\r\n\r\n",
    ] {
        let answer = place.send(&format!("{}{SECOND}", post("transfer-encoding: chunked\r\n", chunks))).await;
        let told = statuses(&answer);
        assert!(told.len() <= 1 && !told.contains(&"200"), "{chunks:?}: {answer}");
    }
    assert_eq!(place.service.requests(), 0, "a broken body reached the service whole");
    for chunks in [
        "3\r\nabc\r\n0\r\n\r\n",
        "3;name=\"value\"\r\nabc\r\n0\r\n\r\n",
        "0003\r\nabc\r\n0\r\n\r\n",
        "0\r\nx: 1\r\n\r\n",
    ] {
        let answer = place
            .send(&format!(
                "{}{}",
                post("transfer-encoding: chunked\r\n", chunks),
                SECOND.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")
            ))
            .await;
        assert_eq!(statuses(&answer), ["200", "200"], "{chunks:?}: {answer}");
    }
    assert_eq!(place.service.requests(), 4);
}

#[tokio::test]
async fn heads_that_come_too_slowly_are_told_408_also_behind_a_request() {
    let place = Place::start().await;
    for before in ["", SECOND] {
        let answer = place.send(&format!("{before}GET /healthz HTTP/1.1\r\nhos")).await;
        assert_eq!(statuses(&answer).last(), Some(&"408"), "{before:?}: {answer}");
        assert!(answer.ends_with('}') && answer.contains("\"status\":408"), "{answer}");
    }
}
