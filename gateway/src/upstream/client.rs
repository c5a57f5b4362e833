//! Sending a call: attempts at instances until one has answered, every wait limited, every failure sorted by whose it was.

use std::{error::Error as _, io, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, uri::PathAndQuery,
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use tokio::time::Instant;

use super::{
    body::UpstreamBody,
    call::{Call, CallBody, Reads, RequestBody},
    connect::{Life, TlsFailed},
    fault::UpstreamFault,
    instance::{Instance, Use},
    measured::Measured,
    pool::Upstream,
};
use crate::policy::{
    Outcome, backoff,
    deadline::{Deadline, TIME_LEFT},
    hedge::Hedge,
};

/// Connections are used for no longer, so that a name's new addresses and a balancer's new targets get their share.
const MAXIMUM_AGE: Duration = Duration::from_mins(1);

/// Bytes of an answer that is checked, at most.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A service's whole answer.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A call that is being sent.
pub(super) struct Sending {
    method: Method,
    target: PathAndQuery,
    headers: HeaderMap,
    body: RequestBody,
    idempotent: bool,
    pub(super) deadline: Deadline,
    total: Option<Duration>,
    retries: u32,
}

/// A failed attempt.
pub(super) struct Failed {
    fault: UpstreamFault,
    /// No byte of the request was sent.
    is_unsent: bool,
    /// It failed on a kept connection that had answered before: that one was closed under the request.
    was_kept: bool,
    pub(super) outcome: Outcome,
}

/// What an answer says of its instance. A 503 that says when to come back is an instance that lives and sheds load: shutting it
/// off would refuse what it could still serve.
pub(super) fn judged<B>(response: &Response<B>) -> Outcome {
    let sheds = response.status() == StatusCode::SERVICE_UNAVAILABLE
        && response.headers().contains_key(header::RETRY_AFTER);
    if sheds || response.status().is_client_error() {
        Outcome::Neutral
    } else if response.status().is_server_error() {
        Outcome::Bad
    } else {
        Outcome::Good
    }
}

impl Upstream {
    /// Calls the service and reads its whole answer.
    pub(crate) async fn call(
        &self,
        method: &Method,
        target: PathAndQuery,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Received, UpstreamFault> {
        let call = Call {
            method: method.clone(),
            target,
            headers,
            body: CallBody::Whole(body),
            total: Some(self.limits.total_time),
            idempotent: method.is_idempotent(),
            hedge: None,
            reads: Reads::Everything,
        };
        let (head, body) = self.send(call).await?.into_parts();
        let body = Self::whole(body).await?;
        Ok(Received { status: head.status, headers: head.headers, body })
    }

    /// Reads an answer to its end, up to the longest that is checked.
    pub(crate) async fn whole(body: UpstreamBody) -> Result<Bytes, UpstreamFault> {
        let whole = body.read(ANSWER_BYTES).await?.collect().await.map_err(UpstreamFault::of_body)?;
        Ok(whole.to_bytes())
    }

    /// Sends a call and gives the answer's head as soon as it is there, or the whole answer where the call says so. It follows no redirect and unpacks nothing. For a 101
    /// the caller takes `hyper::upgrade::on(response)` and keeps the [place](UpstreamBody::into_place) of its body. The
    /// service is told which trace it is part of.
    pub(crate) async fn send(&self, mut call: Call) -> Result<Response<UpstreamBody>, UpstreamFault> {
        if kit::explain::is_on() {
            kit::explain::add("calls", || self.told(&call));
            return Err(UpstreamFault::Compose("the request is explained, not sent".to_owned()));
        }
        let measured = Measured::begin(&self.limits.service, &call.method, &mut call.headers);
        let answer = self.attempts(call).await;
        measured.end(answer.as_ref().ok().map(Response::status));
        answer
    }

    /// It is tried again only where nothing of the answer was passed on, and only if it is idempotent or none of it was sent;
    /// within the retry budget, and at an instance that was not tried, if there is one.
    async fn attempts(&self, call: Call) -> Result<Response<UpstreamBody>, UpstreamFault> {
        let mut permit = Some(self.enter()?);
        let reads = call.reads;
        let now = Instant::now().into_std();
        self.budget().call(now);
        let mut sending = Sending {
            method: call.method,
            target: call.target,
            headers: call.headers,
            body: call.body.into(),
            idempotent: call.idempotent,
            deadline: Deadline::new(now, call.total),
            total: call.total,
            retries: 0,
        };
        let is_safe = sending.idempotent && sending.body.is_replayable();
        let mut hedge = Hedge::new(now, call.hedge, is_safe);
        let mut tried = Vec::new();
        let mut last = None;
        loop {
            let used = match self.choose(&tried).await {
                Ok(used) => used,
                Err(fault) => return Err(last.unwrap_or(fault)),
            };
            tried.push(std::sync::Arc::clone(used.instance()));
            let (mut used, answer) = self.hedged(&sending, used, &mut hedge, &mut tried).await;
            match answer {
                Ok(response) => {
                    match judged(&response) {
                        Outcome::Good => {}
                        outcome => used.settle(outcome),
                    }
                    let elsewhere = matches!(response.status().as_u16(), 502..=504)
                        && self.has_another(&tried)
                        && sending.idempotent
                        && self.again(&mut sending).await;
                    if elsewhere {
                        continue;
                    }
                    let permit = match permit.take() {
                        Some(permit) => permit,
                        None => self.enter()?,
                    };
                    let total = sending.deadline.end().zip(sending.total);
                    let limits = std::sync::Arc::clone(&self.limits);
                    let is_tunnel = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                    let (head, incoming) = response.into_parts();
                    let total = total.map(|(end, time)| (end.into(), time));
                    let body = UpstreamBody::new(incoming, (used, permit), limits, total, is_tunnel);
                    if !reads.takes(&head) {
                        return Ok(Response::from_parts(head, body));
                    }
                    let fault = match body.read(ANSWER_BYTES).await {
                        Ok(body) => return Ok(Response::from_parts(head, body)),
                        Err(fault) => fault,
                    };
                    // Nothing of it was passed on.
                    let may = fault.is_of_the_way() && sending.idempotent && sending.body.is_whole();
                    if !may || !self.again(&mut sending).await {
                        return Err(fault);
                    }
                    last = Some(fault);
                }
                Err(failed) => {
                    used.settle(failed.outcome);
                    drop(used);
                    let may = (sending.idempotent || failed.is_unsent) && sending.body.is_whole();
                    if !may || !self.again(&mut sending).await {
                        return Err(failed.fault);
                    }
                    last = Some(failed.fault);
                }
            }
        }
    }

    /// Whether there is another attempt: waits before it.
    async fn again(&self, sending: &mut Sending) -> bool {
        let now = Instant::now().into_std();
        let wait = backoff::wait(sending.retries, fastrand::f64());
        let is_due = sending.retries < self.limits.retries
            && sending.deadline.outlasts(now, wait)
            && self.budget().withdraw(now);
        if is_due {
            sending.retries += 1;
            tokio::time::sleep(wait).await;
        }
        is_due
    }

    /// One attempt at one instance; at once another on a fresh connection where a kept one was closed under it.
    pub(super) async fn attempt(&self, sending: &Sending, used: &Use) -> Result<Response<Incoming>, Failed> {
        match self.exchange(sending, used.instance(), false).await {
            // Within the budget: a service that breaks off what it is asked looks the same as one that closed what was idle.
            Err(failed)
                if failed.was_kept
                    && sending.idempotent
                    && sending.body.is_whole()
                    && self.budget().withdraw(Instant::now().into_std()) =>
            {
                tracing::debug!(service = %self.limits.service, fault = %failed.fault, "a kept connection was closed");
                self.exchange(sending, used.instance(), true).await
            }
            other => other,
        }
    }

    async fn exchange(
        &self,
        sending: &Sending,
        instance: &Instance,
        is_fresh: bool,
    ) -> Result<Response<Incoming>, Failed> {
        let now = Instant::now();
        let mut request = Request::new(sending.body.clone());
        *request.method_mut() = sending.method.clone();
        request.headers_mut().clone_from(&sending.headers);
        instance.address(&mut request, &sending.target).map_err(|error| Failed {
            fault: UpstreamFault::Compose(error.to_string()),
            is_unsent: true,
            was_kept: false,
            outcome: Outcome::Neutral,
        })?;
        if let Some(left) = sending.deadline.left(now.into_std()) {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            request.headers_mut().insert(HeaderName::from_static(TIME_LEFT), HeaderValue::from(left));
        }
        let captured = capture_connection(&mut request);
        let client = if is_fresh { &instance.fresh } else { instance.pooled() };
        let answer = tokio::select! {
            answer = client.request(request) => answer.map_err(|error| sending.failed(&error)),
            fault = self.too_late(sending, now) => Err(fault),
        }?;
        if let Some(life) = answer.extensions().get::<Life>() {
            life.answered();
            if life.age() >= MAXIMUM_AGE
                && let Some(connection) = captured.connection_metadata().as_ref()
            {
                connection.poison();
            }
        }
        Ok(answer)
    }

    /// Ends when no head of an answer has come in time. What the client is slow to send is not the service's silence.
    async fn too_late(&self, sending: &Sending, begun: Instant) -> Failed {
        let head = match sending.total {
            Some(_) => self.limits.first_byte_time,
            None => Some(self.limits.first_byte_time.unwrap_or(self.limits.total_time)),
        };
        loop {
            let moved = sending.body.moved(begun);
            let end = sending.deadline.step(moved.into_std(), head).map(Instant::from);
            let Some(end) = end else { return std::future::pending().await };
            tokio::time::sleep_until(end).await;
            let now = Instant::now();
            let is_over = sending.deadline.left(now.into_std()).is_some_and(|left| left.is_zero());
            if is_over || head.is_some_and(|head| now - sending.body.moved(begun) >= head) {
                let time = if is_over { sending.total } else { head }.unwrap_or_default();
                // A later attempt has what time was left, which may be too little for anybody; and a client that is slow to
                // send is no fault of the service.
                let is_fair = now - sending.body.moved(begun) >= time / 2;
                return Failed {
                    fault: UpstreamFault::Timeout(time),
                    is_unsent: false,
                    was_kept: false,
                    outcome: if is_fair { Outcome::Bad } else { Outcome::Neutral },
                };
            }
        }
    }
}

impl Sending {
    fn failed(&self, error: &hyper_util::client::legacy::Error) -> Failed {
        let text = chain(error);
        let unsent = |fault| Failed { fault, is_unsent: true, was_kept: false, outcome: Outcome::Bad };
        if error.is_connect() {
            let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
            if let Some(fault) = cause.and_then(|cause| secure(cause, &text)) {
                return unsent(fault);
            }
            return unsent(match cause.map(io::Error::kind) {
                Some(io::ErrorKind::ConnectionRefused) => UpstreamFault::Refused(text),
                Some(io::ErrorKind::TimedOut) => UpstreamFault::ConnectTimeout(text),
                _ => UpstreamFault::Unreachable(text),
            });
        }
        if let Some(kind) = self.body.failed() {
            let outcome = Outcome::Neutral;
            return Failed {
                fault: UpstreamFault::ClientBody(kind),
                is_unsent: false,
                was_kept: false,
                outcome,
            };
        }
        let inner = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
        let is_malformed = inner.is_some_and(|inner| inner.is_parse() || inner.is_parse_too_large());
        let mut extensions = http::Extensions::new();
        if let Some(connection) = error.connect_info() {
            connection.get_extras(&mut extensions);
        }
        let was_kept = extensions.get::<Life>().is_some_and(Life::has_answered);
        Failed {
            fault: if is_malformed { UpstreamFault::Malformed(text) } else { UpstreamFault::Closed(text) },
            is_unsent: false,
            was_kept: was_kept && !is_malformed,
            outcome: Outcome::Bad,
        }
    }
}

/// What a connection failed by whose TLS was not agreed on.
fn secure(cause: &io::Error, text: &str) -> Option<UpstreamFault> {
    let TlsFailed(error) = cause.get_ref()?.downcast_ref()?;
    let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    Some(match of_tls {
        Some(rustls::Error::InvalidCertificate(_)) => UpstreamFault::Certificate(text.to_owned()),
        _ => UpstreamFault::Tls(text.to_owned()),
    })
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
