//! The listener every service stands on: hyper under poem, with limits in time, size and number, and a graceful drain.
//!
//! poem's own server leaves a half-sent head open for ever and spins when descriptors run out; this one does neither.

mod answer;
mod connection;
mod framing;
mod http1;
mod http2;
mod opening;
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::uri::Scheme;
use http_body_util::combinators::BoxBody;
use poem::{
    Endpoint, IntoResponse, Request,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::opening::Opened;
pub use self::tls::{CertificateFacts, TLS_CERTIFICATE, TLS_KEY, Tls, TlsFault, TlsFiles};
use crate::workers;

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
    /// How long connections are still taken once the service is told to stop: until whoever balances has seen that it is not ready.
    pub accept_time: Duration,
    /// How long requests in flight may go on after that.
    pub drain_time: Duration,
}

impl Limits {
    /// How often a connection is looked at.
    fn look(&self) -> Duration {
        (self.idle_time / 4).max(Duration::from_millis(10))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 32 * 1024,
            head_fields: 100,
            connections: 10_000,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            accept_time: Duration::ZERO,
            drain_time: Duration::from_secs(8),
        }
    }
}

/// Marks a request whose head announced both a length and chunks, of which hyper hands on one, or can't be told from what is around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TwoFramings;

/// Marks a request whose head is larger than the listener takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadTooLarge;

/// A bound listener, not serving yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    tls: Option<Arc<Tls>>,
}

/// How far a listener is on its way to an end.
#[derive(Debug, Clone)]
struct Stopping {
    /// The end was asked for.
    draining: CancellationToken,
    /// Nothing new is taken any more.
    stopped: CancellationToken,
}

/// What a connection's requests share.
#[derive(Debug, Clone)]
struct Seat {
    peer: SocketAddr,
    local: SocketAddr,
    scheme: Scheme,
    limits: Limits,
    stopping: Stopping,
}

impl Seat {
    /// A request as the layers above know it, with what its head gave reason to refuse it for.
    fn request(
        &self,
        request: hyper::Request<hyper::body::Incoming>,
        ambiguous: bool,
        too_large: bool,
    ) -> Request {
        let (local, remote) = (LocalAddr(self.local.into()), RemoteAddr(self.peer.into()));
        let mut request = Request::from((request, local, remote, self.scheme.clone()));
        if ambiguous {
            request.extensions_mut().insert(TwoFramings);
        }
        if too_large {
            request.extensions_mut().insert(HeadTooLarge);
        }
        request
    }
}

async fn respond<E: Endpoint>(app: &E, request: Request) -> hyper::Response<BoxBody<Bytes, io::Error>>
where
    E::Output: IntoResponse,
{
    let response = match app.call(request).await {
        Ok(output) => output.into_response(),
        Err(error) => error.into_response(),
    };
    response.into()
}

impl Server {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// The address can't be bound: taken, not ours, not allowed.
    pub async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, limits, tls: None })
    }

    /// Speaks TLS.
    #[must_use]
    pub fn encrypted(self, tls: Option<Arc<Tls>>) -> Self {
        Self { tls, ..self }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`. Then connections are taken for the accept time still, and every answer asks its client to go
    /// elsewhere with the next request; then none is taken, and what is in flight is finished within the drain time.
    pub async fn run<E>(self, app: E, shutdown: CancellationToken)
    where
        E: Endpoint + 'static,
        E::Output: IntoResponse,
    {
        let app = Arc::new(app);
        let room = Arc::new(Semaphore::new(self.limits.connections));
        let connections = TaskTracker::new();
        let stopping = Stopping { draining: shutdown, stopped: CancellationToken::new() };
        let over = async {
            stopping.draining.cancelled().await;
            tokio::time::sleep(self.limits.accept_time).await;
        };
        tokio::pin!(over);
        let scheme = if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut over => break,
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
            let seat = Seat {
                peer,
                local: self.address,
                scheme: scheme.clone(),
                limits: self.limits,
                stopping: stopping.clone(),
            };
            let (app, tls) = (Arc::clone(&app), self.tls.clone());
            let serving = async move {
                match here(stream) {
                    Ok(stream) => serve_connection(stream, seat, tls, app).await,
                    Err(error) => tracing::warn!(%error, "a connection could not be served"),
                }
                drop(permit);
            };
            match workers::next() {
                Some(worker) => connections.spawn_on(serving, worker),
                None => connections.spawn(serving),
            };
        }
        drop(self.listener);
        stopping.stopped.cancel();
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

/// A connection of the runtime that this runs on, whichever accepted it.
fn here(stream: TcpStream) -> io::Result<TcpStream> {
    if workers::place() == 0 { Ok(stream) } else { TcpStream::from_std(stream.into_std()?) }
}

async fn serve_connection<E>(stream: TcpStream, seat: Seat, tls: Option<Arc<Tls>>, app: Arc<E>)
where
    E: Endpoint + 'static,
    E::Output: IntoResponse,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let peer = seat.peer;
    let served = match tls {
        // Boxed: a connection holds as much as the largest of its ways takes, also where it goes another.
        Some(tls) => Box::pin(serve_encrypted(stream, tls, seat, app)).await,
        None => serve_plain(stream, seat, app).await,
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a connection did not open");
    }
}

async fn serve_encrypted<E>(stream: TcpStream, tls: Arc<Tls>, seat: Seat, app: Arc<E>) -> io::Result<()>
where
    E: Endpoint + 'static,
    E::Output: IntoResponse,
{
    let handshake = tokio::time::timeout(seat.limits.head_time, tls.accept(stream));
    let stream = tokio::select! {
        accepted = handshake => accepted.map_err(io::Error::from).flatten()?,
        () = seat.stopping.stopped.cancelled() => return Ok(()),
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2::serve(Opened::whole(stream), seat, app).await;
    } else {
        http1::serve(Opened::whole(stream), seat, app).await;
    }
    Ok(())
}

async fn serve_plain<E>(stream: TcpStream, seat: Seat, app: Arc<E>) -> io::Result<()>
where
    E: Endpoint + 'static,
    E::Output: IntoResponse,
{
    let (stream, is_http2) = tokio::select! {
        opened = Opened::read(stream, seat.limits.idle_time, seat.limits.head_time) => opened?,
        () = seat.stopping.stopped.cancelled() => return Ok(()),
    };
    if is_http2 {
        Box::pin(http2::serve(stream, seat, app)).await;
    } else {
        http1::serve(stream, seat, app).await;
    }
    Ok(())
}
