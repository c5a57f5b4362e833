//! What a call to a service tells of itself: `traceparent` to the service, a span to the collector, a time to the metrics.

use std::time::Instant;

use http::{HeaderMap, Method, StatusCode};
use kit::{
    metrics,
    spans::{self, Ended, Side},
    trace::{self, Trace},
};

/// A call that is under way.
pub(crate) struct Measured {
    service: String,
    method: Method,
    trace: Option<Trace>,
    begun: Instant,
    ended: bool,
}

impl Measured {
    /// Begins one, and tells the service by its headers which trace it is part of.
    pub(crate) fn begin(service: &str, method: &Method, headers: &mut HeaderMap) -> Self {
        let trace = trace::current().map(|trace| trace.child());
        if let Some(trace) = &trace {
            trace.tell(headers);
        }
        Self {
            service: service.to_owned(),
            method: method.clone(),
            trace,
            begun: Instant::now(),
            ended: false,
        }
    }

    /// The head of the answer is there; `None` where none came.
    pub(crate) fn end(mut self, status: Option<StatusCode>) {
        self.write(status.map(|status| status.as_u16()));
    }

    fn write(&mut self, status: Option<u16>) {
        self.ended = true;
        let duration = self.begun.elapsed();
        metrics::called(&self.service, status, duration);
        if let Some(trace) = self.trace.as_ref().filter(|_| spans::are_exported()) {
            spans::record(Ended {
                trace,
                service: "gateway",
                side: Side::Client,
                name: format!("call {}", self.service),
                duration,
                status,
                attributes: vec![
                    ("http.request.method", self.method.to_string()),
                    ("peer.service", self.service.clone()),
                ],
            });
        }
    }
}

/// A call that is given up, since the client went away.
impl Drop for Measured {
    fn drop(&mut self) {
        if !self.ended {
            self.write(None);
        }
    }
}
