//! A call, and its body on the way to a service.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, uri::PathAndQuery};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Full, combinators::BoxBody};
use tokio::time::Instant;

/// One call of a service.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Sent byte for byte, after the base path of the service's URL.
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) body: CallBody,
    /// From now to the last byte of the answer; `None` for streams, whose head still comes within the service's time.
    pub(crate) total: Option<Duration>,
    /// Whether doing it twice is doing it once: the method says so (RFC 9110 §9.2.2), or the operation has an
    /// `Idempotency-Key` that the service honours.
    pub(crate) idempotent: bool,
    /// After so long without an answer another instance is asked as well, where the call may be repeated.
    pub(crate) hedge: Option<Duration>,
    /// Which answers are read to their end before they are given: one that breaks off is asked for again as one that never came.
    pub(crate) reads: Reads,
}

/// Which answers are read whole.
pub(crate) enum Reads {
    /// None: they are passed on as they come.
    Nothing,
    /// Every one.
    Everything,
    /// Those whose head says so.
    Where(Box<dyn Fn(&http::response::Parts) -> bool + Send + Sync>),
}

impl Reads {
    pub(super) fn takes(&self, head: &http::response::Parts) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Where(takes) => takes(head),
        }
    }
}

/// What is sent.
pub(crate) enum CallBody {
    /// Can be sent again.
    Whole(Bytes),
    /// Is sent once at most.
    Stream(BoxBody<Bytes, io::Error>),
}

/// A body as the client of one instance sends it.
#[derive(Clone)]
pub(super) enum RequestBody {
    Whole(Full<Bytes>),
    Stream(Arc<Mutex<Streamed>>),
}

/// A body that comes while it is sent.
pub(super) struct Streamed {
    body: BoxBody<Bytes, io::Error>,
    is_begun: bool,
    /// Since when there is nothing to send: until then the service can't be blamed for its silence.
    waits_for_client: bool,
    moved: Instant,
    failed: Option<io::ErrorKind>,
}

impl From<CallBody> for RequestBody {
    fn from(body: CallBody) -> Self {
        match body {
            CallBody::Whole(bytes) => Self::Whole(Full::new(bytes)),
            CallBody::Stream(body) => Self::Stream(Arc::new(Mutex::new(Streamed {
                body,
                is_begun: false,
                waits_for_client: false,
                moved: Instant::now(),
                failed: None,
            }))),
        }
    }
}

fn lock(streamed: &Mutex<Streamed>) -> MutexGuard<'_, Streamed> {
    streamed.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RequestBody {
    /// Whether it can be sent (again) from its beginning.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Stream(streamed) => !lock(streamed).is_begun,
        }
    }

    /// Whether it can be sent again, and twice at once.
    pub(super) fn is_replayable(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// How it failed, if it did: that is the client's doing.
    pub(super) fn failed(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Whole(_) => None,
            Self::Stream(streamed) => lock(streamed).failed,
        }
    }

    /// When the service was last given something, or is still to be given something: now.
    pub(super) fn moved(&self, begun: Instant) -> Instant {
        match self {
            Self::Whole(_) => begun,
            Self::Stream(streamed) => {
                let streamed = lock(streamed);
                if streamed.waits_for_client { Instant::now() } else { streamed.moved.max(begun) }
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
            Self::Stream(streamed) => {
                let mut streamed = lock(streamed);
                streamed.is_begun = true;
                streamed.waits_for_client = true;
                let frame = ready!(Pin::new(&mut streamed.body).poll_frame(context));
                streamed.waits_for_client = false;
                streamed.moved = Instant::now();
                if let Some(Err(error)) = &frame {
                    streamed.failed = Some(error.kind());
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(full) => full.is_end_stream(),
            Self::Stream(streamed) => lock(streamed).body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(full) => full.size_hint(),
            Self::Stream(streamed) => lock(streamed).body.size_hint(),
        }
    }
}
