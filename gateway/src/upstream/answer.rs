//! A service's answer while it comes in: no longer silent than allowed, done by its deadline, and counted until its end.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep_until},
};

use super::pool::InFlight;

/// The body of an answer. Dropping it ends the call.
pub(crate) struct UpstreamBody {
    inner: Incoming,
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    deadline: Option<Instant>,
    _counted: (OwnedSemaphorePermit, InFlight),
}

impl UpstreamBody {
    pub(super) fn new(
        inner: Incoming,
        idle: Duration,
        deadline: Option<Instant>,
        counted: (OwnedSemaphorePermit, InFlight),
    ) -> Self {
        let timer = Box::pin(sleep_until(next(idle, deadline)));
        Self { inner, timer, idle, deadline, _counted: counted }
    }
}

/// When the next part must be there.
fn next(idle: Duration, deadline: Option<Instant>) -> Instant {
    let silent = Instant::now() + idle;
    deadline.map_or(silent, |deadline| deadline.min(silent))
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let next = next(self.idle, self.deadline);
                self.timer.as_mut().reset(next);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(self.timer.as_mut().poll(context));
                Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
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
