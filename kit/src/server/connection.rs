//! One client connection: limits the time a request head may take, and gives hyper's own refusals a problem body.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use contract::{Problem, ProblemKind};
use http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::{
    Limits,
    framing::{Framing, Head},
};

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const REQUEST: u8 = 2;
const TUNNEL: u8 = 3;

/// What a connection is doing: waiting, receiving a head, busy with a request, or no HTTP any more.
#[derive(Debug, Default)]
pub(super) struct Progress {
    state: AtomicU8,
    framing: Mutex<Framing>,
}

impl Progress {
    /// A request's head is complete; busy until the guard is dropped. And what was seen of the head.
    pub(super) fn begin(self: &Arc<Self>) -> (Busy, Option<Head>) {
        self.state.store(REQUEST, Ordering::Relaxed);
        (Busy(Arc::clone(self)), self.framing().next_head())
    }

    /// The answer is 101: what follows are no heads.
    pub(super) fn upgrade(&self) {
        self.state.store(TUNNEL, Ordering::Relaxed);
    }

    fn is_tunnel(&self) -> bool {
        self.state.load(Ordering::Relaxed) == TUNNEL
    }

    fn framing(&self) -> MutexGuard<'_, Framing> {
        self.framing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lives as long as a request and its answer.
pub(super) struct Busy(Arc<Progress>);

impl Drop for Busy {
    fn drop(&mut self) {
        let state = &self.0.state;
        let _ = state.compare_exchange(REQUEST, IDLE, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// The socket under hyper.
pub(super) struct Connection<S> {
    stream: S,
    progress: Arc<Progress>,
    limits: Limits,
    head_deadline: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    refusal: Option<Refusal>,
    /// Runs while the client takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
    /// Runs once nothing more is written.
    linger: Option<Pin<Box<Sleep>>>,
}

/// How long a client that was answered early may go on sending what is not read: cut off at once, its own side would be told of a
/// reset before it has read the answer.
const LINGER: Duration = Duration::from_secs(2);

/// Reads at once while lingering, before others get their turn.
const LINGERED: usize = 16;

/// A problem answer on its way out in the place of hyper's empty one.
struct Refusal {
    bytes: Vec<u8>,
    written: usize,
    replaced: usize,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S, progress: Arc<Progress>, limits: Limits) -> Self {
        Self {
            stream,
            progress,
            limits,
            head_deadline: None,
            timer: None,
            refusal: None,
            stall: None,
            linger: None,
        }
    }

    /// Ends a write that has made no headway for too long.
    fn unless_stalled<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() || self.progress.is_tunnel() {
            self.stall = None;
            return written;
        }
        let time = self.limits.idle_time;
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        ready!(stall.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }

    /// A head begins to come, unless it has before or a request is being answered.
    fn await_head(&mut self) {
        let state = &self.progress.state;
        if state.compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.head_deadline = Some(Instant::now() + self.limits.head_time);
            self.timer = None;
        }
    }

    /// Whether a head has been arriving for too long.
    fn head_is_late(&mut self, context: &mut Context<'_>) -> bool {
        if self.progress.state.load(Ordering::Relaxed) != HEAD {
            self.head_deadline = None;
            self.timer = None;
            return false;
        }
        let Some(deadline) = self.head_deadline else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().poll(context).is_ready()
    }
}

impl<S: AsyncWrite + Unpin> Connection<S> {
    /// Tells a client whose head did not come in time, as far as it takes that at once (RFC 9110 §15.5.9).
    fn refuse_late(&mut self, context: &mut Context<'_>) {
        let written = Pin::new(&mut self.stream).poll_write(context, &refusal(StatusCode::REQUEST_TIMEOUT));
        if written.is_ready() {
            let _ = Pin::new(&mut self.stream).poll_flush(context);
        }
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    /// Reads and forgets what comes after the last answer.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if linger.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [0; 8 * 1024];
        for _ in 0..LINGERED {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.progress.is_tunnel() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        // A head may have begun to come behind the last request.
        let has_begun = self.progress.framing().is_within_head();
        if has_begun {
            self.await_head();
        }
        if self.head_is_late(context) {
            self.refuse_late(context);
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the request head took too long",
            )));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.progress.framing().look(&buffer.filled()[before..]);
            self.await_head();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.progress.is_tunnel() {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        if self.refusal.is_none() {
            match refused_status(bytes) {
                None => {
                    let written = Pin::new(&mut self.stream).poll_write(context, bytes);
                    return self.unless_stalled(written, context);
                }
                Some(status) => {
                    self.refusal =
                        Some(Refusal { bytes: refusal(status), written: 0, replaced: bytes.len() });
                }
            }
        }
        while let Some(refusal) = self.refusal.take() {
            let this = &mut *self;
            match Pin::new(&mut this.stream).poll_write(context, &refusal.bytes[refusal.written..]) {
                Poll::Pending => {
                    self.refusal = Some(refusal);
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    let written = refusal.written + count;
                    if written == refusal.bytes.len() {
                        return Poll::Ready(Ok(refusal.replaced));
                    }
                    self.refusal = Some(Refusal { written, ..refusal });
                }
            }
        }
        Poll::Ready(Ok(0))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        }
        // Whoever has sent all of its request is not waited for.
        if !self.progress.is_tunnel() && !self.progress.framing().is_between_requests() {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.progress.is_tunnel() {
            return Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        }
        let first = buffers.iter().find(|buffer| !buffer.is_empty());
        if self.refusal.is_some() || first.is_some_and(|first| refused_status(first).is_some()) {
            let first = first.map_or(&[][..], |first| first);
            return self.poll_write(context, first);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.unless_stalled(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The status of an answer that hyper gives by itself to a head it can't read: it has no body, which ours never lack.
fn refused_status(bytes: &[u8]) -> Option<StatusCode> {
    let line = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    if line.first() != Some(&b'4') || bytes.len() > 512 {
        return None;
    }
    let status = StatusCode::from_bytes(line.get(..3)?).ok()?;
    let text = std::str::from_utf8(bytes).ok()?;
    text.contains("\r\ncontent-length: 0\r\n").then_some(status)
}

fn refusal(status: StatusCode) -> Vec<u8> {
    let detail = match status.as_u16() {
        408 => "The request's head did not come in time",
        414 => "The request line is too long",
        431 => "The request's head is too large",
        _ => "The request's head can't be read as HTTP/1.1",
    };
    let request_id = crate::request_id::RequestId::fresh();
    tracing::info!(
        status = status.as_u16(),
        request_id = request_id.as_str(),
        "a request was refused by its head"
    );
    let problem = Problem::new(ProblemKind::of_status(status), detail);
    let body = serde_json::to_string(&problem.body("", request_id.as_str())).unwrap_or_default();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {}\r\ncontent-length: {}\r\nx-request-id: {}\r\nconnection: close\r\n\r\n{body}",
        contract::problem::PROBLEM_JSON,
        body.len(),
        request_id.as_str(),
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hyper_s_own_empty_refusals_are_replaced() {
        let empty =
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(refused_status(empty).map(|status| status.as_u16()), Some(431));
        for bytes in [
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".as_slice(),
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello",
            b"{}",
        ] {
            assert_eq!(refused_status(bytes), None);
        }
    }
}
