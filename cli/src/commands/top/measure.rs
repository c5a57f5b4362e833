//! From counts that only grow to what happens now: the difference over the last seconds.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::metrics::{self, Metrics, Sample};

/// Over how long rates and latencies are told.
const WINDOW: Duration = Duration::from_secs(10);

/// How many rates are kept for the curve.
const CURVE: usize = 120;

/// Everything read once.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) at: Instant,
    pub(super) metrics: Metrics,
    pub(super) services: Vec<Value>,
}

/// What was read in the last seconds.
#[derive(Debug, Default)]
pub(super) struct Measures {
    all: VecDeque<Measured>,
    curve: VecDeque<u64>,
}

/// One operation as it goes now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operation {
    pub(super) name: String,
    /// Answers a second.
    pub(super) rate: f64,
    /// Of them, refused (4xx).
    pub(super) refused: f64,
    /// Of them, failed (5xx).
    pub(super) failed: f64,
    /// Seconds that half, 95 and 99 of a hundred take at most; none where nothing was answered.
    pub(super) latency: Option<[f64; 3]>,
}

/// One service as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) healthy: usize,
    pub(super) instances: usize,
    pub(super) in_flight: u64,
    /// How its contract stands to the one it was bound by.
    pub(super) agreement: String,
}

/// How answers come out of the cache.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cache {
    pub(super) hits: f64,
    pub(super) misses: f64,
    pub(super) bytes: Option<f64>,
}

/// What is shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Now {
    pub(super) operations: Vec<Operation>,
    pub(super) services: Vec<Service>,
    pub(super) in_flight: Option<f64>,
    pub(super) sessions: Option<f64>,
    pub(super) tunnels: Option<f64>,
    pub(super) cache: Option<Cache>,
    /// Answers a second, the latest last.
    pub(super) curve: Vec<u64>,
}

impl Measures {
    /// Adds what was just read, and forgets what is too old. Counts that are smaller than before are another process's.
    pub(super) fn add(&mut self, measured: Measured) {
        let total = |measured: &Measured| measured.metrics.sum(REQUESTS, |_| true).unwrap_or_default();
        if self.all.back().is_some_and(|before| total(before) > total(&measured)) {
            self.all.clear();
        }
        if let Some(before) = self.all.back() {
            let seconds = measured.at.duration_since(before.at).as_secs_f64().max(0.001);
            self.curve.push_back(whole((served(&measured.metrics) - served(&before.metrics)) / seconds));
            if self.curve.len() > CURVE {
                self.curve.pop_front();
            }
        }
        self.all.push_back(measured);
        // One older than the window stays: the difference to it spans the whole window.
        let now = self.all.back().map(|latest| latest.at);
        while self.all.len() > 2 && now.is_some_and(|now| now.duration_since(self.all[1].at) > WINDOW) {
            self.all.pop_front();
        }
    }

    /// What happens now.
    pub(super) fn now(&self) -> Now {
        let (Some(first), Some(last)) = (self.all.front(), self.all.back()) else { return Now::default() };
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        let before = if self.all.len() > 1 { &first.metrics } else { &last.metrics };
        let gauge = |name: &str| last.metrics.sum(name, of_door(&last.metrics));
        Now {
            operations: operations(before, &last.metrics, seconds.max(0.001)),
            services: last.services.iter().map(service).collect(),
            in_flight: gauge("platform_requests_in_flight"),
            sessions: gauge("platform_sessions_open"),
            tunnels: last.metrics.sum("platform_tunnels_open", |_| true),
            cache: cache(before, &last.metrics),
            curve: self.curve.iter().copied().collect(),
        }
    }
}

const REQUESTS: &str = "platform_requests_total";

/// What clients see: the gateway's own counts where it runs in the process, else those of whatever runs there.
fn of_door(metrics: &Metrics) -> impl Fn(&Sample) -> bool + use<> {
    let door = metrics.of(REQUESTS).any(|sample| sample.label("service") == "gateway");
    move |sample| {
        let service = sample.label("service");
        if door { service == "gateway" } else { service != "ops" }
    }
}

fn served(metrics: &Metrics) -> f64 {
    metrics.sum(REQUESTS, of_door(metrics)).unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is no number beyond a u64"
)]
fn whole(rate: f64) -> u64 {
    rate.max(0.0).round() as u64
}

fn operations(before: &Metrics, now: &Metrics, seconds: f64) -> Vec<Operation> {
    let is_of_door = of_door(now);
    let mut found: BTreeMap<&str, [f64; 3]> = BTreeMap::new();
    let earlier = counts(before);
    for sample in now.of(REQUESTS).filter(|sample| is_of_door(sample)) {
        let more = sample.value - earlier.get(&sample.labels).copied().unwrap_or_default();
        let rates = found.entry(sample.label("operation")).or_default();
        rates[0] += more / seconds;
        match sample.label("status") {
            "4xx" => rates[1] += more / seconds,
            "5xx" => rates[2] += more / seconds,
            _ => {}
        }
    }
    let times = times(before, now);
    found
        .into_iter()
        .map(|(name, [rate, refused, failed])| Operation {
            name: if name == "-" { "(no operation)".to_owned() } else { name.to_owned() },
            rate,
            refused,
            failed,
            latency: times.get(name).and_then(|buckets| {
                let of = |part| quantile(buckets, part);
                Some([of(0.5)?, of(0.95)?, of(0.99)?])
            }),
        })
        .collect()
}

fn counts(metrics: &Metrics) -> BTreeMap<&BTreeMap<String, String>, f64> {
    metrics.of(REQUESTS).map(|sample| (&sample.labels, sample.value)).collect()
}

const BUCKETS: &str = "platform_request_duration_seconds_bucket";

/// Of each operation: how many answers took at most so many seconds, by that number.
fn times<'a>(before: &'a Metrics, now: &'a Metrics) -> BTreeMap<&'a str, Vec<(f64, f64)>> {
    let is_of_door = of_door(now);
    let earlier: BTreeMap<_, f64> = before.of(BUCKETS).map(|sample| (&sample.labels, sample.value)).collect();
    let mut found: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in now.of(BUCKETS).filter(|sample| is_of_door(sample)) {
        let Some(bound) = bound(sample.label("le")) else { continue };
        let more = sample.value - earlier.get(&sample.labels).copied().unwrap_or_default();
        let buckets = found.entry(sample.label("operation")).or_default();
        match buckets.iter_mut().find(|(one, _)| one.total_cmp(&bound).is_eq()) {
            Some((_, count)) => *count += more,
            None => buckets.push((bound, more)),
        }
    }
    for buckets in found.values_mut() {
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    found
}

fn bound(text: &str) -> Option<f64> {
    if text == "+Inf" { Some(f64::INFINITY) } else { text.parse().ok() }
}

/// The time that this part of the answers took at most, as even as possible within a bucket; infinite past the last bound.
fn quantile(buckets: &[(f64, f64)], part: f64) -> Option<f64> {
    let all = buckets.last()?.1;
    if all <= 0.0 {
        return None;
    }
    let wanted = all * part;
    let (mut below, mut count) = (0.0, 0.0);
    for &(bound, up_to) in buckets {
        if up_to >= wanted {
            if bound.is_infinite() {
                return Some(bound);
            }
            let within = if up_to > count { (wanted - count) / (up_to - count) } else { 1.0 };
            return Some(below + (bound - below) * within);
        }
        (below, count) = (bound, up_to);
    }
    None
}

fn service(told: &Value) -> Service {
    let instances = told["instances"].as_array().map_or(&[][..], Vec::as_slice);
    Service {
        name: told["service"].as_str().unwrap_or_default().to_owned(),
        healthy: instances.iter().filter(|instance| instance["healthy"] == true).count(),
        instances: instances.len(),
        in_flight: instances
            .iter()
            .filter_map(|instance| instance["in_flight"].as_u64())
            .fold(0, u64::saturating_add),
        agreement: told["agreement"].as_str().unwrap_or_default().to_owned(),
    }
}

fn cache(before: &Metrics, now: &Metrics) -> Option<Cache> {
    let (hits, misses) = metrics::cache(now)?;
    let (hits_before, misses_before) = metrics::cache(before).unwrap_or_default();
    Some(Cache {
        hits: hits - hits_before,
        misses: misses - misses_before,
        bytes: now.sum("platform_cache_bytes", |_| true),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::*;

    /// A scrape at which an operation has had so many answers, nine of ten within 10 ms.
    pub(in crate::commands::top) fn scrape(good: u64, failed: u64) -> Metrics {
        let mut text = String::new();
        for (status, count) in [("2xx", good), ("5xx", failed)] {
            let labels = format!("service=\"gateway\",operation=\"list_users\",status=\"{status}\"");
            let _ = writeln!(text, "platform_requests_total{{{labels}}} {count}");
            for (bound, part) in [("0.005", 0), ("0.01", 9), ("0.1", 10), ("+Inf", 10)] {
                let _ = writeln!(text, "{BUCKETS}{{le=\"{bound}\",{labels}}} {}", count * part / 10);
            }
        }
        text += "platform_requests_total{service=\"users\",operation=\"list_users\",status=\"2xx\"} 9999\n\
            platform_requests_in_flight{service=\"gateway\"} 3\nplatform_requests_in_flight{service=\"ops\"} 1\n\
            platform_sessions_open{service=\"gateway\"} 42\nplatform_tunnels_open{service=\"chat\"} 2\n\
            platform_cache_requests_total{operation=\"list_users\",result=\"bypass\"} 5\nplatform_cache_bytes 2097152\n";
        for (result, part) in [("hit", 30), ("collapsed", 15), ("miss", 15)] {
            let count = good * part / 100;
            let name = "platform_cache_requests_total";
            let _ = writeln!(text, "{name}{{operation=\"list_users\",result=\"{result}\"}} {count}");
        }
        Metrics::read(&text)
    }

    /// A moment so many seconds after another.
    pub(in crate::commands::top) fn second(number: usize) -> Instant {
        static BEGUN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        *BEGUN + Duration::from_secs(number as u64)
    }

    pub(in crate::commands::top) fn services() -> Vec<Value> {
        vec![
            json!({"service": "users", "agreement": "equal", "instances": [{"healthy": true, "in_flight": 2}]}),
            json!({"service": "orders", "agreement": "breaking", "instances": [
                {"healthy": true, "in_flight": 1}, {"healthy": false, "in_flight": 0}]}),
        ]
    }

    #[test]
    fn rates_and_latencies_are_those_of_the_last_seconds_at_the_door() {
        let mut measures = Measures::default();
        for (index, (good, failed)) in [(1_000, 0), (1_100, 10), (1_200, 20)].into_iter().enumerate() {
            measures.add(Measured { at: second(index), metrics: scrape(good, failed), services: services() });
        }
        let now = measures.now();
        let operation = &now.operations[0];
        assert_eq!(now.operations.len(), 1);
        assert!(
            (operation.rate - 110.0).abs() < 0.01 && (operation.failed - 10.0).abs() < 0.01,
            "{operation:?}"
        );
        let [half, most, nearly_all] = operation.latency.unwrap();
        assert!(half > 0.005 && half < 0.01 && most > 0.01 && nearly_all < 0.1, "{operation:?}");
        assert_eq!((now.in_flight, now.sessions, now.tunnels), (Some(3.0), Some(42.0), Some(2.0)));
        let cache = now.cache.unwrap();
        assert_eq!((cache.hits, cache.misses, cache.bytes), (90.0, 30.0, Some(2_097_152.0)));
        assert_eq!(now.curve, [110, 110]);
        assert_eq!((now.services[1].healthy, now.services[1].instances), (1, 2));
    }

    #[test]
    fn another_process_begins_anew_and_an_idle_one_has_no_latency() {
        let mut measures = Measures::default();
        for (index, good) in [1_000, 5, 5].into_iter().enumerate() {
            measures.add(Measured { at: second(index), metrics: scrape(good, 0), services: Vec::new() });
        }
        let now = measures.now();
        assert_eq!((now.operations[0].rate, now.operations[0].latency), (0.0, None));
    }

    #[test]
    fn what_takes_longer_than_the_last_bound_has_no_end() {
        assert_eq!(quantile(&[(1.0, 1.0), (f64::INFINITY, 10.0)], 0.95), Some(f64::INFINITY));
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
