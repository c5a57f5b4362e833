//! A service that is a script: it writes canned bytes and keeps what it got.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

/// What the script does with each request.
#[derive(Debug, Clone)]
pub(crate) enum Script {
    /// Writes these bytes, then closes.
    Answer(Vec<u8>),
    /// Answers the first request on a connection, and closes it when the next one comes.
    CloseOnReuse(Vec<u8>),
    /// Reads and never answers.
    Hang,
}

/// A scripted TCP server.
pub(crate) struct Raw {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    closed: Arc<tokio::sync::Notify>,
}

impl Raw {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(tokio::sync::Notify::new());
        let (seen, gone) = (Arc::clone(&requests), Arc::clone(&closed));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), Arc::clone(&seen), Arc::clone(&gone)));
            }
        });
        Self { address, requests, closed }
    }

    pub(crate) async fn answering(bytes: &str) -> Self {
        Self::start(Script::Answer(bytes.as_bytes().to_vec())).await
    }

    /// A well-formed JSON answer of this status and body.
    pub(crate) async fn json(status: &str, body: &str) -> Self {
        Self::answering(&answer(status, "application/json", body)).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests seen, heads and bodies.
    pub(crate) async fn requests(&self) -> Vec<String> {
        self.requests.lock().await.clone()
    }

    /// Waits until the other side has closed a connection.
    pub(crate) async fn connection_closed(&self) {
        tokio::time::timeout(Duration::from_secs(5), self.closed.notified())
            .await
            .expect("the connection stays open");
    }

    /// Waits until a request has been seen.
    pub(crate) async fn request_seen(&self) {
        let seen = async {
            while self.requests.lock().await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), seen).await.expect("no request came");
    }
}

/// An answer as bytes.
pub(crate) fn answer(status: &str, content_type: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn serve(
    mut stream: TcpStream,
    script: Script,
    requests: Arc<Mutex<Vec<String>>>,
    closed: Arc<tokio::sync::Notify>,
) {
    let mut served = 0;
    while let Some(request) = read_request(&mut stream).await {
        requests.lock().await.push(request);
        match &script {
            Script::Answer(bytes) => {
                let _ = stream.write_all(bytes).await;
                return;
            }
            Script::CloseOnReuse(_) if served > 0 => return,
            Script::CloseOnReuse(bytes) => {
                let _ = stream.write_all(bytes).await;
            }
            Script::Hang => {
                let mut rest = [0; 64];
                while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
                closed.notify_one();
                return;
            }
        }
        served += 1;
    }
    closed.notify_one();
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
    }
}
