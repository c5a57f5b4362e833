//! `/healthz` and `/readyz`: whether the process lives, and whether it can serve.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use poem::{Endpoint, Request, Response, Result, http::StatusCode};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// The longest a readiness check may take.
const CHECK_TIME: Duration = Duration::from_secs(2);

type Outcome = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// One thing that must work for the service to serve.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    run: Arc<dyn Fn() -> Outcome + Send + Sync>,
}

impl Check {
    /// A check named `name`; its error is told to whoever asks, so it must hold no secret.
    pub fn new<F, R>(name: &'static str, run: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, run: Arc::new(move || Box::pin(run())) }
    }
}

/// `/healthz`: 200 while the process lives.
pub struct Live;

impl Endpoint for Live {
    type Output = Response;

    async fn call(&self, _request: Request) -> Result<Response> {
        Ok(json(StatusCode::OK, &Report { status: "alive", faults: Vec::new() }))
    }
}

/// `/readyz`: 200 while every check passes and no shutdown has begun; else 503 with what is wrong.
pub struct Ready {
    checks: Vec<Check>,
    shutdown: CancellationToken,
}

impl Ready {
    /// Ready while `checks` pass and `shutdown` is not cancelled.
    #[must_use]
    pub fn new(checks: Vec<Check>, shutdown: CancellationToken) -> Self {
        Self { checks, shutdown }
    }
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
}

impl Endpoint for Ready {
    type Output = Response;

    async fn call(&self, _request: Request) -> Result<Response> {
        let mut faults = Vec::new();
        if self.shutdown.is_cancelled() {
            faults.push("shutting down".to_owned());
        }
        for check in &self.checks {
            match tokio::time::timeout(CHECK_TIME, (check.run)()).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => faults.push(format!("{}: {fault}", check.name)),
                Err(_) => faults.push(format!("{}: no answer within {} s", check.name, CHECK_TIME.as_secs())),
            }
        }
        Ok(if faults.is_empty() {
            json(StatusCode::OK, &Report { status: "ready", faults })
        } else {
            json(StatusCode::SERVICE_UNAVAILABLE, &Report { status: "not ready", faults })
        })
    }
}

/// A health answer; one of 503 carries the mark that it is no problem answer to be rewritten.
fn json(status: StatusCode, report: &Report) -> Response {
    let body = serde_json::to_vec(report).unwrap_or_default();
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .body(body);
    response.extensions_mut().insert(crate::problem::AsIs);
    response
}
