//! What is composed of the operations of declared services and of the platform's own: planned over what is bound, compiled and
//! routed with it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use contract::operation::Operation;
use http::Method;
use kit::operation_name::OperationName;
use serde_json::json;
use tokio::sync::Semaphore;

use super::{
    BindFault, Bound, COMPOSED, Route, ServiceFault, Times,
    forward::{Service, Target},
    paths::Paths,
    rules::Rules,
};
use crate::{
    handshake::Handshake,
    services::composed::{ComposeFault, Draft, Known},
    upstream::Upstream,
};

/// What can be a part, by service and the `operationId` of its own document.
pub(super) type Targets = BTreeMap<String, BTreeMap<String, Arc<Target>>>;

impl Known for Targets {
    fn operation(&self, service: &str, id: &str) -> Option<&Operation> {
        Some(&self.get(service)?.get(id)?.operation)
    }

    fn ids(&self, service: &str) -> Option<Vec<&str>> {
        Some(self.get(service)?.keys().map(String::as_str).collect())
    }

    fn services(&self) -> Vec<&str> {
        self.keys().map(String::as_str).collect()
    }
}

/// A service with a contract of the platform's own, whose operations can be parts of composed ones.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) handshake: Arc<Handshake>,
    pub(crate) operations: Arc<[Operation]>,
}

/// The operations of such a service, as parts.
pub(super) fn targets(own: &Own, times: Times) -> (String, BTreeMap<String, Arc<Target>>) {
    let name = own.upstream.service().to_owned();
    // Its document was compiled: no path of it stands twice. Of one that did no part could be asked.
    let paths = Paths::new(&own.operations, &BTreeSet::new()).unwrap_or_default();
    let service = Arc::new(Service {
        name: name.clone(),
        prefix: String::new(),
        paths,
        upstream: Arc::clone(&own.upstream),
        handshake: Arc::clone(&own.handshake),
        issuers: Vec::new(),
        // None of their operations opens a tunnel.
        tunnels: Arc::new(Semaphore::new(0)),
        max_tunnels: 0,
        idle: times.total,
    });
    let targets = own.operations.iter().map(|operation| {
        let target = Target {
            name: OperationName(operation.id.as_str().into()),
            service: Arc::clone(&service),
            rules: Rules::of_own(times.total),
            head: false,
            is_websocket: false,
            key: contract::compare::key(operation.method.as_str(), &operation.path),
            operation: operation.clone(),
        };
        (operation.id.clone(), Arc::new(target))
    });
    (name, targets.collect())
}

impl Bound {
    /// Plans everything that is composed, then compiles and routes it.
    pub(super) fn compose(
        &mut self,
        all: &[kit::config::Composed],
        taken: &mut HashSet<String>,
        times: Times,
    ) -> Vec<BindFault> {
        if all.is_empty() {
            return Vec::new();
        }
        let (mut drafts, mut faults) = (Vec::new(), Vec::new());
        for composed in all {
            match Draft::add(&composed.settings, self.documents.laid(), taken, &self.targets) {
                Ok(draft) => drafts.push((composed, draft)),
                Err(found) => {
                    faults.extend(found.into_iter().map(|(part, fault)| placed(composed, part, fault)));
                }
            }
        }
        if !faults.is_empty() {
            return faults;
        }
        let mut operations = match self.composed_operations(&drafts) {
            Ok(operations) => operations,
            Err(fault) => {
                let first = drafts.first().map(|(composed, _)| *composed);
                return first.map(|composed| placed(composed, None, fault)).into_iter().collect();
            }
        };
        for (composed, draft) in drafts {
            let settings = &composed.settings;
            let Some(operation) = operations.remove(&settings.name) else { continue };
            let targets = settings.parts.iter().filter_map(|part| {
                Some(Arc::clone(self.targets.get(part.service.as_str())?.get(&part.operation)?))
            });
            let targets = targets.collect();
            let made = Arc::new(draft.finish(settings, operation.clone(), targets, times.total));
            match self.router.add(&settings.path, Method::GET, Route::Composed(made)) {
                Ok(()) => self.operations.push((COMPOSED.to_owned(), operation)),
                Err(fault) => {
                    faults.push(placed(composed, None, ComposeFault::TakenPath(fault.to_string())));
                }
            }
        }
        faults
    }

    /// The composed operations as the document has them, compiled.
    fn composed_operations(
        &mut self,
        drafts: &[(&kit::config::Composed, Draft)],
    ) -> Result<BTreeMap<String, Operation>, ServiceFault> {
        let whole = self.documents.laid();
        let mut paths = serde_json::Map::new();
        for (composed, _) in drafts {
            let path = &composed.settings.path;
            paths.insert(path.clone(), json!({ "get": whole["paths"][path]["get"] }));
        }
        let components = whole.get("components").cloned().unwrap_or_default();
        let document = json!({ "openapi": "3.0.3", "paths": paths, "components": components });
        Ok(Operation::all(&document)?
            .into_iter()
            .map(|operation| (operation.id.clone(), operation))
            .collect())
    }
}

fn placed(
    composed: &kit::config::Composed,
    part: Option<usize>,
    fault: impl Into<ServiceFault>,
) -> BindFault {
    let name = &composed.settings.name;
    let found = part.and_then(|part| composed.parts.get(part).zip(composed.settings.parts.get(part)));
    let (origin, named) = match found {
        Some((origin, part)) => (origin, format!("compose {name}, part {}", part.name)),
        None => (&composed.origin, format!("compose {name}")),
    };
    BindFault { origin: origin.clone(), named, fault: fault.into() }
}
