//! A service with a WebSocket, and a client of it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Error, Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderMap, HeaderValue, Uri},
    },
};

use super::Gateway;

/// What a service was asked, and what it saw of the socket's end.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

/// A service that sends every message back; `/refused` it refuses with 403, `/wrong` with an `Accept` for another key.
pub(crate) struct EchoService {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    ended: tokio::sync::watch::Sender<Vec<Option<u16>>>,
}

impl EchoService {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let ended = tokio::sync::watch::Sender::new(Vec::new());
        let (seen, gone) = (Arc::clone(&asked), ended.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, gone) = (Arc::clone(&seen), gone.clone());
                tokio::spawn(async move {
                    if let Some(code) = echo(stream, &seen).await {
                        gone.send_modify(|ended| ended.push(code));
                    }
                });
            }
        });
        Self { address, asked, ended }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn asked(&self) -> Vec<Asked> {
        self.asked.lock().await.clone()
    }

    /// Waits until so many sockets have ended, and tells with which codes.
    pub(crate) async fn ended(&self, count: usize) -> Vec<Option<u16>> {
        let mut ended = self.ended.subscribe();
        let waited =
            tokio::time::timeout(Duration::from_secs(4), ended.wait_for(|ended| ended.len() >= count));
        waited.await.expect("a socket stays open").unwrap().clone()
    }
}

/// Serves one socket; tells the code of the Close that ended it, nothing where none was opened.
async fn echo(stream: TcpStream, seen: &Mutex<Vec<Asked>>) -> Option<Option<u16>> {
    let mut asked = None;
    #[expect(clippy::result_large_err, reason = "the library asks for it")]
    let callback = |request: &Request, mut response: Response| {
        asked = Some(Asked { uri: request.uri().clone(), headers: request.headers().clone() });
        let headers = response.headers_mut();
        if let Some(offered) = request.headers().get("sec-websocket-protocol") {
            let first = offered.to_str().unwrap().split(',').next().unwrap().trim().to_owned();
            headers.insert("sec-websocket-protocol", first.parse().unwrap());
        }
        match request.uri().path() {
            "/refused" => {
                let mut refusal = ErrorResponse::new(Some("not today".to_owned()));
                *refusal.status_mut() = 403_u16.try_into().unwrap();
                Err(refusal)
            }
            "/wrong" => {
                headers
                    .insert("sec-websocket-accept", HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAAAAAAA="));
                Ok(response)
            }
            _ => Ok(response),
        }
    };
    let accepted = accept_hdr_async(stream, callback).await;
    seen.lock().await.extend(asked);
    let mut socket = accepted.ok()?;
    let mut code = None;
    while let Some(message) = socket.next().await {
        let sent = match message {
            // It is answered when the next one is asked for, of which there is none.
            Ok(Message::Close(frame)) => {
                code = frame.map(|frame| frame.code.into());
                Ok(())
            }
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).await,
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if sent.is_err() {
            break;
        }
    }
    Some(code)
}

/// A client's end.
pub(crate) type Socket = WebSocketStream<TcpStream>;

impl Gateway {
    /// Opens a WebSocket with these fields.
    ///
    /// # Errors
    /// The status and the body of an answer that is no 101.
    pub(crate) async fn socket(
        &self,
        path: &str,
        fields: &[(&'static str, &str)],
    ) -> Result<(Socket, HeaderMap), (u16, String)> {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest;
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, response)) => Ok((socket, response.headers().clone())),
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8(body).unwrap()))
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Sends a text and waits for it to come back.
pub(crate) async fn exchange_text(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
}

/// The code of the Close that ends a socket.
pub(crate) async fn close_code(socket: &mut Socket) -> Option<u16> {
    let closing = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(4), closing).await.expect("the socket stays open")
}
