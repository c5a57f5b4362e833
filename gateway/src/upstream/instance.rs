//! One address of a service: its connections, and how it stands.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use http::{Request, header, uri::PathAndQuery};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use kit::workers;
use rustls::{ClientConfig, pki_types::ServerName};
use serde::Serialize;
use tokio::time::Instant;

use super::{call::RequestBody, connect::Connector, endpoint::Endpoint};
use crate::policy::{
    Outcome,
    balance::{Record, Standing},
    breaker::{Admission, Breaker, Position, Rules},
};

/// Idle connections are kept for less time than services keep theirs, so that none is closed under a request.
const IDLE: Duration = Duration::from_secs(4);

/// Idle connections kept at most.
const IDLE_CONNECTIONS: usize = 256;

/// Probes that fail in a row before an instance is left out.
const FAILED_PROBES: u32 = 2;

/// How the instances of a service are reached and watched.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    pub(super) connect_time: Duration,
    pub(super) breaker: Rules,
    /// Where any is called over TLS.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// An address that takes calls.
pub(super) struct Instance {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) address: SocketAddr,
    connector: Connector,
    /// Keep connections, each those of one thread.
    pooled: Vec<OnceLock<Box<Client<Connector, RequestBody>>>>,
    /// Makes a connection for each call: for what failed on a kept one.
    pub(super) fresh: Client<Connector, RequestBody>,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    record: Record,
    in_flight: u32,
    failed_probes: u32,
}

/// How an instance stands, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InstanceHealth {
    /// The URL it was configured by.
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    /// Whether it takes calls as any other: its breaker is not open, it is not ejected, and it passes its probes.
    pub(crate) healthy: bool,
    pub(crate) breaker: Position,
    /// Left out for failing more than others.
    #[serde(rename = "ejected")]
    pub(crate) is_ejected: bool,
    /// Passes its probes, where there are any.
    pub(crate) passes_probes: bool,
    pub(crate) in_flight: u32,
}

impl Instance {
    pub(super) fn new(endpoint: Arc<Endpoint>, address: SocketAddr, reach: &Reach) -> Self {
        let name = || ServerName::try_from(endpoint.host().0.to_owned()).ok();
        let tls = reach.tls.clone().filter(|_| endpoint.is_secure()).and_then(|tls| Some((tls, name()?)));
        let connector = Connector { address, time: reach.connect_time, tls };
        Self {
            endpoint,
            address,
            pooled: std::iter::repeat_with(OnceLock::new).take(workers::places()).collect(),
            fresh: client(&connector, 0),
            connector,
            state: Mutex::new(State {
                breaker: Breaker::new(reach.breaker),
                record: Record::default(),
                in_flight: 0,
                failed_probes: 0,
            }),
        }
    }

    /// Keeps the connections that this thread makes: one that another thread drives would have to be waited for there.
    pub(super) fn pooled(&self) -> &Client<Connector, RequestBody> {
        match self.pooled.get(workers::place()) {
            Some(own) => own.get_or_init(|| Box::new(client(&self.connector, IDLE_CONNECTIONS))),
            None => &self.fresh,
        }
    }

    /// Makes a request one for a target at this instance, to be sent by a client of its own.
    pub(super) fn address<B>(
        &self,
        request: &mut Request<B>,
        target: &PathAndQuery,
    ) -> Result<(), http::Error> {
        *request.uri_mut() = self.endpoint.uri(target)?;
        request.headers_mut().insert(header::HOST, self.endpoint.host_field().clone());
        Ok(())
    }

    pub(super) fn standing(&self, is_tried: bool) -> Standing {
        let now = Instant::now().into_std();
        let state = self.state();
        Standing {
            admits: state.breaker.would_admit(now),
            is_tried,
            is_ejected: state.failed_probes >= FAILED_PROBES || state.record.is_ejected(now),
            in_flight: state.in_flight,
        }
    }

    /// When a call may be let through that would not be now.
    pub(super) fn retry_after(&self) -> Duration {
        self.state().breaker.retry_after(Instant::now().into_std())
    }

    /// Leave to call, if the breaker gives it.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Use> {
        let mut state = self.state();
        let admission = state.breaker.admit(Instant::now().into_std())?;
        state.in_flight += 1;
        Some(Use { instance: Arc::clone(self), admission: Some(admission) })
    }

    /// What a probe found; tells whether that changed how the instance stands.
    pub(super) fn probed(&self, is_good: bool) -> bool {
        let mut state = self.state();
        let before = state.failed_probes >= FAILED_PROBES;
        state.failed_probes = if is_good { 0 } else { state.failed_probes.saturating_add(1) };
        before != (state.failed_probes >= FAILED_PROBES)
    }

    pub(super) fn health(&self) -> InstanceHealth {
        let state = self.state();
        let breaker = state.breaker.position();
        let is_ejected = state.record.is_ejected(Instant::now().into_std());
        let passes_probes = state.failed_probes < FAILED_PROBES;
        InstanceHealth {
            url: self.endpoint.url(),
            address: self.address,
            healthy: breaker != Position::Open && !is_ejected && passes_probes,
            breaker,
            is_ejected,
            passes_probes,
            in_flight: state.in_flight,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client(connector: &Connector, idle: usize) -> Client<Connector, RequestBody> {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(idle)
        .build(connector.clone())
}

/// A call in flight at an instance. Dropped before it is settled it says nothing about the instance.
pub(super) struct Use {
    instance: Arc<Instance>,
    admission: Option<Admission>,
}

impl Use {
    pub(super) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// What came of the call. Once only; but what goes well at first may break off later.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        let now = Instant::now().into_std();
        let mut state = self.instance.state();
        let before = state.breaker.position();
        match self.admission.take() {
            Some(admission) => {
                state.record.add(outcome, now);
                state.breaker.settle(admission, outcome, now);
            }
            None if outcome == Outcome::Bad => state.record.add(outcome, now),
            None => {}
        }
        let after = state.breaker.position();
        drop(state);
        if before != after {
            tracing::warn!(url = %self.instance.endpoint.url(), address = %self.instance.address, breaker = ?after, "an instance's breaker changed");
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.admission.is_none()
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        if !self.is_settled() {
            self.settle(Outcome::Neutral);
        }
        let mut state = self.instance.state();
        state.in_flight = state.in_flight.saturating_sub(1);
    }
}
