//! A request body on its way to a service: its length and its silences are held to the limits while it streams.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use contract::Problem;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, SizeHint};
use kit::body::BodyLimit;
use tokio::time::{Instant, Sleep, sleep};

use crate::policy::pace::Pace;

/// Which limit a body ran over, told to whoever sees the call fail for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Overrun {
    which: Arc<AtomicU8>,
    bytes: usize,
}

const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;
const BROKEN_OFF: u8 = 3;

impl Overrun {
    /// The problem that the client hears of, where its body was at fault.
    pub(super) fn problem(&self) -> Option<Problem> {
        match self.which.load(Ordering::Relaxed) {
            TOO_LARGE => Some(kit::body::too_large(self.bytes)),
            TOO_SLOW => Some(kit::body::too_slow()),
            BROKEN_OFF => Some(kit::body::broken_off()),
            _ => None,
        }
    }
}

/// A body that ends with an error where it runs over a limit.
pub(super) struct Measured {
    inner: BoxBody<Bytes, io::Error>,
    left: usize,
    silence: Duration,
    timer: Pin<Box<Sleep>>,
    pace: Pace,
    /// Since when the client is waited for.
    waits: Option<Instant>,
    overrun: Overrun,
}

impl Measured {
    /// `limit.time` is the longest silence, and the window of the least pace: a whole upload may take longer.
    pub(super) fn new(inner: BoxBody<Bytes, io::Error>, limit: BodyLimit, overrun: &mut Overrun) -> Self {
        overrun.bytes = limit.bytes;
        Self {
            inner,
            left: limit.bytes,
            silence: limit.time,
            timer: Box::pin(sleep(limit.time)),
            pace: Pace::new(limit.time),
            waits: None,
            overrun: overrun.clone(),
        }
    }

    fn end(&self, which: u8, error: io::Error) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.overrun.which.store(which, Ordering::Relaxed);
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Measured {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                let waited = self.waits.take().map_or(Duration::ZERO, |since| since.elapsed());
                if !self.pace.keeps(waited, length) {
                    return self.end(TOO_SLOW, io::ErrorKind::TimedOut.into());
                }
                match self.left.checked_sub(length) {
                    Some(left) => self.left = left,
                    None => return self.end(TOO_LARGE, io::Error::other("the body is too large")),
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => self.end(BROKEN_OFF, error),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if self.waits.is_none() {
                    // Time in which nobody asked for more was not the client's.
                    let now = Instant::now();
                    self.waits = Some(now);
                    let end = now + self.silence;
                    self.timer.as_mut().reset(end);
                }
                match self.timer.as_mut().poll(context) {
                    Poll::Ready(()) => self.end(TOO_SLOW, io::ErrorKind::TimedOut.into()),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
