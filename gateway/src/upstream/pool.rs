//! The instances of a service: where they are, how many calls each has, and which one gets the next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Uri, uri::PathAndQuery};

/// How a service is called.
#[derive(Debug, Clone)]
pub(crate) struct PoolConfig {
    /// Its name, for the log.
    pub(crate) service: String,
    /// Its instances, such as `http://127.0.0.1:9000` or `http://host/base`.
    pub(crate) urls: Vec<String>,
    /// How long a connection may take.
    pub(crate) connect_time: Duration,
    /// From sending a request to the head of its answer; unset, the whole time.
    pub(crate) first_byte_time: Option<Duration>,
    /// From sending a request to the last byte of an answer that is read whole.
    pub(crate) total_time: Duration,
    /// The longest silence in an answer.
    pub(crate) idle_time: Duration,
    /// Calls in flight at most; more are shed.
    pub(crate) max_in_flight: usize,
    /// Further attempts, where repeating is safe.
    pub(crate) retries: u32,
}

impl PoolConfig {
    /// With times and limits that suit most services.
    pub(crate) fn new(service: &str, urls: Vec<String>) -> Self {
        Self {
            service: service.to_owned(),
            urls,
            connect_time: Duration::from_secs(2),
            first_byte_time: None,
            total_time: Duration::from_secs(10),
            idle_time: Duration::from_mins(1),
            max_in_flight: 1000,
            retries: 1,
        }
    }
}

/// A service's address is no URL that can be called.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadUpstreamUrl {
    /// Not such a URL.
    #[error("{0:?} is no http:// URL of a host, an optional port and an optional path")]
    Url(String),
    /// No address at all.
    #[error("names no instance; it takes at least one, such as \"http://127.0.0.1:9000\"")]
    None,
}

/// One instance.
#[derive(Debug)]
pub(super) struct Instance {
    scheme_and_host: http::uri::Parts,
    base: String,
    in_flight: Arc<AtomicUsize>,
}

/// A call that an instance has, until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Instance {
    fn new(url: &str) -> Result<Self, BadUpstreamUrl> {
        let fail = || BadUpstreamUrl::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| fail())?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() || uri.query().is_some() {
            return Err(fail());
        }
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { scheme_and_host: uri.into_parts(), base, in_flight: Arc::default() })
    }

    /// Counts one more call.
    pub(super) fn begin(&self) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.in_flight))
    }

    /// A target at this instance.
    pub(super) fn uri(&self, target: &PathAndQuery) -> Result<Uri, http::Error> {
        let mut parts = http::uri::Parts::default();
        parts.scheme.clone_from(&self.scheme_and_host.scheme);
        parts.authority.clone_from(&self.scheme_and_host.authority);
        parts.path_and_query = Some(if self.base.is_empty() {
            target.clone()
        } else {
            PathAndQuery::try_from(format!("{}{target}", self.base))?
        });
        Ok(Uri::from_parts(parts)?)
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Instances {
    all: Vec<Instance>,
    turn: AtomicUsize,
}

impl Instances {
    pub(super) fn new(urls: &[String]) -> Result<Self, BadUpstreamUrl> {
        let all = urls.iter().map(|url| Instance::new(url)).collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() { Err(BadUpstreamUrl::None) } else { Ok(Self { all, turn: AtomicUsize::new(0) }) }
    }

    /// The one for the next attempt: of the two whose turn it is, the one with fewer calls; never the one that has just
    /// failed, where there is another.
    pub(super) fn pick(&self, failed: Option<usize>) -> Option<(usize, &Instance)> {
        let count = self.all.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let open: Vec<usize> = (0..count)
            .map(|step| turn.wrapping_add(step) % count)
            .filter(|at| count == 1 || failed != Some(*at))
            .take(2)
            .collect();
        let at = open.into_iter().min_by_key(|at| {
            self.all.get(*at).map_or(usize::MAX, |instance| instance.in_flight.load(Ordering::Relaxed))
        })?;
        Some((at, self.all.get(at)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instances(count: usize) -> Instances {
        let urls: Vec<String> = (1..=count).map(|port| format!("http://127.0.0.1:{port}")).collect();
        Instances::new(&urls).unwrap()
    }

    #[test]
    fn a_busy_instance_gets_fewer_calls_and_one_that_failed_not_the_next() {
        let instances = instances(3);
        let busy: Vec<InFlight> = (0..10).map(|_| instances.all[0].begin()).collect();
        let picked: Vec<usize> = (0..30).filter_map(|_| Some(instances.pick(None)?.0)).collect();
        assert!(!picked.contains(&0));
        drop(busy);
        assert!((0..30).filter_map(|_| Some(instances.pick(Some(1))?.0)).all(|at| at != 1));
        assert_eq!(instances.all[0].in_flight.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_base_path_stands_before_every_target() {
        let instances = Instances::new(&["http://h:1/v3/".to_owned()]).unwrap();
        let target = PathAndQuery::from_static("/a%20b?c=%2F");
        assert_eq!(instances.all[0].uri(&target).unwrap(), "http://h:1/v3/a%20b?c=%2F");
        for url in ["https://h", "h:1", "/a", "http://h/?q"] {
            assert!(Instances::new(&[url.to_owned()]).is_err(), "{url}");
        }
        assert!(matches!(Instances::new(&[]), Err(BadUpstreamUrl::None)));
    }
}
