//! The shared cache in front of services (RFC 9111): answers are kept, shared by all who ask at once, revalidated, and given out
//! stale where a service allows it. The rules stand in [`crate::policy::cache`].

#[cfg(test)]
mod door;
mod fetch;
mod flight;
mod give;
mod store;

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use contract::{Problem, ProblemKind};
use http::{HeaderMap, Method, Response, StatusCode, header, request::Parts};
use http_body_util::combinators::BoxBody;
use kit::metrics::{self, CacheHeld};
use serde_json::json;
use tokio::sync::{Semaphore, oneshot};
use tracing::Instrument as _;

use self::{
    fetch::{Call, Errand},
    flight::{Flight, Flights, Landed, Place},
    store::{Found, Memory, Store},
};
use crate::{
    policy::cache::{
        key::{self, Identity, Key},
        rules::{self, Judged, Reuse},
    },
    valkey::Valkey,
};

/// An answer's body.
pub(crate) type CacheBody = BoxBody<Bytes, io::Error>;

/// Revalidations behind answers that are given out stale, at most at once.
const BEHIND: usize = 64;

/// How long an address whose answer was for one alone is called by each for himself.
const FOR_EACH: Duration = Duration::from_secs(30);

/// Addresses that are remembered for it.
const FOR_EACH_KNOWN: u64 = 10_000;

/// How often a request waits for a call of somebody else, before it calls itself.
const WAITS: usize = 3;

/// Where answers are kept.
pub(crate) enum Kept {
    /// In this process, up to so many bytes.
    Memory {
        /// Bytes of all of them.
        bytes: u64,
    },
    /// In Valkey, for all replicas.
    Valkey(Arc<Valkey>),
}

/// The cache.
pub(crate) struct Cache {
    store: Store,
    entry_bytes: usize,
    flights: Arc<Flights>,
    for_each: moka::sync::Cache<Key, ()>,
    behind: Arc<Semaphore>,
}

impl Cache {
    /// A cache of answers of at most `entry_bytes` each.
    pub(crate) fn new(kept: Kept, entry_bytes: usize) -> Self {
        let store = match kept {
            Kept::Memory { bytes } => Store::Memory(Memory::new(bytes)),
            Kept::Valkey(valkey) => Store::Valkey(valkey),
        };
        let for_each =
            moka::sync::Cache::builder().max_capacity(FOR_EACH_KNOWN).time_to_live(FOR_EACH).build();
        Self {
            store,
            entry_bytes,
            flights: Arc::default(),
            for_each,
            behind: Arc::new(Semaphore::new(BEHIND)),
        }
    }

    /// What it holds in this process; `None` where answers are kept elsewhere.
    pub(crate) fn held(&self) -> Option<CacheHeld> {
        self.store.held()
    }

    /// Answers `request`, one of `operation`, from the cache, or by `fetch`, which may be given conditions of the cache's own
    /// and may be called after the answer is out.
    pub(crate) async fn answer<F: Call>(
        self: &Arc<Self>,
        operation: &str,
        identity: Identity,
        request: Parts,
        fetch: F,
    ) -> Result<Response<CacheBody>, Problem> {
        let answer = self.look(identity, request, fetch).await;
        if !kit::explain::is_on() {
            let result = answer.as_ref().map_or("failed", |answer| give::result(answer.headers()));
            metrics::cache_looked(operation, result);
        }
        answer
    }

    async fn look<F: Call>(
        self: &Arc<Self>,
        identity: Identity,
        request: Parts,
        fetch: F,
    ) -> Result<Response<CacheBody>, Problem> {
        if request.method != Method::GET && request.method != Method::HEAD {
            let head = request.clone();
            // Boxed, as each call below: what is stored needs no room for it.
            let mut answer = Box::pin(fetch.call(request)).await?;
            self.changed(&head, answer.status(), answer.headers()).await;
            give::mark(answer.headers_mut(), "fwd=method");
            return Ok(answer);
        }
        let asked = rules::asked(&request.headers);
        let address = key::address_of(&request);
        if kit::explain::is_on() {
            // What is kept is kept elsewhere; and a fetch of the cache's own is a task of its own.
            kit::explain::tell(
                "cache",
                || json!({ "key": address.hex(), "kept_for": identity.told(), "varies": "by what an answer's Vary names" }),
            );
            return Box::pin(fetch.call(request)).await;
        }
        for wait in 0..=WAITS {
            let now = SystemTime::now();
            let found = self.store.find(address, &identity, &request.headers).await;
            if !has_condition_of_a_change(&request.headers)
                && let Some(answer) = self.reuse(&identity, &request, &found, now, &fetch)
            {
                return Ok(answer);
            }
            if asked.has("only-if-cached") {
                return Err(Problem::new(ProblemKind::UpstreamTimeout, "Nothing fresh is cached"));
            }
            let errand = Errand::new(identity.clone(), request.clone(), found, now);
            if asked.has("no-store") || goes_past(&request) || self.for_each.contains_key(&address) {
                return Box::pin(self.pass(errand, fetch)).await;
            }
            // Who wants it fresh does not take what was asked for before; who has waited enough waits no more.
            if asked.has("no-cache") || wait == WAITS {
                return Box::pin(self.go(errand, fetch, None)).await;
            }
            match self.flights.board(errand.found.flight(&identity, &request.headers)) {
                Place::First(flight) => return Box::pin(self.go(errand, fetch, Some(flight))).await,
                Place::After(waiting) => match flight::landed(waiting).await {
                    Landed::Shared { stored, vary, presented } if presented == errand.presented(&vary) => {
                        let told = format!("{}; collapsed", errand.why);
                        return Ok(give::stored(&request, &stored, SystemTime::now(), &told));
                    }
                    Landed::Shared { .. } => {}
                    Landed::Failed(problem) => return Err(problem),
                    Landed::Alone => return Box::pin(self.go(errand, fetch, None)).await,
                },
            }
        }
        Err(Problem::internal("a request waited for others for ever"))
    }

    /// What a request has changed, by its answer (RFC 9111 §4.4): its address, and those of the same host that the answer names.
    pub(crate) async fn changed(&self, request: &Parts, status: StatusCode, headers: &HeaderMap) {
        if request.method.is_safe() || !(status.is_success() || status.is_redirection()) {
            return;
        }
        self.store.end(key::address_of(request)).await;
        for named in [header::LOCATION, header::CONTENT_LOCATION] {
            if let Some(address) = headers.get(named).and_then(|named| key::named_by(request, named)) {
                self.store.end(address).await;
            }
        }
    }

    fn reuse<F: Call>(
        self: &Arc<Self>,
        identity: &Identity,
        request: &Parts,
        found: &Found,
        now: SystemTime,
        fetch: &F,
    ) -> Option<Response<CacheBody>> {
        let stored = found.stored.as_ref()?;
        match Judged::at(stored, now).reuse(&request.headers, now) {
            Reuse::Ask => return None,
            Reuse::Fresh => {}
            Reuse::WhileRevalidating => self.revalidate_behind(identity, request, found, now, fetch),
        }
        Some(give::stored(request, stored, now, "hit"))
    }

    fn revalidate_behind<F: Call>(
        self: &Arc<Self>,
        identity: &Identity,
        request: &Parts,
        found: &Found,
        now: SystemTime,
        fetch: &F,
    ) {
        let Ok(permit) = Arc::clone(&self.behind).try_acquire_owned() else { return };
        let mut request = request.clone();
        request.method = Method::GET;
        request.headers.remove(header::RANGE);
        request.headers.remove(header::IF_RANGE);
        let Place::First(flight) = self.flights.board(found.flight(identity, &request.headers)) else {
            return;
        };
        let errand = Errand::new(identity.clone(), request, found.clone(), now);
        let (cache, fetch) = (Arc::clone(self), fetch.clone());
        let behind = async move {
            if let Err(problem) = cache.fly(errand, fetch, Some(flight)).await {
                tracing::debug!(cause = problem.cause, "a revalidation behind an answer failed");
            }
            drop(permit);
        };
        tokio::spawn(behind.in_current_span());
    }

    /// Calls in a task of its own: it goes on for those who wait, should this caller go away.
    async fn go<F: Call>(
        self: &Arc<Self>,
        errand: Errand,
        fetch: F,
        flight: Option<Flight>,
    ) -> Result<Response<CacheBody>, Problem> {
        let (tell, told) = oneshot::channel();
        let cache = Arc::clone(self);
        let call = async move {
            // Nobody may be there to take it.
            let _ = tell.send(cache.fly(errand, fetch, flight).await);
        };
        tokio::spawn(call.in_current_span());
        told.await.unwrap_or_else(|_| Err(Problem::internal("a call of the cache broke off")))
    }

    /// As it was asked, kept by nobody.
    async fn pass<F: Call>(&self, errand: Errand, fetch: F) -> Result<Response<CacheBody>, Problem> {
        let mut answer = fetch.call(errand.request.clone()).await?;
        let (status, headers) = (answer.status(), answer.headers());
        if rules::is_storable(&errand.identity, &errand.request, status, headers, SystemTime::now()) {
            self.for_each.invalidate(&errand.found.address);
        }
        give::mark(answer.headers_mut(), if goes_past(&errand.request) { "fwd=bypass" } else { errand.why });
        Ok(answer)
    }
}

/// Conditions that the service must judge.
fn has_condition_of_a_change(headers: &HeaderMap) -> bool {
    headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_UNMODIFIED_SINCE)
}

/// What is not kept and waits for nobody: a part, a head alone, a condition that is the service's to judge.
fn goes_past(request: &Parts) -> bool {
    request.method != Method::GET
        || request.headers.contains_key(header::RANGE)
        || has_condition_of_a_change(&request.headers)
}

#[cfg(test)]
mod tests;
