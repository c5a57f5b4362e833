//! Connections to one address, plain or over TLS, each of which knows its age and whether it has answered before.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;

/// Connects to one address, whatever the name that is asked for.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) address: SocketAddr,
    /// To the end of the handshake.
    pub(super) time: Duration,
    /// Over TLS, with who is trusted and whose certificate it takes.
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A connection that TLS could not be agreed on.
#[derive(Debug, thiserror::Error)]
#[error("TLS: {0}")]
pub(super) struct TlsFailed(#[source] pub(super) io::Error);

impl Connector {
    async fn connect(self) -> io::Result<Stream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some((config, name)) = self.tls else { return Ok(Either::Left(stream)) };
        let secured = TlsConnector::from(config).connect(name, stream).await;
        secured
            .map(|stream| Either::Right(Box::new(stream)))
            .map_err(|error| io::Error::other(TlsFailed(error)))
    }
}

type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

impl tower_service::Service<Uri> for Connector {
    type Response = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let stream = tokio::time::timeout(connector.time, connector.connect()).await??;
            Ok(Wire { stream: TokioIo::new(stream), life: Life::begin() })
        })
    }
}

/// What is known of a connection.
#[derive(Debug, Clone)]
pub(super) struct Life {
    opened: Instant,
    has_answered: Arc<AtomicBool>,
}

impl Life {
    fn begin() -> Self {
        Self { opened: Instant::now(), has_answered: Arc::new(AtomicBool::new(false)) }
    }

    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Whether it has carried an answer: only then can it have been closed as idle.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TokioIo<Stream>,
    life: Life,
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.life.clone())
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }
}
