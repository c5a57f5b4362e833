//! A service that is a function over each of its connections, once the head of a request is there.

use std::{future::Future, sync::Arc};

use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

/// Starts one; gives its URL.
pub(crate) async fn scripted<F, Fut>(serve: F) -> String
where
    F: Fn(TcpStream, String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = Arc::new(serve);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let serve = Arc::clone(&serve);
            tokio::spawn(async move {
                if let Some(head) = read_head(&mut stream).await {
                    serve(stream, head).await;
                }
            });
        }
    });
    url
}

/// Reads to the end of a head and no further.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
