//! Counts and times of this process, as `/metrics` tells them: by service, operation and class of status, never by path, so
//! that there are as many series as operations and no more.

mod remembered;

use std::{
    cell::RefCell,
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use http::{StatusCode, header};
use poem::{Endpoint, Request, Response, Result};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Upper bounds in seconds: from an answer out of memory to what a client still waits for.
const BOUNDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The media type of `OpenMetrics`, which Prometheus reads.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

use self::remembered::Remembered;

static MEASURED: LazyLock<Measured> = LazyLock::new(Measured::new);

thread_local! {
    static ANSWERS: Remembered<(Counter, Histogram)> = RefCell::default();
    static CALLS: Remembered<Histogram> = RefCell::default();
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    service: &'static str,
    operation: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Listener {
    service: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    service: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Broken {
    service: String,
    operation: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RateLimited {
    operation: String,
    rule: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Looked {
    operation: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Hedged {
    service: String,
    used: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tunnelled {
    service: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TunnelEnded {
    service: String,
    closed_by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TunnelBytes {
    service: String,
    direction: &'static str,
}

type Times<L> = Family<L, Histogram, fn() -> Histogram>;

struct Measured {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Times<Answered>,
    in_flight: Family<Listener, Gauge>,
    calls: Times<Called>,
    violations: Family<Broken, Counter>,
    rate_limited: Family<RateLimited, Counter>,
    looked: Family<Looked, Counter>,
    hedged: Family<Hedged, Counter>,
    tunnels: Tunnels,
    unbelieved: Family<Listener, Counter>,
    sessions: Family<Listener, Gauge>,
}

/// Tunnels between clients and services.
struct Tunnels {
    open: Family<Tunnelled, Gauge>,
    ended: Family<TunnelEnded, Counter>,
    bytes: Family<TunnelBytes, Counter>,
}

impl Tunnels {
    fn new(registry: &mut Registry) -> Self {
        let new = Self { open: Family::default(), ended: Family::default(), bytes: Family::default() };
        registry.register("tunnels_open", "WebSockets that are open", new.open.clone());
        registry.register("tunnels", "WebSockets that have ended, by who ended them", new.ended.clone());
        registry.register(
            "tunnel_bytes",
            "Bytes of WebSockets that have ended, from the client (in) and to it (out)",
            new.bytes.clone(),
        );
        new
    }
}

fn times<L: Clone + std::hash::Hash + Eq>() -> Times<L> {
    Family::new_with_constructor(|| Histogram::new(BOUNDS))
}

impl Measured {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("platform");
        let requests = Family::default();
        registry.register(
            "requests",
            "Requests answered; status 499 is a client that went away",
            requests.clone(),
        );
        let durations = times();
        registry.register_with_unit(
            "request_duration",
            "From a request's head to the head of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        let in_flight = Family::default();
        registry.register("requests_in_flight", "Requests being answered", in_flight.clone());
        let calls = times();
        registry.register_with_unit(
            "upstream_duration",
            "Calls to services; what got no answer has the outcome failed",
            Unit::Seconds,
            calls.clone(),
        );
        let violations = Family::default();
        registry.register(
            "contract_violations",
            "Answers of services that break their contract, by the rule they break",
            violations.clone(),
        );
        let rate_limited = Family::default();
        registry.register("rate_limited", "Requests refused by a rate limit", rate_limited.clone());
        let looked = Family::default();
        registry.register(
            "cache_requests",
            "Requests that the cache looked at, by what came of it",
            looked.clone(),
        );
        let hedged = Family::default();
        registry.register(
            "upstream_hedges",
            "Second calls beside one that took long, by whose answer was used",
            hedged.clone(),
        );
        let tunnels = Tunnels::new(&mut registry);
        let unbelieved = Family::default();
        registry.register(
            "unbelieved_proxy",
            "Requests with X-Forwarded-For from a peer that is no trusted proxy",
            unbelieved.clone(),
        );
        let sessions = Family::default();
        registry.register(
            "sessions_open",
            "Sessions that have neither ended nor run out, of all replicas",
            sessions.clone(),
        );
        Self {
            registry,
            requests,
            durations,
            in_flight,
            calls,
            violations,
            rate_limited,
            looked,
            hedged,
            tunnels,
            unbelieved,
            sessions,
        }
    }
}

/// The class of a status.
#[must_use]
fn class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=498 => "4xx",
        499 => "499",
        _ => "5xx",
    }
}

/// How many requests a listener is answering.
pub(crate) fn in_flight(service: &'static str) -> Gauge {
    MEASURED.in_flight.get_or_create_owned(&Listener { service })
}

/// A request tells of another client than its peer, who is not believed.
pub(crate) fn unbelieved_proxy(service: &'static str) {
    MEASURED.unbelieved.get_or_create(&Listener { service }).inc();
}

/// A request has got its answer, or its client went away.
pub(crate) fn answered(service: &'static str, operation: &str, status: u16, duration: Duration) {
    let class = class(status);
    let make = || {
        let labels = Answered { service, operation: operation.to_owned(), status: class };
        (MEASURED.requests.get_or_create_owned(&labels), MEASURED.durations.get_or_create_owned(&labels))
    };
    remembered::with(&ANSWERS, (service, operation, class), make, |(count, times)| {
        count.inc();
        times.observe(duration.as_secs_f64());
    });
}

/// A service was called; `None` where no answer came.
pub fn called(service: &str, status: Option<u16>, duration: Duration) {
    let outcome = status.map_or("failed", class);
    let make = || MEASURED.calls.get_or_create_owned(&Called { service: service.to_owned(), outcome });
    remembered::with(&CALLS, (service, "", outcome), make, |times| times.observe(duration.as_secs_f64()));
}

/// A service's answer broke this rule of its contract.
pub fn contract_violated(service: &str, operation: &str, kind: &'static str) {
    let labels = Broken { service: service.to_owned(), operation: operation.to_owned(), kind };
    MEASURED.violations.get_or_create(&labels).inc();
}

/// So many sessions are open.
pub fn sessions_open(service: &'static str, count: u64) {
    MEASURED.sessions.get_or_create(&Listener { service }).set(i64::try_from(count).unwrap_or(i64::MAX));
}

/// A rate limit refused a request.
pub fn rate_limited(operation: &str, rule: String) {
    MEASURED.rate_limited.get_or_create(&RateLimited { operation: operation.to_owned(), rule }).inc();
}

/// The cache looked for an answer to a request.
pub fn cache_looked(operation: &str, result: &'static str) {
    MEASURED.looked.get_or_create(&Looked { operation: operation.to_owned(), result }).inc();
}

/// A second call was made beside one that took long; `used` is whose answer was: `first` or `second`.
pub fn hedged(service: &str, used: &'static str) {
    MEASURED.hedged.get_or_create(&Hedged { service: service.to_owned(), used }).inc();
}

/// An instance of a service, as it stands at the moment of a scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamInstance {
    /// The service.
    pub service: String,
    /// The instance's address.
    pub instance: String,
    /// Whether it takes calls.
    pub healthy: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfInstance {
    service: String,
    instance: String,
}

type Instances = Arc<dyn Fn() -> Vec<UpstreamInstance> + Send + Sync>;

/// A WebSocket to a service is open.
pub fn tunnel_opened(service: &str) {
    MEASURED.tunnels.open.get_or_create(&Tunnelled { service: service.to_owned() }).inc();
}

/// It has ended.
pub fn tunnel_closed(service: &str, closed_by: &'static str, bytes_in: u64, bytes_out: u64) {
    let tunnels = &MEASURED.tunnels;
    tunnels.open.get_or_create(&Tunnelled { service: service.to_owned() }).dec();
    tunnels.ended.get_or_create(&TunnelEnded { service: service.to_owned(), closed_by }).inc();
    for (direction, bytes) in [("in", bytes_in), ("out", bytes_out)] {
        let labels = TunnelBytes { service: service.to_owned(), direction };
        tunnels.bytes.get_or_create(&labels).inc_by(bytes);
    }
}

/// A difference between the contract that a service serves and the one it was bound by, for which an operation is shut off.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ContractBreak {
    /// The service.
    pub service: String,
    /// The operation, by method and path at the service.
    pub operation: String,
    /// Where the difference is in the service's document.
    pub pointer: String,
}

type Breaks = Arc<dyn Fn() -> Vec<ContractBreak> + Send + Sync>;

/// What a cache holds in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheHeld {
    /// Answers.
    pub answers: u64,
    /// Their size, in bytes.
    pub bytes: u64,
}

type Held = Arc<dyn Fn() -> Option<CacheHeld> + Send + Sync>;

/// `/metrics`. Not for a public listener.
#[derive(Clone, Default)]
pub struct MetricsEndpoint {
    instances: Option<Instances>,
    breaks: Option<Breaks>,
    held: Option<Held>,
}

impl fmt::Debug for MetricsEndpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MetricsEndpoint").finish_non_exhaustive()
    }
}

impl MetricsEndpoint {
    /// With the instances that `ask` tells of at each scrape: what is gone by then has no series.
    #[must_use]
    pub fn with_instances(self, ask: impl Fn() -> Vec<UpstreamInstance> + Send + Sync + 'static) -> Self {
        Self { instances: Some(Arc::new(ask)), ..self }
    }

    /// With the broken contracts that `ask` tells of at each scrape: what is mended by then has no series.
    #[must_use]
    pub fn with_breaks(self, ask: impl Fn() -> Vec<ContractBreak> + Send + Sync + 'static) -> Self {
        Self { breaks: Some(Arc::new(ask)), ..self }
    }

    /// With what the cache holds at each scrape; `None` where it holds nothing itself.
    #[must_use]
    pub fn with_cache(self, ask: impl Fn() -> Option<CacheHeld> + Send + Sync + 'static) -> Self {
        Self { held: Some(Arc::new(ask)), ..self }
    }

    fn write(&self) -> Result<String, fmt::Error> {
        let mut written = String::new();
        text::encode_registry(&mut written, &MEASURED.registry)?;
        if let Some(ask) = &self.instances {
            let mut now = Registry::with_prefix("platform");
            let healthy: Family<OfInstance, Gauge> = Family::default();
            now.register(
                "upstream_instance_healthy",
                "Whether an instance of a service takes calls: 1 or 0",
                healthy.clone(),
            );
            for UpstreamInstance { service, instance, healthy: is_healthy } in ask() {
                healthy.get_or_create(&OfInstance { service, instance }).set(i64::from(is_healthy));
            }
            text::encode_registry(&mut written, &now)?;
        }
        if let Some(ask) = &self.breaks {
            let mut now = Registry::with_prefix("platform");
            let breaks: Family<ContractBreak, Gauge> = Family::default();
            now.register(
                "contract_broken",
                "1 for each difference for which an operation is shut off",
                breaks.clone(),
            );
            for one in ask() {
                breaks.get_or_create(&one).set(1);
            }
            text::encode_registry(&mut written, &now)?;
        }
        if let Some(held) = self.held.as_ref().and_then(|ask| ask()) {
            let mut now = Registry::with_prefix("platform");
            let number = |number| i64::try_from(number).unwrap_or(i64::MAX);
            for (name, help, value) in [
                ("cache_answers", "Answers that the cache of this process holds", held.answers),
                ("cache_bytes", "Bytes that they take", held.bytes),
            ] {
                let gauge: Gauge = Gauge::default();
                gauge.set(number(value));
                now.register(name, help, gauge);
            }
            text::encode_registry(&mut written, &now)?;
        }
        text::encode_eof(&mut written)?;
        Ok(written)
    }
}

impl Endpoint for MetricsEndpoint {
    type Output = Response;

    async fn call(&self, _request: Request) -> Result<Response> {
        let written = self.write().map_err(contract::Problem::internal)?;
        Ok(Response::builder().status(StatusCode::OK).header(header::CONTENT_TYPE, MEDIA_TYPE).body(written))
    }
}
