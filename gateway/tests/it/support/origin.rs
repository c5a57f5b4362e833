//! A service that answers each request as a function says, after whatever that waits for.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// From a request's target to the bytes of its answer; an answer without bytes closes the connection.
type Answering = dyn Fn(String) -> BoxFuture<'static, Vec<u8>> + Send + Sync;

/// A scripted service.
pub(crate) struct Origin {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    pub(crate) async fn start<A>(answering: A) -> Self
    where
        A: Fn(String) -> BoxFuture<'static, Vec<u8>> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answering): (_, Arc<Answering>) = (Arc::clone(&requests), Arc::new(answering));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&answering)));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests seen.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests had this target.
    pub(crate) fn count(&self, target: &str) -> usize {
        let begin = format!("GET {target} ");
        self.requests().iter().filter(|head| head.starts_with(&begin)).count()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, answering: Arc<Answering>) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(head);
    let bytes = answering(target).await;
    let _client_gone = stream.write_all(&bytes).await;
}
