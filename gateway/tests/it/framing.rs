//! Requests that two readers could tell apart in two ways, byte by byte through a socket: smuggling in all its forms.

use kit::testing::{Fault, FaultServer, TestDatabase};
use serde_json::json;

use crate::support::{Gateway, config, declared, exchange};

/// What would be smuggled: a request of its own, which would be answered with 200.
const SECOND: &str = "GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n";

struct Place {
    gateway: Gateway,
    service: FaultServer,
    _kept: (TestDatabase, tempfile::TempDir),
}

impl Place {
    /// A gateway in front of a service that takes any body at `POST /in`.
    async fn start() -> Self {
        let (database, folder) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
        let service = FaultServer::start(Fault::None).await;
        let document = json!({ "openapi": "3.1.0", "info": { "title": "Echo", "version": "1" }, "paths": {
            "/in": { "post": { "operationId": "in", "requestBody": { "content": { "application/octet-stream": {} } },
                "responses": { "200": { "description": "" } } } } } });
        let mut config = config(&database, "http://127.0.0.1:1").await;
        let more = "access = \"public\"\ncontract = \"off\"";
        config.services = vec![declared(folder.path(), &service.url(), &document, more)];
        Self { gateway: Gateway::start(config).await, service, _kept: (database, folder) }
    }

    /// What comes back to these bytes until the gateway closes the connection.
    async fn send(&self, bytes: &str) -> String {
        exchange(self.gateway.address, bytes.as_bytes()).await
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
