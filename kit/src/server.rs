//! The listener every service stands on: hyper under poem, with limits in time, size and number, and a graceful drain.
//!
//! poem's own server leaves a half-sent head open for ever and spins when descriptors run out; this one does neither.

mod connection;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::body::Body as _;
use poem::{
    Endpoint, IntoResponse, Request,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::connection::{Connection, Progress};

/// What one listener takes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a request's head (line and fields), 8 KiB at least.
    pub head_bytes: usize,
    /// Fields of a request's head.
    pub head_fields: usize,
    /// Connections at once; further ones wait in the backlog.
    pub connections: usize,
    /// From the first byte of a head to its last.
    pub head_time: Duration,
    /// How long a connection may stay silent between requests, and how long a client may take nothing of an answer.
    pub idle_time: Duration,
    /// How long requests in flight may go on once the service is told to stop.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 32 * 1024,
            head_fields: 100,
            connections: 10_000,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            drain_time: Duration::from_secs(8),
        }
    }
}

/// Marks a request whose head announced both a length and chunks, of which hyper hands on one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TwoFramings;

/// Marks a request whose head is larger than the listener takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadTooLarge;

/// A bound listener, not serving yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// The address can't be bound: taken, not ours, not allowed.
    pub async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, limits })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then finishes what is in flight within the drain time.
    pub async fn run<E>(self, app: E, shutdown: CancellationToken)
    where
        E: Endpoint + 'static,
        E::Output: IntoResponse,
    {
        let app = Arc::new(app);
        let room = Arc::new(Semaphore::new(self.limits.connections));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = accept(&self.listener, &room) => accepted,
            };
            let (stream, peer, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: give others time to close theirs.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (app, address, limits, shutdown) =
                (Arc::clone(&app), self.address, self.limits, shutdown.clone());
            connections.spawn(async move {
                serve_connection(stream, peer, address, app, limits, shutdown).await;
                drop(permit);
            });
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(self.limits.drain_time, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "the drain time is over; connections are cut");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn serve_connection<E>(
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    app: Arc<E>,
    limits: Limits,
    shutdown: CancellationToken,
) where
    E: Endpoint + 'static,
    E::Output: IntoResponse,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let progress = Arc::new(Progress::default());
    let io = Connection::new(stream, Arc::clone(&progress), limits);
    let service = hyper::service::service_fn(move |request| {
        let guard = progress.begin();
        let two_framings = progress.has_two_framings();
        let too_large = progress.head_bytes() > limits.head_bytes;
        let addresses = (LocalAddr(local.into()), RemoteAddr(peer.into()), Scheme::HTTP);
        let mut request = Request::from((request, addresses.0, addresses.1, addresses.2));
        if two_framings {
            request.extensions_mut().insert(TwoFramings);
        }
        if too_large {
            request.extensions_mut().insert(HeadTooLarge);
        }
        let is_1_0 = request.version() == http::Version::HTTP_10;
        let (app, progress) = (Arc::clone(&app), Arc::clone(&progress));
        async move {
            let response = match app.call(request).await {
                Ok(output) => output.into_response(),
                Err(error) => error.into_response(),
            };
            let mut response: hyper::Response<_> = response.into();
            let has_length = response.body().size_hint().exact().is_some()
                || response.headers().contains_key(http::header::CONTENT_LENGTH);
            if is_1_0 && !has_length {
                // Its end is the connection's: hyper would say keep-alive all the same.
                *response.version_mut() = http::Version::HTTP_10;
            }
            if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
                progress.upgrade();
            }
            Ok::<_, std::convert::Infallible>(response.map(|body| connection::Answer::new(body, guard)))
        }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(limits.idle_time)
        .max_buf_size(limits.head_bytes.max(8 * 1024))
        .max_headers(limits.head_fields)
        .half_close(false)
        .serve_connection(hyper_util::rt::TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(serving);
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.drain_time, serving.as_mut()).await {
                Ok(result) => result,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
