//! A service: its instances, and the policies every call of it stands under.

use std::{
    io,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{
    endpoint::{BadUpstreamUrl, Endpoint, look_up},
    fault::UpstreamFault,
    instance::{Instance, InstanceHealth, Reach, Use},
    tls::Roots,
};
use crate::policy::{balance, breaker::Rules, budget::Budget, concurrency::Limit};

/// When names are looked up again.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameTimes {
    /// After they were found.
    pub(super) found: Duration,
    /// After one was not.
    pub(super) lost: Duration,
}

/// The system's resolver does not tell how long an address may be kept: this is as short as common records ask for.
const NAMES: NameTimes = NameTimes { found: Duration::from_secs(10), lost: Duration::from_secs(1) };

/// How often a client is told to try again in, where no instance is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How a service is asked whether it is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    /// Below the service's URL, such as `/readyz`.
    pub(crate) path: String,
    pub(crate) every: Duration,
}

/// How a service is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolConfig {
    /// Its name, for the log.
    pub(crate) service: String,
    /// `http://host[:port][/base-path]` or `https://…`, one or several; a name may stand for several addresses.
    pub(crate) urls: Vec<String>,
    pub(crate) connect_time: Duration,
    /// From the sent request to the head of the answer.
    pub(crate) first_byte_time: Option<Duration>,
    /// For a call that has no time of its own.
    pub(crate) total_time: Duration,
    /// The longest silence in an answer.
    pub(crate) idle_time: Duration,
    pub(crate) max_in_flight: usize,
    /// Further attempts at most.
    pub(crate) retries: u32,
    /// Failures in a row that shut an instance off for a while; unset, none do.
    pub(crate) breaker_failures: Option<NonZeroU32>,
    pub(crate) health: Option<Probe>,
    /// Whom those are trusted by, beside the system's roots, that are called over TLS.
    pub(crate) roots: Roots,
}

impl PoolConfig {
    /// The service at these URLs, with limits that suit most.
    pub(crate) fn new(service: impl Into<String>, urls: Vec<String>) -> Self {
        Self {
            service: service.into(),
            urls,
            connect_time: Duration::from_secs(2),
            first_byte_time: None,
            total_time: Duration::from_secs(30),
            idle_time: Duration::from_mins(1),
            max_in_flight: 1024,
            retries: 2,
            breaker_failures: NonZeroU32::new(Rules::default().failures),
            health: None,
            roots: Roots::default(),
        }
    }
}

/// What holds for every call of a service.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) service: String,
    pub(super) first_byte_time: Option<Duration>,
    pub(super) total_time: Duration,
    pub(super) idle_time: Duration,
    pub(super) retries: u32,
}

/// Gives the addresses of a name.
pub(super) type LookUp =
    Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<std::net::SocketAddr>>> + Send + Sync>;

/// A service, as the gateway calls it.
pub(crate) struct Upstream {
    config: PoolConfig,
    pub(super) limits: Arc<Limits>,
    pub(super) health: Option<Probe>,
    reach: Reach,
    endpoints: Vec<Arc<Endpoint>>,
    instances: Arc<ArcSwap<Vec<Arc<Instance>>>>,
    look_up: LookUp,
    name_times: NameTimes,
    /// When names are looked up next; held while they are.
    names: Arc<tokio::sync::Mutex<Instant>>,
    in_flight: Arc<Mutex<Limit>>,
    budget: Mutex<Budget>,
}

impl Upstream {
    /// The service that `config` describes. It connects to nothing yet.
    ///
    /// # Errors
    /// The first URL that can't be called.
    pub(crate) fn new(config: PoolConfig) -> Result<Self, BadUpstreamUrl> {
        Self::with_look_up(config, Arc::new(|host, port| Box::pin(look_up(host, port))), NAMES)
    }

    /// The service that `config` describes, where `running` was it until now: itself if nothing has changed, else one that goes on
    /// with the instances at the URLs that both have, their connections, breakers and calls in flight.
    ///
    /// # Errors
    /// The first URL that can't be called.
    pub(crate) fn in_place_of(running: &Arc<Self>, config: PoolConfig) -> Result<Arc<Self>, BadUpstreamUrl> {
        if running.config == config {
            return Ok(Arc::clone(running));
        }
        let keeps =
            running.config.connect_time == config.connect_time && running.config.roots == config.roots;
        let mut next = Self::with_look_up(config, Arc::clone(&running.look_up), running.name_times)?;
        if keeps {
            next.take_over(running);
        }
        Ok(Arc::new(next))
    }

    fn take_over(&mut self, running: &Self) {
        for endpoint in &mut self.endpoints {
            if let Some(known) = running.endpoints.iter().find(|known| known.url() == endpoint.url()) {
                *endpoint = Arc::clone(known);
            }
        }
        let (known, made) = (running.instances.load_full(), self.instances.load_full());
        let taken = self.endpoints.iter().flat_map(|endpoint| {
            let of = |instances: &[Arc<Instance>]| -> Vec<Arc<Instance>> {
                instances
                    .iter()
                    .filter(|instance| instance.endpoint.url() == endpoint.url())
                    .cloned()
                    .collect()
            };
            Some(of(&known)).filter(|known| !known.is_empty()).unwrap_or_else(|| of(&made))
        });
        self.instances.store(Arc::new(taken.collect()));
    }

    pub(super) fn with_look_up(
        config: PoolConfig,
        look_up: LookUp,
        name_times: NameTimes,
    ) -> Result<Self, BadUpstreamUrl> {
        let endpoints = config
            .urls
            .iter()
            .map(|url| Endpoint::parse(url).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(BadUpstreamUrl::None);
        }
        let failures = config.breaker_failures.map_or(u32::MAX, NonZeroU32::get);
        let secure = endpoints.iter().find(|endpoint| endpoint.is_secure());
        let tls = secure.map(|endpoint| {
            config.roots.client().map_err(|error| BadUpstreamUrl::Tls(endpoint.url(), error.to_string()))
        });
        let reach = Reach {
            connect_time: config.connect_time,
            breaker: Rules { failures, ..Rules::default() },
            tls: tls.transpose()?,
        };
        let known = endpoints.iter().filter_map(|endpoint| {
            let address = endpoint.address()?;
            Some(Arc::new(Instance::new(Arc::clone(endpoint), address, &reach)))
        });
        let instances = Arc::new(ArcSwap::from_pointee(known.collect()));
        Ok(Self {
            config: config.clone(),
            limits: Arc::new(Limits {
                service: config.service,
                first_byte_time: config.first_byte_time,
                total_time: config.total_time,
                idle_time: config.idle_time,
                retries: config.retries,
            }),
            health: config.health,
            reach,
            endpoints,
            instances,
            look_up,
            name_times,
            names: Arc::new(tokio::sync::Mutex::new(Instant::now())),
            in_flight: Arc::new(Mutex::new(Limit::new(config.max_in_flight))),
            budget: Mutex::new(Budget::new(Instant::now().into_std())),
        })
    }

    /// The service's name.
    pub(crate) fn service(&self) -> &str {
        &self.limits.service
    }

    /// Where its instances are, as they are configured.
    pub(super) fn urls(&self) -> Vec<String> {
        self.endpoints.iter().map(|endpoint| endpoint.url()).collect()
    }

    /// How each instance stands.
    pub(crate) fn health(&self) -> Vec<InstanceHealth> {
        self.instances.load().iter().map(|instance| instance.health()).collect()
    }

    pub(super) fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among the calls in flight.
    pub(super) fn enter(&self) -> Result<Permit, UpstreamFault> {
        let mut limit = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if limit.take() {
            Ok(Permit(Arc::clone(&self.in_flight)))
        } else {
            Err(UpstreamFault::Shed(limit.taken()))
        }
    }

    /// The instance that a call goes to next.
    pub(super) async fn choose(&self, tried: &[Arc<Instance>]) -> Result<Use, UpstreamFault> {
        let instances = self.known().await?;
        let is_tried = |instance: &Arc<Instance>| tried.iter().any(|tried| Arc::ptr_eq(tried, instance));
        let standings: Vec<_> =
            instances.iter().map(|instance| instance.standing(is_tried(instance))).collect();
        balance::choose(&standings, |below| fastrand::usize(..below))
            .and_then(|index| instances[index].admit())
            // Between the look and the leave another call took the one place of a probe.
            .or_else(|| instances.iter().find_map(Instance::admit))
            .ok_or_else(|| UpstreamFault::NoInstance {
                retry_after: instances
                    .iter()
                    .map(|instance| instance.retry_after())
                    .min()
                    .unwrap_or(RETRY_AFTER),
            })
    }

    /// Whether an instance that was not tried takes calls.
    pub(super) fn has_another(&self, tried: &[Arc<Instance>]) -> bool {
        self.instances.load().iter().any(|instance| {
            !tried.iter().any(|tried| Arc::ptr_eq(tried, instance)) && instance.standing(false).admits
        })
    }

    /// The instances, their names looked up anew once that is due: behind the calls where there are any addresses.
    pub(super) async fn known(&self) -> Result<Arc<Vec<Arc<Instance>>>, UpstreamFault> {
        let instances = self.instances.load_full();
        if self.endpoints.iter().all(|endpoint| endpoint.address().is_some()) {
            return Ok(instances);
        }
        if instances.is_empty() {
            let mut next = self.names.lock().await;
            if self.instances.load().is_empty() && Instant::now() >= *next {
                *next = Instant::now() + self.names_again().refresh().await;
            }
        } else if let Ok(mut next) = Arc::clone(&self.names).try_lock_owned()
            && Instant::now() >= *next
        {
            let names = self.names_again();
            tokio::spawn(async move { *next = Instant::now() + names.refresh().await });
            return Ok(instances);
        }
        let instances = self.instances.load_full();
        if instances.is_empty() {
            let names: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.host().0).collect();
            return Err(UpstreamFault::Name(names.join(", ")));
        }
        Ok(instances)
    }

    fn names_again(&self) -> Names {
        Names {
            endpoints: self.endpoints.clone(),
            instances: Arc::clone(&self.instances),
            look_up: Arc::clone(&self.look_up),
            times: self.name_times,
            reach: self.reach.clone(),
        }
    }
}

/// One look-up of a service's names.
struct Names {
    endpoints: Vec<Arc<Endpoint>>,
    instances: Arc<ArcSwap<Vec<Arc<Instance>>>>,
    look_up: LookUp,
    times: NameTimes,
    reach: Reach,
}

impl Names {
    /// Puts the addresses found in the place of the last; a name that is not found keeps its own. Tells when to look again.
    async fn refresh(self) -> Duration {
        let before = self.instances.load_full();
        let (mut after, mut again) = (Vec::new(), self.times.found);
        for endpoint in &self.endpoints {
            let own = || before.iter().filter(|instance| Arc::ptr_eq(&instance.endpoint, endpoint));
            if endpoint.address().is_some() {
                after.extend(own().cloned());
                continue;
            }
            let (host, port) = endpoint.host();
            match (self.look_up)(host.to_owned(), port).await {
                Ok(found) if !found.is_empty() => after.extend(found.into_iter().map(|address| {
                    own().find(|instance| instance.address == address).cloned().unwrap_or_else(|| {
                        Arc::new(Instance::new(Arc::clone(endpoint), address, &self.reach))
                    })
                })),
                failed => {
                    tracing::warn!(host, error = ?failed.err(), "a service's name was not found; its last addresses stay");
                    after.extend(own().cloned());
                    again = self.times.lost;
                }
            }
        }
        self.instances.store(Arc::new(after));
        again
    }
}

/// A place among a service's calls in flight, until it is dropped.
pub(super) struct Permit(Arc<Mutex<Limit>>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).give_back();
    }
}
