//! Calling the service for an answer, and keeping what comes.

use std::{io, sync::Arc, time::SystemTime};

use bytes::{Bytes, BytesMut};
use contract::{Problem, ProblemKind};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Frame;

use super::{
    Cache, CacheBody,
    flight::{Flight, Landed},
    give,
    store::{Entry, Found},
};
use crate::policy::cache::{
    conditional,
    key::{self, Identity, Key},
    rules::{self, Judged, Reuse},
    stored::{Stored, without_hop_by_hop},
};

/// Calls the service.
pub(crate) trait Call: Clone + Send + 'static {
    /// An answer on its way.
    type Answering: Future<Output = Result<Response<CacheBody>, Problem>> + Send;

    /// With this head.
    fn call(&self, request: Parts) -> Self::Answering;
}

impl<F, A> Call for F
where
    F: Fn(Parts) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<CacheBody>, Problem>> + Send,
{
    type Answering = A;

    fn call(&self, request: Parts) -> A {
        self(request)
    }
}

/// A request that nothing stored answers.
pub(super) struct Errand {
    pub(super) identity: Identity,
    pub(super) request: Parts,
    pub(super) found: Found,
    /// As `Cache-Status` has it (RFC 9211 §2.2).
    pub(super) why: &'static str,
}

impl Errand {
    pub(super) fn new(identity: Identity, request: Parts, found: Found, now: SystemTime) -> Self {
        let why = match (&found.stored, &found.index) {
            (None, None) => "fwd=uri-miss",
            (None, Some(_)) => "fwd=vary-miss",
            (Some(stored), _) => match Judged::at(stored, now).reuse(&HeaderMap::new(), now) {
                Reuse::Fresh => "fwd=request",
                Reuse::WhileRevalidating | Reuse::Ask => "fwd=stale",
            },
        };
        Self { identity, request, found, why }
    }

    /// What it presents of the fields an answer varies by: who presents the same gets the same.
    pub(super) fn presented(&self, vary: &[String]) -> Key {
        key::variant(self.found.address, 0, &self.identity, vary, &self.request.headers)
    }
}

/// What was read of a body.
enum Read {
    Whole(Bytes),
    TooMuch(CacheBody),
    Broken(io::Error),
}

impl Cache {
    /// Calls, keeps what may be kept, and tells those who wait before the answer goes out.
    pub(super) async fn fly<F: Call>(
        &self,
        errand: Errand,
        fetch: F,
        flight: Option<Flight>,
    ) -> Result<Response<CacheBody>, Problem> {
        let mut sent = errand.request.clone();
        conditional::without_conditions(&mut sent.headers);
        let before = errand.found.stored.clone();
        let asks = before.as_ref().is_some_and(|stored| conditional::ask(&mut sent.headers, &stored.headers));
        let answer = fetch.call(sent).await;
        let now = SystemTime::now();
        if let Some(stored) = &before
            && let Some(status) = out_of_order(&answer)
            && Judged::at(stored, now).stands_in(&errand.request)
        {
            let vary = key::vary(&stored.headers).unwrap_or_default();
            land(flight.as_ref(), || shared(&errand, stored, vary));
            let told = format!("fwd=stale; fwd-status={}; detail=stale-if-error", status.as_u16());
            return Ok(give::stored(&errand.request, stored, now, &told));
        }
        let (head, body) = match answer {
            Ok(answer) => answer.into_parts(),
            Err(problem) => {
                land(flight.as_ref(), || Landed::Failed(problem.clone()));
                return Err(problem);
            }
        };
        let (status, mut headers) = (head.status, head.headers);
        if !headers.contains_key(header::DATE)
            && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(now))
        {
            headers.insert(header::DATE, date);
        }
        if let Some(stored) = before.filter(|_| asks && status == StatusCode::NOT_MODIFIED) {
            let headers = conditional::refreshed(&stored.headers, headers);
            let fresh = Stored::new(stored.status, headers, stored.body.clone(), now);
            return Ok(self.keep(&errand, fresh, status, flight.as_ref()).await);
        }
        without_hop_by_hop(&mut headers);
        if !self.takes(&errand, status, &headers, now) {
            return Ok(self.alone(&errand, give::with(status, headers, body), flight.as_ref()).await);
        }
        match read(body, self.entry_bytes).await {
            Read::Whole(body) => {
                let fresh = Stored::new(status, headers, body, now);
                Ok(self.keep(&errand, fresh, status, flight.as_ref()).await)
            }
            Read::TooMuch(body) => {
                Ok(self.alone(&errand, give::with(status, headers, body), flight.as_ref()).await)
            }
            Read::Broken(error) => {
                let problem =
                    Problem::new(ProblemKind::BadUpstream, "The service's answer broke off").because(error);
                land(flight.as_ref(), || Landed::Failed(problem.clone()));
                Err(problem)
            }
        }
    }

    /// Whether an answer with this head is read whole, to be kept.
    fn takes(&self, errand: &Errand, status: StatusCode, headers: &HeaderMap, now: SystemTime) -> bool {
        let length =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        // Events go out as they come.
        let events = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"));
        !events
            && length.is_none_or(|length: usize| length <= self.entry_bytes)
            && rules::is_storable(&errand.identity, &errand.request, status, headers, now)
    }

    async fn keep(
        &self,
        errand: &Errand,
        fresh: Stored,
        answered: StatusCode,
        flight: Option<&Flight>,
    ) -> Response<CacheBody> {
        let stored = Arc::new(fresh);
        let whole = give::with(stored.status, stored.headers.clone(), give::whole(stored.body.clone()));
        let (status, headers, received) = (stored.status, &stored.headers, stored.received);
        if !rules::is_storable(&errand.identity, &errand.request, status, headers, received) {
            return self.alone(errand, whole, flight).await;
        }
        let vary = key::vary(headers).unwrap_or_default();
        let entry = Entry {
            identity: &errand.identity,
            headers: &errand.request.headers,
            vary: &vary,
            kept: Judged::at(&stored, received).kept(&errand.request, headers),
            stored: Arc::clone(&stored),
        };
        let kept = self.store.put(&errand.found, entry).await;
        self.for_each.invalidate(&errand.found.address);
        land(flight, || shared(errand, &stored, vary));
        let status = answered.as_u16();
        let told = format!("{}; fwd-status={status}{}", errand.why, if kept { "; stored" } else { "" });
        give::came(&errand.request, whole, &told)
    }

    /// For this caller alone; those who wait, and those who come within a while, call themselves.
    async fn alone(
        &self,
        errand: &Errand,
        answer: Response<CacheBody>,
        flight: Option<&Flight>,
    ) -> Response<CacheBody> {
        self.for_each.insert(errand.found.address, ());
        // What was kept before is not given out stale in the place of what may not be kept.
        if errand.found.stored.is_some() && !answer.status().is_server_error() {
            self.store.end(errand.found.address).await;
        }
        land(flight, || Landed::Alone);
        let told = format!("{}; fwd-status={}", errand.why, answer.status().as_u16());
        give::came(&errand.request, answer, &told)
    }
}

fn shared(errand: &Errand, stored: &Arc<Stored>, vary: Vec<String>) -> Landed {
    Landed::Shared { stored: Arc::clone(stored), presented: errand.presented(&vary), vary }
}

fn land(flight: Option<&Flight>, landed: impl FnOnce() -> Landed) {
    if let Some(flight) = flight {
        flight.land(landed());
    }
}

/// The status of a service that is out of order, or could not be reached.
fn out_of_order(answer: &Result<Response<CacheBody>, Problem>) -> Option<StatusCode> {
    let status = match answer {
        Ok(answer) => answer.status(),
        Err(problem) => problem.kind.status(),
    };
    matches!(status.as_u16(), 500 | 502 | 503 | 504).then_some(status)
}

/// Reads a body of at most so many bytes; of a longer one, nothing is lost.
async fn read(mut body: CacheBody, most: usize) -> Read {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => whole.extend_from_slice(&data),
            // Trailers are not kept.
            Ok(Err(_)) => {}
            Err(error) => return Read::Broken(error),
        }
        if whole.len() > most {
            let begun = stream::iter([Ok(Frame::data(whole.freeze()))]);
            let all = StreamBody::new(begun.chain(BodyStream::new(body)));
            return Read::TooMuch(BodyExt::boxed(all));
        }
    }
    Read::Whole(whole.freeze())
}
