//! A service that fails as it is told to, counts what it got, and knows when its sockets were closed.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Answers 200 and keeps the connection.
    None,
    /// Answers this status and keeps the connection.
    Status(u16),
    /// Resets the connection.
    Reset,
    /// Resets the connection of every second request.
    ResetEverySecond,
    /// Never answers.
    Hang,
    /// Answers 200 after so long.
    Delay(Duration),
    /// Promises a body, sends part of it and closes.
    Truncate,
    /// Answers what is no HTTP.
    Garbage,
    /// Sends half a head and closes.
    HalfHead,
    /// Accepts connections and never reads from them.
    HalfOpen,
    /// Answers the first request of a connection and closes it when the next comes.
    CloseKept,
    /// As [`Fault::CloseKept`], with a reset.
    ResetKept,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    requests: usize,
    closed: usize,
}

/// A scripted service on a free port, until it is dropped.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    seen: Arc<watch::Sender<Seen>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl FaultServer {
    /// Starts one.
    pub async fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, told) = watch::channel(fault);
        let seen = Arc::new(watch::Sender::new(Seen::default()));
        let counted = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (told, counted) = (told.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    serve(stream, &told, &counted).await;
                    counted.send_modify(|seen| seen.closed += 1);
                });
            }
        });
        Self { address, fault, seen, accepting }
    }

    /// A URL where nobody listens.
    pub async fn refusing() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does from now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Requests whose head and body came whole.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.seen.borrow().requests
    }

    /// Waits for so many requests.
    pub async fn saw_requests(&self, count: usize) {
        self.wait(|seen| seen.requests >= count).await;
    }

    /// Waits, a second at most, until so many of its sockets are closed.
    pub async fn saw_closed(&self, count: usize) {
        self.wait(|seen| seen.closed >= count).await;
    }

    async fn wait(&self, is_so: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        tokio::time::timeout(Duration::from_secs(1), seen.wait_for(is_so))
            .await
            .expect("it did not happen within a second")
            .unwrap();
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn answer(status: u16) -> String {
    format!("HTTP/1.1 {status} As told\r\ncontent-length: 2\r\n\r\nok")
}

async fn serve(mut stream: TcpStream, told: &watch::Receiver<Fault>, seen: &watch::Sender<Seen>) {
    let mut served = 0;
    if *told.borrow() == Fault::HalfOpen {
        return until_closed(&mut stream).await;
    }
    while read_request(&mut stream).await {
        seen.send_modify(|seen| seen.requests += 1);
        let mut fault = *told.borrow();
        if fault == Fault::ResetEverySecond {
            fault = if seen.borrow().requests.is_multiple_of(2) { Fault::Reset } else { Fault::None };
        }
        let bytes = match fault {
            Fault::Hang | Fault::HalfOpen => return until_closed(&mut stream).await,
            Fault::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
            Fault::ResetKept if served > 0 => {
                let _ = stream.set_zero_linger();
                return;
            }
            Fault::CloseKept if served > 0 => return,
            Fault::Status(status) => answer(status),
            Fault::Truncate => "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\npart".to_owned(),
            Fault::Garbage => "no HTTP at all\r\n\r\n".to_owned(),
            Fault::HalfHead => "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
            Fault::Delay(time) => {
                tokio::time::sleep(time).await;
                answer(200)
            }
            Fault::None | Fault::CloseKept | Fault::ResetKept | Fault::ResetEverySecond => answer(200),
        };
        let is_broken = matches!(fault, Fault::Truncate | Fault::Garbage | Fault::HalfHead);
        if stream.write_all(bytes.as_bytes()).await.is_err() || is_broken {
            return;
        }
        served += 1;
    }
}

async fn until_closed(stream: &mut TcpStream) {
    let mut rest = [0; 256];
    while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}

/// Reads one request, its body of a given length or in chunks.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let is_whole = if head.contains("transfer-encoding: chunked") {
                body.ends_with("0\r\n\r\n")
            } else {
                body.len() >= length.unwrap_or(0)
            };
            if is_whole {
                return true;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            _ => return false,
        }
    }
}
