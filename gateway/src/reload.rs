//! A changed configuration takes the place of the running one, whole, while requests go on.

use std::sync::Arc;

use arc_swap::ArcSwap;
use contract::operation::Operation;
use kit::{
    config::{Composed, Declared},
    server::Tls,
};
use matchit::InsertError;
use poem::{
    Endpoint, Request, Response, Result,
    endpoint::{BoxEndpoint, DynEndpoint, ToDynEndpoint},
};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    Config, StartError,
    assembly::{declared, new_cache, service_times},
    composition,
    document::Builtin,
    identity::second_factor::SecondFactors,
    parts::Parts,
    services::declared::Bound,
};

/// The public listener's endpoint, in whose place a reload puts another. A request stays with the one that it came to.
pub(crate) struct Current(ArcSwap<BoxEndpoint<'static>>);

impl Current {
    fn of(parts: &Parts, operations: &Arc<Vec<Operation>>) -> Result<BoxEndpoint<'static>, InsertError> {
        Ok(Box::new(ToDynEndpoint(composition::public(parts, operations)?)))
    }
}

impl Endpoint for Current {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let endpoint = self.0.load_full();
        DynEndpoint::call(endpoint.as_ref().as_ref(), request).await
    }
}

/// What the running configuration was made of.
struct Running {
    parts: Parts,
    services: Vec<Declared>,
    composed: Vec<Composed>,
}

/// Puts changed configurations in the place of the running one.
#[derive(Clone)]
pub struct Reloader {
    current: Arc<Current>,
    operations: Arc<Vec<Operation>>,
    /// The document of what is bound without any declaration.
    public: Arc<Value>,
    /// What the public listener shows its clients.
    tls: Option<Arc<Tls>>,
    /// What is bound now, for those who ask how services stand.
    latest: Arc<ArcSwap<Bound>>,
    /// Held while one is made: they follow each other.
    running: Arc<Mutex<Running>>,
}

impl Reloader {
    pub(crate) fn new(
        parts: Parts,
        builtin: Builtin,
        config: &Config,
        tls: Option<Arc<Tls>>,
    ) -> Result<Self, StartError> {
        let operations = builtin.all();
        // The chain keeps to what it was made with.
        let latest = Arc::clone(&parts.declared);
        let parts = Parts { declared: Arc::new(ArcSwap::new(latest.load_full())), ..parts };
        let current = Arc::new(Current(ArcSwap::from_pointee(Current::of(&parts, &operations)?)));
        Ok(Self {
            latest,
            current,
            operations,
            public: Arc::new(builtin.document),
            tls,
            running: Arc::new(Mutex::new(Running {
                parts,
                services: config.services.clone(),
                composed: config.composed.clone(),
            })),
        })
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current)
    }

    /// Serves by `config` from now on, as far as it can change while the gateway runs (`kit::config::RELOADED` and the declared
    /// services); all else of it is passed over. Requests in flight end by what they began with, and what nothing needs any more
    /// goes with the last of them. Sessions, keys, buckets of rate limits, and the pools and breakers of unchanged services stay.
    ///
    /// # Errors
    /// Whatever is wrong with the declared services, or the certificate; nothing has changed then.
    pub async fn reload(&self, config: &Config) -> Result<(), StartError> {
        let mut running = self.running.lock().await;
        let tls = config.tls.as_ref().map(Tls::read).transpose()?;
        let before = self.latest.load_full();
        let old = &running.parts;
        let public = Value::clone(&self.public);
        let times = service_times(config);
        let bound = declared(config.declarations(), &old.own, public, times, Some(&before)).await?;
        bound.watch();
        let bound = Arc::new(bound);
        // An answer that was kept may have been changed by rules that hold no more.
        let cache = if running.services == config.services && running.composed == config.composed {
            Arc::clone(&old.cache)
        } else {
            Arc::new(new_cache(old.valkey.clone(), config))
        };
        let parts = Parts {
            declared: Arc::new(ArcSwap::new(Arc::clone(&bound))),
            trusted_proxies: config.trusted_proxies.clone(),
            cors: config.cors.clone(),
            rate_limit: config.rate_limits(),
            require_verified_address: config.mail.require_verified_address,
            factors: Arc::new(SecondFactors {
                database: old.factors.database.clone(),
                master_key: old.factors.master_key.clone(),
                required_of: config.second_factor_roles.clone(),
                platform: old.factors.platform.clone(),
            }),
            cache,
            limit: config.body_limit(),
            docs: config.docs,
            root_leads_to_docs: config.root_leads_to_docs,
            admin: config.admin,
            ..old.clone()
        };
        self.current.0.store(Arc::new(Current::of(&parts, &self.operations)?));
        if let Some((running, next)) = self.tls.as_ref().zip(tls) {
            running.replace(&next);
        }
        self.latest.store(bound);
        *running = Running { parts, services: config.services.clone(), composed: config.composed.clone() };
        Ok(())
    }
}
