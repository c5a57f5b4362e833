//! Requests that no HTTP client would send.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends bytes and gives everything that comes back until the connection is closed.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let ended =
        tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the connection stays open");
    // A reset after the answer is a close all the same.
    drop(ended);
    String::from_utf8_lossy(&answer).into_owned()
}
