//! Services that are bound by their OpenAPI documents, with no Rust: read, prepared, routed, published, swapped whole.

mod answer;
mod changes;
mod dialect;
mod documents;
mod door;
mod forward;
mod measured;
mod nullable;
mod pages;
mod part;
mod parts;
mod paths;
pub(crate) mod prepare;
mod publish;
mod reading;
mod router;
mod rules;
mod source;
mod trailers;
mod websocket;

use std::{collections::HashSet, num::NonZeroU32, sync::Arc, time::Duration};

use contract::{handshake::Offer, operation::Operation, schema::CompileError};
use http::Method;
use kit::{
    config::{Declared, Origin},
    operation_name::OperationName,
};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::reading::document_of;
use self::{
    documents::Documents,
    forward::Service,
    parts::{Targets, targets},
    paths::Paths,
    prepare::prepare,
    router::{Guarded, Match, RouteFault, Router},
    rules::Rules,
};
pub(crate) use self::{
    door::Door,
    forward::{Asked, Shared, Target, into_poem},
    part::Asker,
    parts::Own,
    prepare::{followed, own_segment},
    publish::complete_operation,
};
use self::{prepare::PrepareFault, rules::RuleFault, source::SourceFault};
use crate::{
    handshake::Handshake,
    services::composed::{ComposeFault, Composed},
    standing::ServiceStanding,
    upstream::{BadUpstreamUrl, PoolConfig, Probe, Roots, RootsFault, Upstream},
};

/// What composed operations are listed under.
pub const COMPOSED: &str = "composed";

/// How often an instance is asked whether it is well.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Tunnels that a service has open at most, where its settings say nothing.
const MAX_TUNNELS: usize = 1024;

/// Times that a service has where its settings say none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) connect: Duration,
    pub(crate) total: Duration,
    /// Between two looks at the contract that a service serves; unset, it is not looked at.
    pub(crate) contract_every: Option<Duration>,
}

/// Times of a look at what a service serves.
const LOOK: Times =
    Times { connect: Duration::from_secs(1), total: Duration::from_secs(2), contract_every: None };

/// What can't be bound: where it is declared, and why.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {named}: {fault}")]
pub struct BindFault {
    /// Where it is declared.
    pub origin: Origin,
    /// Such as `service orders`, `compose orderPage, part customer`.
    pub named: String,
    /// Why.
    #[source]
    pub fault: ServiceFault,
}

/// Why a service can't be bound.
#[derive(Debug, thiserror::Error)]
pub enum ServiceFault {
    /// Its document can't be had.
    #[error("openapi: {0}")]
    Source(#[from] SourceFault),
    /// Neither its document nor a pinned copy of it can be had.
    #[error(
        "openapi: {fault}; nor is there a copy of it: {pin}. `platform service check {service} --pin` makes one while the service runs"
    )]
    Unpinned {
        /// Its name.
        service: String,
        /// Why its document can't.
        fault: Box<SourceFault>,
        /// Why the copy can't.
        pin: Box<SourceFault>,
    },
    /// Its document does not fit its settings.
    #[error(transparent)]
    Prepare(#[from] PrepareFault),
    /// A schema can't be compiled.
    #[error("openapi: {0}")]
    Compile(#[from] CompileError),
    /// Two paths clash.
    #[error("openapi: {0}")]
    Route(String),
    /// Its settings can't hold.
    #[error(transparent)]
    Rules(#[from] RuleFault),
    /// An address is no URL that can be called.
    #[error("urls: {0}")]
    Url(String),
    /// The certificates it is trusted by can't be had.
    #[error("tls_ca: {0}")]
    Roots(#[from] RootsFault),
    /// A composed operation can't be made.
    #[error(transparent)]
    Compose(#[from] ComposeFault),
}

impl From<RouteFault> for ServiceFault {
    fn from(fault: RouteFault) -> Self {
        Self::Route(fault.to_string())
    }
}

impl From<BadUpstreamUrl> for ServiceFault {
    fn from(fault: BadUpstreamUrl) -> Self {
        Self::Url(fault.to_string())
    }
}

/// What a path and a method stand for.
pub(crate) enum Route {
    /// One operation of a declared service.
    Declared(Arc<Target>),
    /// Several calls.
    Composed(Arc<Composed>),
}

impl Guarded for Route {
    fn opens(&self, other: &Self) -> bool {
        let access = |route: &Self| match route {
            Self::Declared(target) => target.operation.access.clone(),
            Self::Composed(composed) => composed.operation.access.clone(),
        };
        access(self).opens(&access(other))
    }
}

/// What is declared in the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declarations<'d> {
    pub(crate) services: &'d [Declared],
    pub(crate) composed: &'d [kit::config::Composed],
}

/// Declared services, ready to serve: swapped as a whole when the configuration is read again.
pub(crate) struct Bound {
    pub(crate) router: Router<Route>,
    /// The one document, theirs included.
    pub(crate) documents: Documents,
    /// Every operation of theirs, by the service that has it.
    pub(crate) operations: Vec<(String, Operation)>,
    services: Vec<Arc<Service>>,
    /// What can be a part, by service and the `operationId` of its own document.
    targets: Targets,
    /// How often they are asked by which contract they serve.
    contract_every: Option<Duration>,
    /// Ends the probes when nothing is served by these any more.
    watched: CancellationToken,
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.watched.cancel();
    }
}

/// Whom a service is trusted by, beside the system's roots.
fn roots(declared: &Declared) -> Result<Roots, RootsFault> {
    let file = declared.settings.tls_ca.as_ref();
    file.map_or_else(|| Ok(Roots::default()), |file| Roots::read(&declared.folder.join(file)))
}

/// The contract by which an instance of a service serves now; nothing where none tells one.
pub async fn served_contract(declared: &Declared) -> Option<Value> {
    let upstream = Upstream::new(pool(declared, LOOK).ok()?).ok()?;
    let path = http::uri::PathAndQuery::from_static(contract::handshake::PATH);
    let answers = upstream.ask_each(&path, &http::HeaderMap::new()).await;
    let told = answers.into_iter().filter(|answer| answer.status == http::StatusCode::OK);
    told.filter_map(|answer| serde_json::from_slice::<Offer>(&answer.body).ok())
        .map(|offer| offer.document)
        .find(|document| document.get("paths").is_some())
}

/// Reads and binds all of them, over `public`, the document of what is bound already, and what is composed of these. What is known of
/// the instances that `before` has as well, such as breakers and connections, goes on.
///
/// # Errors
/// Everything that is wrong, a fault a service at most.
pub(crate) async fn bind(
    declarations: Declarations<'_>,
    public: Value,
    own: &[Own],
    times: Times,
    before: Option<&Bound>,
) -> Result<Bound, Vec<BindFault>> {
    let mut taken: HashSet<String> = operation_ids(&public);
    let mut bound = Bound {
        router: Router::default(),
        documents: Documents::over(public),
        operations: Vec::new(),
        services: Vec::new(),
        targets: own.iter().map(|own| targets(own, times)).collect(),
        contract_every: times.contract_every,
        watched: CancellationToken::new(),
    };
    let mut faults = Vec::new();
    for declared in declarations.services {
        if let Err(fault) = bound.add(declared, &mut taken, times, before).await {
            let named = format!("service {}", declared.settings.name);
            faults.push(BindFault { origin: declared.origin.clone(), named, fault });
        }
    }
    // Over services that are not bound everything composed of them would be a fault as well.
    if faults.is_empty() {
        faults = bound.compose(declarations.composed, &mut taken, times);
    }
    if faults.is_empty() { Ok(bound) } else { Err(faults) }
}

fn operation_ids(document: &Value) -> HashSet<String> {
    let items = document.get("paths").and_then(Value::as_object).into_iter().flat_map(|paths| paths.values());
    items
        .filter_map(Value::as_object)
        .flat_map(|item| item.values())
        .filter_map(|operation| operation.get("operationId")?.as_str())
        .map(str::to_owned)
        .collect()
}

impl Bound {
    /// Asks every instance time and again whether it is well, where its service says how, and by which contract it serves.
    pub(crate) fn watch(&self) {
        for service in &self.services {
            tokio::spawn(Arc::clone(&service.upstream).watch(self.watched.clone()));
            if let Some(every) = self.contract_every {
                let (handshake, upstream) = (Arc::clone(&service.handshake), Arc::clone(&service.upstream));
                tokio::spawn(handshake.watch(upstream, every, self.watched.clone()));
            }
        }
    }

    /// How each service stands.
    pub(crate) fn standings(&self) -> impl Iterator<Item = ServiceStanding> {
        self.services.iter().map(|service| ServiceStanding::of(&service.upstream, &service.handshake))
    }

    /// Whether a path with `%2F` is one of an operation that takes it, each of them within a parameter.
    pub(crate) fn lets_encoded_slashes(&self, path: &str) -> bool {
        let slashes = |text: &str| text.to_ascii_lowercase().matches("%2f").count();
        self.router.targets(path).any(|(route, texts)| {
            matches!(route, Route::Declared(target) if target.rules.encoded_slash)
                && texts.iter().map(|text| slashes(text)).sum::<usize>() == slashes(path)
        })
    }

    /// The methods of a path, as `Allow` lists them.
    pub(crate) fn methods(&self, path: &str) -> Option<String> {
        match self.router.find(path, &Method::OPTIONS) {
            Match::OtherMethods(methods) => Some(allow(&methods)),
            Match::Operation { .. } | Match::Nothing => None,
        }
    }

    async fn add(
        &mut self,
        declared: &Declared,
        taken: &mut HashSet<String>,
        times: Times,
        before: Option<&Self>,
    ) -> Result<(), ServiceFault> {
        let settings = &declared.settings;
        let document = reading::to_bind(declared).await?;
        let handshake = Arc::new(Handshake::new(settings.name.as_str(), &document));
        let prepared = prepare(settings, document, taken)?;
        let pool = pool(declared, times)?;
        let idle = pool.idle_time;
        let max_tunnels = settings.max_tunnels.unwrap_or(MAX_TUNNELS).min(Semaphore::MAX_PERMITS);
        let operations = Operation::all(&prepared.document)?;
        let paths = Paths::new(&operations, &prepared.hidden)?;
        for hidden in &prepared.hidden {
            self.router.hide(hidden)?;
        }
        let service = Arc::new(Service {
            name: settings.name.to_string(),
            prefix: prepare::prefix(settings)?,
            paths,
            upstream: upstream(pool, before)?,
            handshake,
            issuers: settings.issuers.clone(),
            idle,
            tunnels: Arc::new(Semaphore::new(max_tunnels)),
            max_tunnels,
        });
        let mut published = prepared.document.clone();
        for operation in operations {
            let Some(origin) = prepared.origins.get(&operation.id) else { continue };
            let overrides = settings.operations.get(&origin.id);
            let rules = Rules::new(settings, overrides, &origin.id, times.total)?;
            if rules.response.change_bodies() {
                publish::changed(&mut published, &operation.path, &operation.method);
            }
            let target = Target {
                name: OperationName(operation.id.as_str().into()),
                service: Arc::clone(&service),
                rules,
                head: prepared.has_head(&origin.path),
                is_websocket: prepared.websockets.contains(&operation.id),
                key: contract::compare::key(operation.method.as_str(), &origin.path),
                operation: operation.clone(),
            };
            let target = Arc::new(target);
            let targets = self.targets.entry(service.name.clone()).or_default();
            targets.insert(origin.id.clone(), Arc::clone(&target));
            self.router.add(&operation.path, operation.method.clone(), Route::Declared(target))?;
            self.operations.push((service.name.clone(), operation));
        }
        self.services.push(Arc::clone(&service));
        self.documents.add(&service.name, &published);
        Ok(())
    }
}

/// The pool of a service: what was known of the same instances under the same name goes on.
fn upstream(pool: PoolConfig, before: Option<&Bound>) -> Result<Arc<Upstream>, BadUpstreamUrl> {
    let running =
        before.iter().flat_map(|before| &before.services).find(|service| service.name == pool.service);
    match running {
        Some(service) => Upstream::in_place_of(&service.upstream, pool),
        None => Upstream::new(pool).map(Arc::new),
    }
}

fn pool(declared: &Declared, times: Times) -> Result<PoolConfig, RootsFault> {
    let settings = &declared.settings;
    let urls = settings.urls.iter().map(|url| url.as_str().to_owned()).collect();
    let mut pool = PoolConfig::new(settings.name.as_str(), urls);
    pool.connect_time = settings.connect_timeout.unwrap_or(times.connect);
    pool.first_byte_time = settings.first_byte_timeout;
    pool.total_time = settings.timeout.unwrap_or(times.total);
    pool.idle_time = settings.idle_timeout.unwrap_or(pool.idle_time);
    pool.max_in_flight = settings.max_in_flight.unwrap_or(pool.max_in_flight);
    pool.health = settings
        .health
        .clone()
        .map(|path| Probe { path, every: settings.health_interval.unwrap_or(PROBE_INTERVAL) });
    pool.retries = settings.retries.unwrap_or(pool.retries);
    pool.breaker_failures = settings.breaker_failures.map_or(pool.breaker_failures, NonZeroU32::new);
    pool.roots = roots(declared)?;
    Ok(pool)
}

/// The methods that a path has, as `Allow` lists them.
fn allow(methods: &[Method]) -> String {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.join(", ")
}
