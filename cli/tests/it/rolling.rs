//! Two replicas behind a balancer that follows `/readyz`, restarted in turn under load: not one request fails.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kit::testing::{Fault, FaultServer};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::process::{Place, Platform};

const DOCUMENT: &str = r#"{"openapi":"3.1.0","info":{"title":"Small","version":"1"},"paths":{"/a":{
    "get":{"operationId":"readA","responses":{"200":{"description":""}}},
    "post":{"operationId":"writeA","responses":{"200":{"description":""}}}}}}"#;

/// A replica's addresses, which it has again after a restart, and whether the balancer sends to it.
struct Replica {
    api: SocketAddr,
    ops: SocketAddr,
    is_ready: AtomicBool,
    answered: AtomicUsize,
}

impl Replica {
    fn new() -> Arc<Self> {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (api, ops) = (free(), free());
        Arc::new(Self { api, ops, is_ready: AtomicBool::new(false), answered: AtomicUsize::new(0) })
    }

    fn place(&self, service: &str) -> Place {
        let place = Place::new()
            .with("PLATFORM__GATEWAY__LISTEN", &self.api.to_string())
            .with("PLATFORM__OPS__LISTEN", &self.ops.to_string())
            .with("PLATFORM__GATEWAY__DRAIN_DELAY", "600ms");
        std::fs::write(place.path().join("a.json"), DOCUMENT).unwrap();
        let text = format!(
            "[[service]]\nname = \"echo\"\nopenapi = \"a.json\"\nurls = [\"{service}\"]\naccess = \"public\"\ncontract = \"off\"\n"
        );
        std::fs::write(place.path().join("platform.toml"), text).unwrap();
        place
    }

    /// Asks for its readiness, as a balancer does.
    async fn follow(self: Arc<Self>) {
        loop {
            let asked = tokio::time::timeout(Duration::from_millis(200), async {
                let mut stream = BufReader::new(TcpStream::connect(self.ops).await?);
                stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: o\r\nconnection: close\r\n\r\n").await?;
                let mut line = String::new();
                stream.read_line(&mut line).await?;
                std::io::Result::Ok(line.starts_with("HTTP/1.1 200"))
            });
            let is_ready = matches!(asked.await, Ok(Ok(true)));
            self.is_ready.store(is_ready, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// One of the balancer's connections to a replica, kept until the replica ends it.
struct Kept(BufReader<TcpStream>);

impl Kept {
    /// A request and its answer; whether the connection may be kept. Nothing is ever tried again.
    async fn ask(&mut self, number: usize) -> Result<bool, String> {
        let told = |error: std::io::Error| error.to_string();
        let request = if number.is_multiple_of(2) {
            "GET /api/echo/a HTTP/1.1\r\nhost: g\r\n\r\n"
        } else {
            "POST /api/echo/a HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n"
        };
        self.0.write_all(request.as_bytes()).await.map_err(told)?;
        let (mut head, mut length) = (String::new(), None);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.map_err(told)? == 0 {
                return Err(format!("the connection ended after {head:?}"));
            }
            if line == "\r\n" {
                break;
            }
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.trim().parse::<usize>().ok();
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length.ok_or_else(|| format!("no length: {head}"))?];
        self.0.read_exact(&mut body).await.map_err(told)?;
        if !head.starts_with("HTTP/1.1 200 ") || body != b"ok" {
            return Err(format!("{head}{}", String::from_utf8_lossy(&body)));
        }
        Ok(!head.contains("connection: close"))
    }
}

/// Sends one request after the other to whichever replica is ready, over connections that are kept.
async fn client(replicas: Vec<Arc<Replica>>, done: Arc<AtomicBool>, seed: usize) -> Vec<String> {
    let mut kept: Vec<Option<Kept>> = replicas.iter().map(|_| None).collect();
    let (mut number, mut failed) = (seed, Vec::new());
    while !done.load(Ordering::SeqCst) {
        number += 1;
        let ready: Vec<usize> =
            (0..replicas.len()).filter(|index| replicas[*index].is_ready.load(Ordering::SeqCst)).collect();
        assert!(!ready.is_empty(), "no replica is ready");
        // What is not ready is let go, with the connections to it.
        for (index, kept) in kept.iter_mut().enumerate() {
            kept.take_if(|_| !ready.contains(&index));
        }
        let chosen = ready[number % ready.len()];
        let mut connection = match kept[chosen].take() {
            Some(connection) => connection,
            None => match TcpStream::connect(replicas[chosen].api).await {
                Ok(stream) => Kept(BufReader::new(stream)),
                Err(error) => {
                    failed.push(error.to_string());
                    continue;
                }
            },
        };
        match connection.ask(number).await {
            Ok(may_be_kept) => {
                replicas[chosen].answered.fetch_add(1, Ordering::SeqCst);
                kept[chosen] = Some(connection).filter(|_| may_be_kept);
            }
            Err(error) => failed.push(error),
        }
    }
    failed
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain for {what}");
}

/// Stops a replica in order and starts it again on what it left.
async fn restart(mut platform: Platform, replica: &Replica, service: &str) -> Platform {
    platform.signal("TERM");
    let (code, folder) = tokio::task::spawn_blocking(move || {
        let code = platform.end();
        (code, std::mem::replace(&mut platform.place, Place::new()))
    })
    .await
    .unwrap();
    assert_eq!(code, Some(0));
    let place = replica.place(service);
    let again = tokio::task::spawn_blocking(move || {
        drop(folder);
        place.serve(&[])
    });
    let again = again.await.unwrap();
    until("a replica to be ready again", || replica.is_ready.load(Ordering::SeqCst)).await;
    again
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_restarted_in_turn_under_load_fail_no_request() {
    let service = FaultServer::start(Fault::None).await;
    let replicas = vec![Replica::new(), Replica::new()];
    let url = service.url();
    let mut platforms = Vec::new();
    for replica in &replicas {
        let place = replica.place(&url);
        platforms.push(tokio::task::spawn_blocking(move || place.serve(&[])).await.unwrap());
        tokio::spawn(Arc::clone(replica).follow());
    }
    until("both to be ready", || replicas.iter().all(|replica| replica.is_ready.load(Ordering::SeqCst)))
        .await;
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> =
        (0..6).map(|seed| tokio::spawn(client(replicas.clone(), Arc::clone(&done), seed))).collect();
    for _ in 0..2 {
        for replica in &replicas {
            let platform = platforms.remove(0);
            platforms.push(restart(platform, replica, &url).await);
            let answered = replica.answered.load(Ordering::SeqCst);
            until("the new one to be used", || replica.answered.load(Ordering::SeqCst) > answered + 50).await;
        }
    }
    done.store(true, Ordering::SeqCst);
    let mut failed = Vec::new();
    for client in clients {
        failed.extend(client.await.unwrap());
    }
    let answered: usize = replicas.iter().map(|replica| replica.answered.load(Ordering::SeqCst)).sum();
    assert!(
        failed.is_empty(),
        "{} of {answered} failed: {:?}",
        failed.len(),
        &failed[..failed.len().min(40)]
    );
    assert!(answered > 1_000, "{answered} requests were too few to tell");
    eprintln!("{answered} requests, 4 restarts, none failed");
}
