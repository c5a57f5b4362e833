//! Connections on threads of their own.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kit::{
    server::{Limits, Server},
    workers,
};
use poem::{Endpoint, Request, Response, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

/// Answers with the thread that it runs on; `/wait` once it is let go, `/panic` not at all.
struct Place {
    entered: Arc<Notify>,
    leave: Arc<Notify>,
}

impl Endpoint for Place {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        match request.uri().path() {
            "/panic" => panic!("as asked"),
            "/wait" => {
                self.entered.notify_one();
                self.leave.notified().await;
            }
            _ => {}
        }
        Ok(Response::from(workers::place().to_string()))
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), future).await.unwrap_or_else(|_| panic!("{what}"))
}

/// The body of one answer, a digit or two long.
async fn ask(stream: &mut TcpStream, path: &str) -> Option<usize> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: g\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") || answer.ends_with("\r\n\r\n") {
        let mut part = [0; 1024];
        let count = within("no answer came", stream.read(&mut part)).await.ok().filter(|count| *count > 0)?;
        answer.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
    answer.rsplit("\r\n").next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_stays_on_one_worker_all_have_their_share_and_a_drain_waits_for_each() {
    workers::start().unwrap();
    let server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let (address, shutdown) = (server.address(), CancellationToken::new());
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let place = Place { entered: Arc::clone(&entered), leave: Arc::clone(&leave) };
    let ended = tokio::spawn(server.run(place, shutdown.clone()));
    let mut seen = BTreeSet::new();
    for _ in 0..3 * workers::places() {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let first = ask(&mut stream, "/").await.unwrap();
        assert_eq!(ask(&mut stream, "/").await, Some(first));
        seen.insert(first);
    }
    assert_eq!(seen, (1..workers::places()).collect());
    // One that panics takes its connection with it and no other.
    for _ in 0..workers::places() {
        assert_eq!(ask(&mut TcpStream::connect(address).await.unwrap(), "/panic").await, None);
    }
    let mut busy = TcpStream::connect(address).await.unwrap();
    let answered = tokio::spawn(async move { ask(&mut busy, "/wait").await });
    within("the request did not arrive", entered.notified()).await;
    shutdown.cancel();
    leave.notify_one();
    assert!(answered.await.unwrap().is_some());
    within("the server did not end", ended).await.unwrap();
}
