//! The body of an answer, which knows whether its client takes it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// Since when a part of an answer waits for its client. While the answer itself has nothing to give, nothing waits.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Option<Instant>>);

impl Waiting {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Whether the client has taken nothing for so long, although there is something.
    pub(super) fn is_longer_than(&self, time: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() >= time)
    }
}

/// Bytes handed over at once: what is given whole counts as sent, however slowly its client takes it.
const PART: usize = 64 * 1024;

/// An answer's body, with what must live until it is sent.
pub(super) struct Answer<B, G> {
    body: B,
    /// What is left of the part that the body gave last.
    rest: Bytes,
    waiting: Arc<Waiting>,
    _guard: G,
}

impl<B, G> Answer<B, G> {
    pub(super) fn new(body: B, waiting: Arc<Waiting>, guard: G) -> Self {
        Self { body, rest: Bytes::new(), waiting, _guard: guard }
    }
}

impl<B: Body<Data = Bytes> + Unpin, G: Unpin> Body for Answer<B, G> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        // Whoever asks for more has taken what there was.
        self.waiting.set(None);
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        self.waiting.set(Some(Instant::now()));
        let count = self.rest.len().min(PART);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(count)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

impl<B, G> Drop for Answer<B, G> {
    fn drop(&mut self) {
        self.waiting.set(None);
    }
}
