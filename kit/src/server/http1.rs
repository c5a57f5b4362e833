//! A connection that speaks HTTP/1.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, Version, header};
use hyper::body::Body as _;
use poem::{Endpoint, IntoResponse};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Seat,
    answer::{Answer, Waiting},
    connection::{Connection, Progress},
    opening::Opened,
};

/// Serves it to its end.
pub(super) async fn serve<E, S>(io: Opened<S>, seat: Seat, app: Arc<E>)
where
    E: Endpoint + 'static,
    E::Output: IntoResponse,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = seat.limits;
    let (progress, waiting) = (Arc::new(Progress::default()), Arc::new(Waiting::default()));
    let io = Connection::new(io, Arc::clone(&progress), limits);
    let (of_service, taken) = (seat.clone(), Arc::clone(&waiting));
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (guard, head) = progress.begin();
        // A head that was not seen to end can't be told from what stands before and behind it.
        let ambiguous = head.is_none_or(|head| head.ambiguous);
        let too_large = head.is_some_and(|head| head.bytes > limits.head_bytes);
        let is_1_0 = request.version() == Version::HTTP_10;
        let request = of_service.request(request, ambiguous, too_large);
        let (app, progress, waiting) = (Arc::clone(&app), Arc::clone(&progress), Arc::clone(&taken));
        let draining = of_service.stopping.draining.clone();
        async move {
            let mut response = super::respond(app.as_ref(), request).await;
            let has_length = response.body().size_hint().exact().is_some()
                || response.headers().contains_key(header::CONTENT_LENGTH);
            if is_1_0 && !has_length {
                // Its end is the connection's: hyper would say keep-alive all the same.
                *response.version_mut() = Version::HTTP_10;
            }
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                progress.upgrade();
            } else if draining.is_cancelled() {
                // The client's next request is for another replica.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, std::convert::Infallible>(response.map(|body| Answer::new(body, waiting, guard)))
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
    let mut look = tokio::time::interval(limits.look());
    let result = loop {
        tokio::select! {
            result = serving.as_mut() => break result,
            () = seat.stopping.stopped.cancelled() => {
                serving.as_mut().graceful_shutdown();
                match tokio::time::timeout(limits.drain_time, serving.as_mut()).await {
                    Ok(result) => break result,
                    Err(_) => return,
                }
            }
            _ = look.tick() => if waiting.is_longer_than(limits.idle_time) {
                tracing::debug!(peer = %seat.peer, "a client takes nothing of its answer");
                return;
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(peer = %seat.peer, %error, "a connection ended early");
    }
}
