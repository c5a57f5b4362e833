//! What may be stored and what may be reused. The rules are those of `http-cache-semantics`; what it reads loosely is read here
//! first and handed to it in one plain form: directives, dates in all three forms, ages, statuses it does not know.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};

use super::{conditional, directives::Directives, directives::members, key::Identity, stored::Stored};

/// How long an answer that can be revalidated is kept after its time.
const KEPT_FOR_REVALIDATION: Duration = Duration::from_hours(24);

/// How long anything is kept at most.
pub(crate) const KEPT: Duration = Duration::from_hours(7 * 24);

/// Statuses whose caching rules are known here: what `must-understand` asks for (RFC 9111 §5.2.2.3).
const UNDERSTOOD: [u16; 14] = [200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501];

/// In the extensions of a request: for how long past its time an answer may stand in for a service that is out of order, where
/// the answer itself says nothing of it (RFC 5861 §4) and does not forbid it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StandIn(pub(crate) Duration);

/// What becomes of a request, by what is stored for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// What is stored is the answer.
    Fresh,
    /// What is stored is the answer, and is asked about behind it.
    WhileRevalidating,
    /// The service is asked first.
    Ask,
}

/// What the rules say of one answer, whenever they are asked.
#[derive(Debug, Clone)]
pub(crate) struct Ruled {
    directives: Directives,
    policy: CachePolicy,
    lifetime: Duration,
    received: SystemTime,
    /// How old it was then.
    age: Duration,
}

impl Ruled {
    /// An answer with this head.
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap, received: SystemTime) -> Self {
        let directives = Directives::of(headers);
        let mut plain = plain_answer(status, headers, &directives, received);
        let lifetime = policy(&HeaderMap::new(), &plain, received).time_to_live(received);
        let age = age(headers, received);
        plain.headers_mut().insert(header::AGE, age.into());
        let policy = policy(&HeaderMap::new(), &plain, received);
        Self { directives, policy, lifetime, received, age: Duration::from_secs(age) }
    }

    fn at(&self, now: SystemTime) -> Judged<'_> {
        let Self { directives, policy, lifetime, .. } = self;
        let age = self.age.saturating_add(now.duration_since(self.received).unwrap_or_default());
        Judged { directives, policy, lifetime: *lifetime, age }
    }
}

/// What the rules say of one stored answer at one time.
pub(crate) struct Judged<'r> {
    directives: &'r Directives,
    policy: &'r CachePolicy,
    lifetime: Duration,
    age: Duration,
}

impl<'r> Judged<'r> {
    /// Of `stored` at `now`.
    pub(crate) fn at(stored: &'r Stored, now: SystemTime) -> Self {
        stored.ruled().at(now)
    }

    /// Seconds it is good for still; negative once it is stale.
    pub(crate) fn time_to_live(&self) -> i64 {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        seconds(self.lifetime).saturating_sub(seconds(self.age))
    }

    /// The `Age` it is given out with.
    pub(crate) fn age(&self) -> u64 {
        self.age.as_secs()
    }

    /// Whether it answers a request with these fields.
    pub(crate) fn reuse(&self, request: &HeaderMap, now: SystemTime) -> Reuse {
        let asked = asked(request);
        if self.is_fresh_for(&asked, now) {
            return Reuse::Fresh;
        }
        let wants_fresh = ["no-cache", "max-age", "min-fresh"].iter().any(|name| asked.has(name));
        if !wants_fresh && self.may_be_stale_for("stale-while-revalidate", self.directives) {
            return Reuse::WhileRevalidating;
        }
        Reuse::Ask
    }

    /// A request that says nothing about caching, as most do, needs no look at anything but the time. The policy would read every
    /// field of the answer again.
    fn is_fresh_for(&self, asked: &Directives, now: SystemTime) -> bool {
        if asked.is_empty() {
            return self.lifetime > self.age;
        }
        matches!(self.policy.before_request(&plain_request(asked), now), BeforeRequest::Fresh(_))
    }

    /// Whether it stands in for a service that is out of order (RFC 5861 §4).
    pub(crate) fn stands_in(&self, request: &Parts) -> bool {
        let asked = asked(&request.headers);
        !asked.has("no-cache")
            && (self.may_be_stale_for("stale-if-error", self.directives)
                || self.may_be_stale_for("stale-if-error", &asked)
                || self.is_stale_for_less_than(self.settled(request)))
    }

    /// The window that the settings open; none where the service has a word of its own.
    fn settled(&self, request: &Parts) -> Duration {
        let own = ["stale-if-error", "must-revalidate", "proxy-revalidate", "no-cache", "s-maxage"];
        match request.extensions.get::<StandIn>() {
            Some(StandIn(window)) if !own.iter().any(|name| self.directives.has(name)) => *window,
            _ => Duration::ZERO,
        }
    }

    fn is_stale_for_less_than(&self, window: Duration) -> bool {
        self.age.saturating_sub(self.lifetime) < window
    }

    /// Never where the service forbids it. `s-maxage` forbids it too (RFC 9111 §5.2.2.10), unless the same answer says for how
    /// long it may be stale.
    fn may_be_stale_for(&self, window: &str, whose: &Directives) -> bool {
        let own = self.directives;
        let forbidden = ["must-revalidate", "proxy-revalidate", "no-cache"].iter().any(|name| own.has(name))
            || (own.has("s-maxage") && !own.has(window));
        let window = whose.seconds(window).unwrap_or_default();
        !forbidden && self.is_stale_for_less_than(window)
    }

    /// How long it is worth keeping, for requests such as this one.
    pub(crate) fn kept(&self, request: &Parts, headers: &HeaderMap) -> Duration {
        let window = |name| self.directives.seconds(name).unwrap_or_default();
        let validated = if can_be_asked_about(headers) { KEPT_FOR_REVALIDATION } else { Duration::ZERO };
        let stand_in = window("stale-if-error").max(self.settled(request));
        let stale = window("stale-while-revalidate").max(stand_in).max(validated);
        self.lifetime.saturating_sub(self.age).saturating_add(stale).min(KEPT)
    }
}

/// Whether an answer with this head may be stored, and is worth it. `Set-Cookie` is never, whatever else it says.
pub(crate) fn is_storable(
    identity: &Identity,
    request: &Parts,
    status: StatusCode,
    headers: &HeaderMap,
    received: SystemTime,
) -> bool {
    let directives = Directives::of(headers);
    let shared = ["public", "s-maxage", "must-revalidate"].iter().any(|name| directives.has(name));
    // RFC 9111 §3.5; an answer kept for one caller is given out to that one alone.
    let authorised =
        *identity != Identity::Nobody || shared || !request.headers.contains_key(header::AUTHORIZATION);
    if request.method != Method::GET
        || headers.contains_key(header::SET_COOKIE)
        || super::key::vary(headers).is_none()
        || !authorised
    {
        return false;
    }
    let plain = plain_answer(status, headers, &directives, received);
    let asked = plain_request(&asked(&request.headers));
    policy(asked.headers(), &plain, received).is_storable()
        && Ruled::of(status, headers, received).at(received).kept(request, headers) > Duration::ZERO
}

/// What a request says about caching; `Pragma: no-cache` where it says nothing else.
pub(crate) fn asked(request: &HeaderMap) -> Directives {
    if request.contains_key(header::CACHE_CONTROL) {
        return Directives::of(request);
    }
    let pragma = request.get(header::PRAGMA).is_some_and(|pragma| {
        members(&String::from_utf8_lossy(pragma.as_bytes()))
            .iter()
            .any(|each| each.eq_ignore_ascii_case("no-cache"))
    });
    let mut plain = HeaderMap::new();
    if pragma {
        plain.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    Directives::of(&plain)
}

fn can_be_asked_about(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}

fn policy(request: &HeaderMap, plain: &Response<()>, received: SystemTime) -> CachePolicy {
    let mut asked = Request::new(());
    *asked.headers_mut() = request.clone();
    CachePolicy::new_options(&asked, plain, received, CacheOptions::default())
}

fn plain_request(asked: &Directives) -> Request<()> {
    let mut says = Vec::new();
    for name in ["no-store", "no-cache"] {
        if asked.has(name) {
            says.push(name.to_owned());
        }
    }
    for name in ["max-age", "min-fresh"] {
        if let Some(time) = asked.seconds(name) {
            says.push(format!("{name}={}", time.as_secs()));
        }
    }
    match (asked.has("max-stale"), asked.argument("max-stale")) {
        (true, None) => says.push("max-stale".to_owned()),
        (true, Some(_)) => {
            let time = asked.seconds("max-stale").unwrap_or_default();
            says.push(format!("max-stale={}", time.as_secs()));
        }
        _ => {}
    }
    let mut plain = Request::new(());
    insert(plain.headers_mut(), &says);
    plain
}

fn plain_answer(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &Directives,
    received: SystemTime,
) -> Response<()> {
    let understood = UNDERSTOOD.contains(&status.as_u16());
    let whole = !status.is_informational()
        && status != StatusCode::PARTIAL_CONTENT
        && status != StatusCode::NOT_MODIFIED
        && (understood || !directives.has("must-understand"));
    let expires = headers.contains_key(header::EXPIRES);
    let told = expires || ["s-maxage", "max-age", "public"].iter().any(|name| directives.has(name));
    let mut says = Vec::new();
    for name in ["no-cache", "private", "public", "must-revalidate"] {
        if directives.has(name) {
            says.push(name.to_owned());
        }
    }
    if !whole || (directives.has("no-store") && !directives.has("must-understand")) {
        says.push("no-store".to_owned());
    }
    for name in ["s-maxage", "max-age"] {
        if let Some(time) = directives.seconds(name) {
            says.push(format!("{name}={}", time.as_secs()));
        }
    }
    if directives.has("proxy-revalidate") || directives.has("s-maxage") {
        says.push("must-revalidate".to_owned());
    }
    let mut plain = Response::new(());
    // A lifetime that is told holds for every final status (RFC 9111 §3); a guessed one for some alone.
    *plain.status_mut() = if told && !understood { StatusCode::OK } else { status };
    insert(plain.headers_mut(), &says);
    let date = conditional::date(headers, &header::DATE).unwrap_or(received);
    let mut write = |name, time| {
        if let Ok(value) = HeaderValue::try_from(httpdate::fmt_http_date(time)) {
            plain.headers_mut().insert(name, value);
        }
    };
    write(header::DATE, date);
    if let Some(modified) = conditional::date(headers, &header::LAST_MODIFIED) {
        write(header::LAST_MODIFIED, modified);
    }
    if expires {
        // What is no date is in the past.
        write(
            header::EXPIRES,
            conditional::date(headers, &header::EXPIRES).unwrap_or(SystemTime::UNIX_EPOCH),
        );
    }
    plain
}

fn insert(headers: &mut HeaderMap, says: &[String]) {
    if let Ok(value) = HeaderValue::try_from(says.join(", "))
        && !says.is_empty()
    {
        headers.insert(header::CACHE_CONTROL, value);
    }
}

/// How old an answer was when it came (RFC 9111 §4.2.3): what `Age` says, or what `Date` does.
///
/// An `Age` that can't be believed makes the answer stale: no number, or two that a hop before has joined to `0, 0` or left as
/// two lines. Of a value that only goes on after its number, such as `0,7200`, the first counts (RFC 9111 §5.1).
fn age(headers: &HeaderMap, received: SystemTime) -> u64 {
    const UNBELIEVABLE: u64 = 1 << 31;
    let told = {
        let mut lines = headers.get_all(header::AGE).iter();
        match (lines.next(), lines.next()) {
            (None, _) => 0,
            (Some(line), None) => {
                let text = line.to_str().unwrap_or_default().trim();
                let first = match text.split_once(',') {
                    Some((first, rest)) if !rest.starts_with(' ') => first,
                    _ => text,
                };
                let digits = first.bytes().all(|byte| byte.is_ascii_digit());
                first.parse().ok().filter(|_| digits).unwrap_or(UNBELIEVABLE)
            }
            _ => UNBELIEVABLE,
        }
    };
    let apparent = conditional::date(headers, &header::DATE)
        .and_then(|date| received.duration_since(date).ok())
        .map_or(0, |apparent| apparent.as_secs());
    told.max(apparent)
}

#[cfg(test)]
mod tests;
