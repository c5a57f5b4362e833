//! The client of the operations listener: readiness, metrics, and how the services stand.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::body::{self, Unread};
use crate::failure::{Exit, Failure, Outcome};
use crate::metrics::Metrics;
use crate::settings::local_url;

/// How long it may take to answer: it is on this machine or near, and its own checks take two seconds at most.
const PATIENCE: Duration = Duration::from_secs(4);

/// A client of one operations listener.
#[derive(Debug)]
pub(crate) struct Ops {
    base: String,
    client: reqwest::Client,
}

/// What `/readyz` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// Whether it can serve.
    pub(crate) ready: bool,
    /// What keeps it from that.
    pub(crate) faults: Vec<String>,
}

impl Ops {
    /// Of the listener at this address.
    pub(crate) fn new(address: SocketAddr) -> Outcome<Self> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("platform/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| Failure::failed("the HTTP client can't be made").caused_by(&error))?;
        Ok(Self { base: local_url(address), client })
    }

    /// Whether the platform can serve.
    pub(crate) async fn readiness(&self) -> Outcome<Readiness> {
        let (success, text) = self.get("/readyz").await?;
        let told: Value = serde_json::from_str(&text).map_err(|_| self.strange())?;
        let faults = told["faults"].as_array().into_iter().flatten();
        let faults = faults.filter_map(|fault| fault.as_str().map(str::to_owned)).collect();
        Ok(Readiness { ready: success, faults })
    }

    /// Its counts and times.
    pub(crate) async fn metrics(&self) -> Outcome<Metrics> {
        Ok(Metrics::read(&self.get("/metrics").await?.1))
    }

    /// How each service behind the gateway stands.
    pub(crate) async fn services(&self) -> Outcome<Vec<Value>> {
        let (_, text) = self.get("/services").await?;
        let mut told: Value = serde_json::from_str(&text).map_err(|_| self.strange())?;
        match told["services"].take() {
            Value::Array(services) => Ok(services),
            _ => Err(self.strange()),
        }
    }

    /// Whether it succeeded, and the body.
    async fn get(&self, path: &str) -> Outcome<(bool, String)> {
        let asked = async {
            let answer =
                self.client.get(format!("{}{path}", self.base)).send().await.map_err(Unread::Broken)?;
            let success = answer.status().is_success();
            Ok::<_, Unread>((success, String::from_utf8_lossy(&body::read(answer).await?).into_owned()))
        };
        asked.await.map_err(|error| {
            let Unread::Broken(error) = error else { return self.strange().because(Unread::TOO_LONG) };
            let what = format!("the operations listener at {} does not answer", self.base);
            let failure = Failure::new(Exit::Unreachable, what);
            let failure =
                if error.is_timeout() { failure.because("it did not answer in time") } else { failure };
            failure.caused_by(&error)
        })
    }

    fn strange(&self) -> Failure {
        Failure::new(
            Exit::Unreachable,
            format!("what answers at {} is no platform's operations listener", self.base),
        )
    }
}
