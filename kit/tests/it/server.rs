//! Connections: how many, how long, and how they end.

use std::{sync::Arc, time::Duration};

use kit::server::{Limits, Server};
use poem::{Endpoint, Request, Response, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

/// Answers once it is let go.
struct Gate {
    entered: Arc<Notify>,
    leave: Arc<Notify>,
}

impl Endpoint for Gate {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if request.uri().path() == "/wait" {
            self.entered.notify_one();
            self.leave.notified().await;
        }
        if request.uri().path() == "/large" {
            self.entered.notify_one();
            return Ok(Response::from(vec![b'x'; 64 << 20]));
        }
        Ok(Response::from("done"))
    }
}

struct Running {
    address: std::net::SocketAddr,
    entered: Arc<Notify>,
    leave: Arc<Notify>,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

async fn start(limits: Limits) -> Running {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), limits).await.unwrap();
    let address = server.address();
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let shutdown = CancellationToken::new();
    let gate = Gate { entered: Arc::clone(&entered), leave: Arc::clone(&leave) };
    let ended = tokio::spawn(server.run(gate, shutdown.clone()));
    Running { address, entered, leave, shutdown, ended }
}

async fn connect(running: &Running, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: g\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), future).await.unwrap_or_else(|_| panic!("{what}"))
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let _ = within("the connection stays open", stream.read_to_string(&mut text)).await;
    text
}

#[tokio::test]
async fn a_request_in_flight_is_finished_and_idle_connections_are_closed_at_once() {
    let running = start(Limits::default()).await;
    let idle = TcpStream::connect(running.address).await.unwrap();
    let busy = connect(&running, "/wait").await;
    within("the request did not arrive", running.entered.notified()).await;
    running.shutdown.cancel();
    assert_eq!(rest(idle).await, "");
    running.leave.notify_one();
    let answer = rest(busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
    within("the server did not end", running.ended).await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_at_the_drain_time() {
    let running = start(Limits { drain_time: Duration::from_millis(200), ..Limits::default() }).await;
    let busy = connect(&running, "/wait").await;
    within("the request did not arrive", running.entered.notified()).await;
    running.shutdown.cancel();
    within("the server did not end", running.ended).await.unwrap();
    assert_eq!(rest(busy).await, "");
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_its_turn() {
    let running = start(Limits { connections: 1, ..Limits::default() }).await;
    let first = connect(&running, "/wait").await;
    within("the request did not arrive", running.entered.notified()).await;
    let mut second = connect(&running, "/").await;
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(100), second.read(&mut byte)).await;
    assert!(early.is_err(), "the second connection was served beside the first");
    drop(first);
    assert_eq!(within("the second was never served", second.read(&mut byte)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_silent_connection_is_closed_after_the_idle_time() {
    let running = start(Limits { idle_time: Duration::from_millis(200), ..Limits::default() }).await;
    let silent = TcpStream::connect(running.address).await.unwrap();
    assert!(!rest(silent).await.contains(" 200 "));
    let kept = connect(&running, "/").await;
    assert!(rest(kept).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn until_the_accept_time_is_over_whoever_comes_is_served_and_sent_elsewhere() {
    let running = start(Limits { accept_time: Duration::from_millis(400), ..Limits::default() }).await;
    let mut kept = connect(&running, "/").await;
    let mut buffer = [0; 512];
    let count = within("no answer", kept.read(&mut buffer)).await.unwrap();
    assert!(!String::from_utf8_lossy(&buffer[..count]).contains("connection: close"));
    running.shutdown.cancel();
    // Whoever comes anew, and whoever was here before.
    let answer = rest(connect(&running, "/").await).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
    kept.write_all(b"GET / HTTP/1.1\r\nhost: g\r\n\r\n").await.unwrap();
    let answer = rest(kept).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
    let silent = TcpStream::connect(running.address).await.unwrap();
    within("the server did not end", running.ended).await.unwrap();
    assert_eq!(rest(silent).await, "");
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut_off() {
    let limits = Limits { connections: 1, idle_time: Duration::from_millis(200), ..Limits::default() };
    let running = start(limits).await;
    let client = connect(&running, "/large").await;
    within("the answer was not begun", running.entered.notified()).await;
    // There is room for one: the second is served once the first is cut off.
    assert!(rest(connect(&running, "/").await).await.starts_with("HTTP/1.1 200 "));
    drop(client);
}
