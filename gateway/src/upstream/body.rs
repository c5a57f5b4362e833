//! A service's answer on its way to the client: its waits limited, its breaking off told.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    fault::UpstreamFault,
    instance::Use,
    pool::{Limits, Permit},
};
use crate::policy::Outcome;

/// An answer that goes on for so long is good, whatever comes later.
const GOOD_AFTER: Duration = Duration::from_secs(1);

/// The body of an answer. It counts as a call in flight until it has ended or is dropped.
pub(crate) struct UpstreamBody {
    source: Source,
    /// Both are given back at the end.
    held: Option<(Use, Permit)>,
    limits: Arc<Limits>,
    is_failed: bool,
    begun: Instant,
    total: Option<(Pin<Box<Sleep>>, Duration)>,
    idle: Pin<Box<Sleep>>,
    /// Since when the reader waits for the service.
    waits: Option<Instant>,
}

/// Where it comes from.
enum Source {
    Wire(Incoming),
    /// It has been read whole.
    Read(Full<Bytes>),
}

/// A tunnel's place at an instance.
pub(crate) struct Place(#[expect(dead_code, reason = "held, to be given back")] Use);

impl UpstreamBody {
    pub(super) fn new(
        incoming: Incoming,
        held: (Use, Permit),
        limits: Arc<Limits>,
        total: Option<(Instant, Duration)>,
        is_tunnel: bool,
    ) -> Self {
        let begun = Instant::now();
        let is_over = incoming.is_end_stream() && !is_tunnel;
        let mut body = Self {
            source: Source::Wire(incoming),
            held: Some(held),
            idle: Box::pin(sleep_until(begun + limits.idle_time)),
            limits,
            is_failed: false,
            begun,
            total: total.map(|(end, time)| (Box::pin(sleep_until(end)), time)),
            waits: None,
        };
        if is_over {
            body.end(Outcome::Good);
        }
        body
    }

    /// Reads it to its end: what is given is there whole.
    ///
    /// # Errors
    /// It broke off, took too long, or has more than `limit` bytes.
    pub(super) async fn read(self, limit: usize) -> Result<Self, UpstreamFault> {
        if matches!(self.source, Source::Read(_)) {
            return Ok(self);
        }
        let limits = Arc::clone(&self.limits);
        let bytes = Limited::new(self, limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return UpstreamFault::TooLarge(limit);
            }
            match error.downcast::<io::Error>() {
                Ok(error) => UpstreamFault::of_body(*error),
                Err(other) => UpstreamFault::Truncated(other.to_string()),
            }
        })?;
        let begun = Instant::now();
        Ok(Self {
            source: Source::Read(Full::new(bytes.to_bytes())),
            held: None,
            idle: Box::pin(sleep_until(begun + limits.idle_time)),
            limits,
            is_failed: false,
            begun,
            total: None,
            waits: None,
        })
    }

    /// For an answer of status 101: the call has gone well and is none of those in flight any more, but its instance is in use as
    /// long as the place is kept.
    pub(crate) fn into_place(mut self) -> Option<Place> {
        let (mut used, _permit) = self.held.take()?;
        used.settle(Outcome::Good);
        Some(Place(used))
    }

    /// Gives back what the call held. An answer of status 5xx has settled what it says of the instance before its body.
    fn end(&mut self, outcome: Outcome) {
        if let Some((mut used, permit)) = self.held.take() {
            used.settle(outcome);
            drop((used, permit));
        }
    }

    fn fail(&mut self, fault: UpstreamFault, outcome: Outcome) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        tracing::warn!(service = %self.limits.service, %fault, "an answer was not read to its end");
        self.end(outcome);
        self.is_failed = true;
        Poll::Ready(Some(Err(fault.into_io())))
    }

    /// Waits for the service, as long as that may take.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let now = Instant::now();
        let since = *self.waits.get_or_insert_with(|| {
            self.idle.as_mut().reset(now + self.limits.idle_time);
            now
        });
        if let Some((sleep, time)) = &mut self.total
            && sleep.as_mut().poll(context).is_ready()
        {
            let time = *time;
            // Time may have been spent on a client that reads slowly: the service is blamed for its own share.
            let blame = if now - since >= time / 2 { Outcome::Bad } else { Outcome::Neutral };
            return self.fail(UpstreamFault::Timeout(time), blame);
        }
        if self.idle.as_mut().poll(context).is_ready() {
            return self.fail(UpstreamFault::Timeout(self.limits.idle_time), Outcome::Bad);
        }
        Poll::Pending
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.is_failed {
            return Poll::Ready(None);
        }
        let incoming = match &mut self.source {
            Source::Wire(incoming) => incoming,
            Source::Read(whole) => {
                return Pin::new(whole).poll_frame(context).map_err(|never| match never {});
            }
        };
        match Pin::new(incoming).poll_frame(context) {
            Poll::Pending => self.wait(context),
            Poll::Ready(frame) => {
                self.waits = None;
                match frame {
                    None => {
                        self.end(Outcome::Good);
                        Poll::Ready(None)
                    }
                    Some(Err(error)) => {
                        self.fail(UpstreamFault::Truncated(super::client::chain(&error)), Outcome::Bad)
                    }
                    Some(Ok(frame)) => {
                        if self.source.is_end_stream() {
                            self.end(Outcome::Good);
                        } else if self.begun.elapsed() >= GOOD_AFTER
                            && let Some((used, _)) = &mut self.held
                            && !used.is_settled()
                        {
                            used.settle(Outcome::Good);
                        }
                        Poll::Ready(Some(Ok(frame)))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_failed || self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Wire(incoming) => incoming.size_hint(),
            Source::Read(whole) => whole.size_hint(),
        }
    }
}

impl Source {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Wire(incoming) => incoming.is_end_stream(),
            Self::Read(whole) => whole.is_end_stream(),
        }
    }
}
