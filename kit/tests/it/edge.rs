//! Whatever goes wrong inside a service comes out as a problem answer, with nothing of the inside in it.

use std::sync::Arc;

use contract::{Problem, ProblemKind};
use kit::{
    edge::{Edge, Trust},
    routes::Routes,
    server::{Limits, Server},
};
use poem::{Endpoint, EndpointExt, Request, Response, Result, Route, http::StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

struct Faulty;

impl Endpoint for Faulty {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        match request.uri().path() {
            "/panic" => panic!("SELECT secret FROM users"),
            "/framework" => Err(poem::Error::from_string("secret", StatusCode::BAD_REQUEST)),
            "/io" => Err(poem::error::InternalServerError(std::io::Error::other("secret"))),
            "/text" => Ok(Response::builder().status(StatusCode::CONFLICT).body("secret")),
            "/empty" => Ok(Response::builder().status(StatusCode::FORBIDDEN).finish()),
            "/problem" => Err(Problem::new(ProblemKind::Conflict, "told").because("secret").into()),
            "/id" => Ok(Response::from(request.header("x-request-id").unwrap_or("none").to_owned())),
            _ => Err(poem::error::NotFoundError.into()),
        }
    }
}

async fn start(trust: Trust) -> (String, CancellationToken) {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let url = format!("http://{}", server.address());
    let app = Edge::new(
        Route::new().nest_no_strip("/", Faulty.map_to_response()),
        "test",
        Arc::new(Routes::default()),
        trust,
    );
    let shutdown = CancellationToken::new();
    tokio::spawn(server.run(app, shutdown.clone()));
    (url, shutdown)
}

#[tokio::test]
async fn every_failure_is_a_problem_answer_that_tells_nothing_of_the_inside() {
    let (url, _shutdown) = start(Trust::Nobody).await;
    for (path, status) in [
        ("/panic", 500),
        ("/framework", 400),
        ("/io", 500),
        ("/text", 409),
        ("/empty", 403),
        ("/problem", 409),
        ("/nothing", 404),
    ] {
        let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let text = answer.text().await.unwrap();
        assert!(!text.contains("secret"), "{path}: {text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&body["status"], &body["request_id"], &body["instance"]),
            (&status.into(), &id.into(), &path.into())
        );
    }
}

#[tokio::test]
async fn a_panic_costs_one_answer_and_not_the_connection() {
    let (url, _shutdown) = start(Trust::Nobody).await;
    let client = reqwest::Client::builder().build().unwrap();
    for _ in 0..3 {
        assert_eq!(client.get(format!("{url}/panic")).send().await.unwrap().status(), 500);
        assert_eq!(client.get(format!("{url}/id")).send().await.unwrap().status(), 200);
    }
}

/// Panics before there is a future to poll.
struct AtOnce;

impl Endpoint for AtOnce {
    type Output = Response;

    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        assert_ne!(request.uri().path(), "/panic", "secret");
        std::future::ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn a_layer_that_panics_before_it_is_polled_costs_one_answer_as_well() {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let address = server.address();
    let app = Edge::new(AtOnce, "test", Arc::new(Routes::default()), Trust::Nobody);
    tokio::spawn(server.run(app, CancellationToken::new()));
    // One connection for all.
    let mut stream = TcpStream::connect(address).await.unwrap();
    for (path, status) in [("/panic", 500), ("/well", 200), ("/panic", 500)] {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes()).await.unwrap();
        let mut read = vec![0; 4096];
        let length = stream.read(&mut read).await.unwrap();
        let answer = String::from_utf8_lossy(&read[..length]).into_owned();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")) && !answer.contains("secret"),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_request_id_is_believed_from_the_gateway_only() {
    let sent = "0199f0c2b1a47d3e9c5f1e2d3c4b5a69";
    for (trust, believed) in [(Trust::Nobody, false), (Trust::Peer, true)] {
        let (url, _shutdown) = start(trust).await;
        let client = reqwest::Client::builder().build().unwrap();
        let answer = client.get(format!("{url}/id")).header("x-request-id", sent).send().await.unwrap();
        assert_eq!(answer.headers()["x-request-id"] == sent, believed);
        let forged = client.get(format!("{url}/id")).header("x-request-id", "a b").send().await.unwrap();
        assert_ne!(forged.headers()["x-request-id"], "a b");
    }
}
