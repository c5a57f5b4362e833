//! Spans to a collector by OTLP, where one is named: queues of their own, which drop what they can't hold. No request waits for
//! them or fails with them.

use std::{
    borrow::Cow,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor},
};

use crate::trace::Trace;

/// Services whose spans are exported; each is a resource of its own.
const SERVICES: [&str; 2] = ["gateway", "users"];

/// Spans that wait for their export at most; further ones are dropped.
const WAITING: usize = 4_096;

/// How long a span waits for others at most.
const DELAY: Duration = Duration::from_secs(1);

/// How long one export may take.
const EXPORT: Duration = Duration::from_secs(5);

static EXPORTING: OnceLock<Vec<(&'static str, BatchSpanProcessor)>> = OnceLock::new();

/// Spans can't be exported.
#[derive(Debug, thiserror::Error)]
#[error("spans can't be exported: {0}")]
pub struct ExportFault(String);

/// Exports what waits when it is dropped.
#[derive(Debug)]
#[must_use = "spans that wait are lost without it"]
pub struct SpansGuard(());

impl Drop for SpansGuard {
    fn drop(&mut self) {
        for (_, processor) in EXPORTING.get().into_iter().flatten() {
            // A collector that is gone is no reason not to end.
            let _ = processor.shutdown_with_timeout(EXPORT);
        }
    }
}

/// Exports the spans of this process to `endpoint`, such as `http://collector:4318`.
///
/// # Errors
/// [`ExportFault`]; a second start in one process too.
pub fn start(endpoint: &str) -> Result<SpansGuard, ExportFault> {
    let endpoint = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    // A blocking client can't be made on a thread that runs tasks.
    let made = thread::spawn(move || SERVICES.iter().map(|name| exporter(&endpoint, name)).collect()).join();
    let processors: Result<Vec<_>, ExportFault> =
        made.map_err(|_| ExportFault("the exporter panicked".to_owned()))?;
    EXPORTING.set(processors?).map_err(|_| ExportFault("they are already".to_owned()))?;
    Ok(SpansGuard(()))
}

fn exporter(
    endpoint: &str,
    service: &'static str,
) -> Result<(&'static str, BatchSpanProcessor), ExportFault> {
    let client = reqwest::blocking::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(EXPORT)
        .build()
        .map_err(|error| ExportFault(error.to_string()))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint)
        .with_timeout(EXPORT)
        .build()
        .map_err(|error| ExportFault(error.to_string()))?;
    let queue =
        BatchConfigBuilder::default().with_max_queue_size(WAITING).with_scheduled_delay(DELAY).build();
    let mut processor = BatchSpanProcessor::builder(Telling(exporter)).with_batch_config(queue).build();
    processor.set_resource(&Resource::builder_empty().with_service_name(service).build());
    Ok((service, processor))
}

/// Tells the log once when the collector goes, and once when it is back.
#[derive(Debug)]
struct Telling(SpanExporter);

/// One collector for all of them: whether it took no spans when it was last asked.
static FAILING: AtomicBool = AtomicBool::new(false);

impl opentelemetry_sdk::trace::SpanExporter for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.0.export(batch).await;
        let failed = FAILING.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(error) if !failed => tracing::warn!(%error, "the collector takes no spans: they are dropped"),
            Ok(()) if failed => tracing::info!("the collector takes spans again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Whether spans are exported at all.
#[must_use]
pub fn are_exported() -> bool {
    EXPORTING.get().is_some()
}

/// Which side of a call a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A request that is served.
    Server,
    /// A call to a service.
    Client,
}

/// A span that has ended just now.
#[derive(Debug)]
pub struct Ended<'s> {
    /// Whose it is.
    pub trace: &'s Trace,
    /// The service that measured it.
    pub service: &'static str,
    /// Which side.
    pub side: Side,
    /// The operation; never a path.
    pub name: String,
    /// How long it took.
    pub duration: Duration,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// What else is known of it.
    pub attributes: Vec<(&'static str, String)>,
}

/// Exports a span, where its trace is sampled and a collector is named.
pub fn record(ended: Ended<'_>) {
    let Some(exporting) = EXPORTING.get().filter(|_| ended.trace.is_sampled()) else { return };
    let Some((_, processor)) = exporting.iter().find(|(name, _)| *name == ended.service) else { return };
    let end_time = SystemTime::now();
    let (id, span, parent) = ended.trace.bytes();
    let failed = ended.status.is_none_or(|status| status >= 500);
    let attributes = ended.attributes.into_iter().map(|(name, value)| KeyValue::new(name, value));
    let status = ended.status.map(|status| KeyValue::new("http.response.status_code", i64::from(status)));
    processor.on_end(SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(id),
            SpanId::from_bytes(span),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: ended.side == Side::Server && parent.is_some(),
        span_kind: match ended.side {
            Side::Server => SpanKind::Server,
            Side::Client => SpanKind::Client,
        },
        name: Cow::Owned(ended.name),
        start_time: end_time.checked_sub(ended.duration).unwrap_or(end_time),
        end_time,
        attributes: attributes.chain(status).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: if failed { Status::error("") } else { Status::Unset },
        instrumentation_scope: InstrumentationScope::builder("platform").build(),
    });
}
