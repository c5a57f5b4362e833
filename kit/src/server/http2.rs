//! A connection that speaks HTTP/2, under the limits that hold for HTTP/1, and those that only many requests on one connection need.

mod activity;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use poem::{Endpoint, IntoResponse};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use self::activity::Activity;
use super::{Limits, Seat, answer::Answer, opening::Opened};

/// Requests of one connection at once.
const STREAMS: u32 = 100;

/// Bytes that a client may send ahead of what is read, for a request and for a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes of an answer held for a client that is slower than its service.
const SEND_BUFFER: usize = 256 * 1024;

/// Requests taken back before they were looked at, and requests broken off for faults of their own; past these the client is
/// cut off (CVE-2023-44487, CVE-2025-8671).
const PENDING_RESETS: usize = 20;
const LOCAL_RESETS: usize = 64;

/// How often a silent client is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// How long a client that was silent may take to hear that it is too late.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Serves it to its end.
pub(super) async fn serve<E, S>(io: Opened<S>, seat: Seat, app: Arc<E>)
where
    E: Endpoint + 'static,
    E::Output: IntoResponse,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = seat.limits;
    let activity = Arc::new(Activity::new());
    let (of_service, counted) = (seat.clone(), Arc::clone(&activity));
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let mut turn = Activity::begin(&counted);
        let too_large = request.headers().len() > limits.head_fields
            || size(request.uri(), request.headers()) > limits.head_bytes;
        as_in_http1(&mut request);
        let request = of_service.request(request, false, too_large);
        let app = Arc::clone(&app);
        async move {
            let response = super::respond(app.as_ref(), request).await;
            let waiting = turn.answered();
            Ok::<_, std::convert::Infallible>(response.map(|body| Answer::new(body, waiting, turn)))
        }
    });
    let serving = builder(&limits).serve_connection(TokioIo::new(io), service);
    tokio::pin!(serving);
    // Told at once, so that the next request goes elsewhere; a client that has just come gets one answered first.
    let leaving = async {
        seat.stopping.draining.cancelled().await;
        activity.begun().await;
    };
    tokio::pin!(leaving);
    let (mut has_left, mut is_stopped, mut is_closing, mut end) = (false, false, false, None::<Instant>);
    let mut look = tokio::time::interval(limits.look());
    let result = loop {
        tokio::select! {
            result = serving.as_mut() => break result,
            () = &mut leaving, if !has_left => {
                has_left = true;
                serving.as_mut().graceful_shutdown();
            }
            () = seat.stopping.stopped.cancelled(), if !is_stopped => {
                is_stopped = true;
                end = Some(Instant::now() + limits.drain_time);
                serving.as_mut().graceful_shutdown();
            }
            () = activity.abused() => {
                tracing::info!(peer = %seat.peer, "a client takes back most of its requests; it is cut off");
                return;
            }
            () = async { tokio::time::sleep_until(end.unwrap_or_else(Instant::now)).await }, if end.is_some() => {
                if is_stopped || activity.is_idle_for(Duration::ZERO) {
                    return;
                }
                // A request has come with the word that no further one should; the connection ends behind it.
                end = None;
                is_closing = true;
            }
            _ = look.tick() => {
                if activity.has_waited(limits.idle_time) {
                    tracing::debug!(peer = %seat.peer, "a client takes nothing of its answer");
                    return;
                }
                if end.is_none() && !is_closing && activity.is_idle_for(limits.idle_time) {
                    end = Some(Instant::now() + LAST_WORD);
                    serving.as_mut().graceful_shutdown();
                }
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(peer = %seat.peer, %error, "a connection ended early");
    }
}

fn builder(limits: &Limits) -> hyper::server::conn::http2::Builder<TokioExecutor> {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        // Past this h2 answers by itself, without a problem body; what lies between is refused as by HTTP/1.
        .max_header_list_size(u32::try_from(limits.head_bytes * 2).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

/// The size of a head, as HTTP/1 would write it.
fn size(uri: &Uri, headers: &HeaderMap) -> usize {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>() + target
}

/// What HTTP/2 writes in another way is written as all further layers, and the services behind, know it: the authority as `Host`
/// (RFC 9113 §8.3.1), and one field of cookies (§8.2.3).
fn as_in_http1(request: &mut hyper::Request<hyper::body::Incoming>) {
    let authority =
        request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    let headers = request.headers_mut();
    if let Some(authority) = authority
        && !headers.contains_key(header::HOST)
    {
        headers.insert(header::HOST, authority);
    }
    let cookies: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}
