//! Whether a service and the gateway are of one mind: the contract that each instance serves (`/.well-known/contract`), held
//! against the one that the service was bound by, again and again.
//!
//! Equal: nothing is said. More than was bound: told once. What breaks an operation shuts off that operation alone, with 503, as
//! long as an instance serves so. A service that tells no contract is left alone.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use contract::{
    Problem,
    compare::{self, Comparison, Weight},
    handshake::{Offer, PATH, fingerprint},
};
use http::{HeaderMap, HeaderValue, StatusCode, header, uri::PathAndQuery};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::upstream::Upstream;

/// When an operation that is shut off may be tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How many times rarer a service is asked that tells no contract: it may be replaced by one that does.
const RARER: u32 = 60;

/// Fingerprints whose comparison is remembered: those of the versions that run side by side.
const REMEMBERED: usize = 8;

/// How the contract that is served stands to the one that was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Agreement {
    /// No instance tells its contract.
    Unknown,
    /// They are the same.
    Equal,
    /// More is served than was bound, or other words.
    Compatible,
    /// Operations are served otherwise than they were bound.
    Breaking,
}

/// A difference that breaks operations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub(crate) struct Break {
    /// Where it is in the document.
    pub(crate) pointer: String,
    /// What it is.
    pub(crate) told: String,
    /// The operations, by method and path at the service.
    pub(crate) operations: BTreeSet<String>,
}

/// What was found last.
#[derive(Debug, Clone)]
struct Found {
    agreement: Agreement,
    breaks: Vec<Break>,
}

/// A service's handshake.
pub(crate) struct Handshake {
    service: String,
    /// As JSON text, a fourth of what the tree takes: it is read where an instance serves another.
    bound: Box<str>,
    fingerprint: String,
    found: ArcSwap<Found>,
    /// Comparisons by the fingerprint of what was served.
    compared: Mutex<Vec<(String, Arc<Comparison>)>>,
}

impl Handshake {
    /// With a service that was bound by this document.
    pub(crate) fn new(service: impl Into<String>, bound: &Value) -> Self {
        Self {
            service: service.into(),
            fingerprint: fingerprint(bound),
            bound: bound.to_string().into(),
            found: ArcSwap::from_pointee(Found { agreement: Agreement::Unknown, breaks: Vec::new() }),
            compared: Mutex::new(Vec::new()),
        }
    }

    /// How the two stand.
    pub(crate) fn agreement(&self) -> Agreement {
        self.found.load().agreement
    }

    /// What breaks operations now.
    pub(crate) fn breaks(&self) -> Vec<Break> {
        self.found.load().breaks.clone()
    }

    /// Refuses an operation, as [`compare::key`] writes it, that is served otherwise than it was bound.
    ///
    /// # Errors
    /// 503, with what differs in the log.
    pub(crate) fn require(&self, operation: &str) -> Result<(), Problem> {
        let found = self.found.load();
        if found.agreement != Agreement::Breaking {
            return Ok(());
        }
        match found.breaks.iter().find(|one| one.operations.contains(operation)) {
            None => Ok(()),
            Some(one) => Err(Problem::unavailable(
                "The service has changed this operation in a way that its clients can't follow",
                RETRY_AFTER,
            )
            .because(format_args!(
                "{} serves {operation} otherwise than bound: {} {}",
                self.service, one.pointer, one.told
            ))),
        }
    }

    /// Looks at every instance until `shutdown`, the first time at once.
    pub(crate) async fn watch(
        self: Arc<Self>,
        upstream: Arc<Upstream>,
        every: Duration,
        shutdown: CancellationToken,
    ) {
        let mut tells = false;
        loop {
            let look = self.look(&upstream).await;
            tells |= look == Some(true);
            let pause = if tells || look.is_none() { every } else { every * RARER };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Looks once. What can't be reached says nothing; where nothing can be, what was found last stays. Whether the service
    /// has that path at all; nothing where that is not known.
    pub(crate) async fn look(&self, upstream: &Upstream) -> Option<bool> {
        let mut headers = HeaderMap::new();
        if let Ok(known) = HeaderValue::try_from(format!("\"{}\"", self.fingerprint)) {
            headers.insert(header::IF_NONE_MATCH, known);
        }
        let answers = upstream.ask_each(&PathAndQuery::from_static(PATH), &headers).await;
        if answers.is_empty() {
            return None;
        }
        let tells = answers.iter().any(|answer| answer.status != StatusCode::NOT_FOUND);
        let mut seen: Vec<Option<Arc<Comparison>>> = Vec::new();
        for answer in answers {
            match answer.status {
                // Whoever answers that the contract is not modified has been told which one is meant.
                StatusCode::NOT_MODIFIED => seen.push(None),
                StatusCode::OK => {
                    let offer: Option<Offer> = serde_json::from_slice(&answer.body).ok();
                    // Another 200 is a page of the service's own.
                    let Some(offer) = offer.filter(|offer| offer.document.get("paths").is_some()) else {
                        continue;
                    };
                    seen.push(self.compare(&offer));
                }
                _ => {}
            }
        }
        let found = of(&seen);
        let before = self.found.swap(Arc::new(found.clone()));
        if before.agreement != found.agreement || before.breaks != found.breaks {
            self.tell(&found);
        }
        Some(tells)
    }

    /// How what is served differs; nothing where it is the same. The fingerprint is worked out here: that of the service may be
    /// made in another way.
    fn compare(&self, offer: &Offer) -> Option<Arc<Comparison>> {
        let served = fingerprint(&offer.document);
        if served == self.fingerprint {
            return None;
        }
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, comparison)) = compared.iter().find(|(known, _)| *known == served) {
            return Some(Arc::clone(comparison));
        }
        // It is what was written.
        let bound = serde_json::from_str(&self.bound).unwrap_or_default();
        let comparison = Arc::new(compare::compare(&bound, &offer.document));
        if compared.len() >= REMEMBERED {
            compared.remove(0);
        }
        compared.push((served, Arc::clone(&comparison)));
        Some(comparison)
    }

    fn tell(&self, found: &Found) {
        let service = self.service.as_str();
        match found.agreement {
            Agreement::Breaking => {
                for one in &found.breaks {
                    let operations: Vec<&str> = one.operations.iter().map(String::as_str).collect();
                    tracing::error!(
                        service,
                        pointer = one.pointer,
                        told = one.told,
                        operations = operations.join(", "),
                        "a service serves operations otherwise than they were bound: they are shut off"
                    );
                }
            }
            Agreement::Compatible => {
                tracing::warn!(
                    service,
                    "a service serves a newer contract than it was bound by; what is new is not routed"
                );
            }
            Agreement::Equal | Agreement::Unknown => {
                tracing::info!(service, agreement = ?found.agreement, "the contract of a service");
            }
        }
    }
}

fn of(seen: &[Option<Arc<Comparison>>]) -> Found {
    let mut breaks: Vec<Break> = Vec::new();
    for change in seen.iter().flatten().flat_map(|comparison| &comparison.changes) {
        let one = Break {
            pointer: change.pointer.clone(),
            told: change.told.clone(),
            operations: change.operations.clone(),
        };
        if change.weight == Weight::Breaking && !breaks.contains(&one) {
            breaks.push(one);
        }
    }
    let agreement = if !breaks.is_empty() {
        Agreement::Breaking
    } else if seen.iter().any(Option::is_some) {
        Agreement::Compatible
    } else if seen.is_empty() {
        Agreement::Unknown
    } else {
        Agreement::Equal
    };
    Found { agreement, breaks }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(kind: &str) -> Value {
        json!({ "paths": {
            "/orders/{id}": { "get": { "responses": { "200": { "content": { "application/json": { "schema": { "type": kind } } } } } } },
            "/carts": { "get": { "responses": { "200": { "description": "x" } } } },
        } })
    }

    #[test]
    fn what_breaks_one_operation_shuts_off_that_one_until_it_is_mended() {
        let handshake = Handshake::new("orders", &document("string"));
        let serve = |kinds: &[&str]| {
            let seen: Vec<_> =
                kinds.iter().map(|kind| handshake.compare(&Offer::new(document(kind)))).collect();
            handshake.found.store(Arc::new(of(&seen)));
        };
        let order = compare::key("GET", "/orders/{order_id}");
        let carts = compare::key("GET", "/carts");
        assert_eq!(handshake.agreement(), Agreement::Unknown);
        assert!(handshake.require(&order).is_ok());
        serve(&["string", "string"]);
        assert_eq!(handshake.agreement(), Agreement::Equal);
        // One instance of two is enough: a call could reach it.
        serve(&["string", "integer"]);
        assert_eq!(handshake.agreement(), Agreement::Breaking);
        let refused = handshake.require(&order).unwrap_err();
        assert_eq!(refused.kind.status(), 503);
        assert!(refused.cause.unwrap().contains("/paths/~1orders~1{id}/get/responses/200"));
        assert!(handshake.require(&carts).is_ok());
        serve(&["string"]);
        assert!(handshake.require(&order).is_ok());
    }

    #[test]
    fn more_than_was_bound_is_compatible() {
        let handshake = Handshake::new("orders", &document("string"));
        let mut served = document("string");
        served["paths"]["/new"] = json!({ "get": { "responses": {} } });
        let seen = [handshake.compare(&Offer::new(served))];
        assert_eq!(of(&seen).agreement, Agreement::Compatible);
    }
}
