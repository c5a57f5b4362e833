//! Keys that another server publishes as a JWK set (RFC 7517 §5): fetched when they are needed, kept while it can't be reached.
//!
//! A set older than its time is asked for again by one of those who need it, while the others go on with what there
//! is. A key that is not known is asked for at once, but seldom: a publisher shows a key before it signs with it, so whoever
//! sends unknown ones makes them up. What could be fetched last stays.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use http::{
    HeaderValue, StatusCode,
    header::{ETAG, IF_NONE_MATCH},
};
use jsonwebtoken::jwk::JwkSet;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::token::{Expected, KeySet, TokenFault};

/// At most one fetch in this time for keys that are not known.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);

/// At most one fetch in this time while there are no keys at all.
const EMPTY_PAUSE: Duration = Duration::from_millis(250);

/// The longest a fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(3);

/// Bytes of a set at most: that is some hundred keys.
const LARGEST: usize = 256 * 1024;

/// Keys of one publisher.
pub struct RemoteKeys {
    publisher: String,
    url: String,
    /// Keys that were fetched longer ago are asked for again.
    fresh: Duration,
    /// Which keys of a set are taken.
    taken: fn(&JwkSet) -> KeySet,
    keys: ArcSwap<Fetched>,
    client: reqwest::Client,
    fetching: Mutex<Tries>,
}

/// Why there are no keys.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the keys of {publisher} could not be fetched: {cause}")]
pub struct KeysFault {
    publisher: String,
    cause: String,
}

/// The keys as they were fetched last.
#[derive(Default)]
struct Fetched {
    set: KeySet,
    etag: Option<HeaderValue>,
    at: Option<Instant>,
}

/// When a fetch was last begun.
#[derive(Default)]
struct Tries {
    /// To have the keys anew.
    anew: Option<Instant>,
    /// To have keys at all.
    first: Option<Instant>,
    /// For a key that was not known.
    unknown: Option<Instant>,
}

impl RemoteKeys {
    /// The keys at `url`, as `taken` picks them. Nothing is fetched before the first look-up; no proxy of the environment is
    /// used and no redirect followed.
    ///
    /// # Errors
    /// The HTTP client can't be built.
    pub fn new(
        publisher: &str,
        url: String,
        fresh: Duration,
        taken: fn(&JwkSet) -> KeySet,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(FETCH_TIME)
            .build()?;
        Ok(Self {
            publisher: publisher.to_owned(),
            url,
            fresh,
            taken,
            keys: ArcSwap::from_pointee(Fetched::default()),
            client,
            fetching: Mutex::default(),
        })
    }

    /// Checks a token with the keys as they are known now.
    ///
    /// # Errors
    /// As [`KeySet::verify`].
    pub fn verify<C: DeserializeOwned>(&self, token: &str, expected: &Expected) -> Result<C, TokenFault> {
        self.keys.load().set.verify(token, expected)
    }

    /// Whether this key is known now.
    #[must_use]
    pub fn knows(&self, kid: &str) -> bool {
        self.keys.load().set.knows(kid)
    }

    /// Sees to it that the keys are fresh, or that a key that is not known was asked for.
    ///
    /// # Errors
    /// There are no keys at all, and none can be fetched.
    pub async fn look_up(&self, kid: &str) -> Result<(), KeysFault> {
        let known = {
            let keys = self.keys.load();
            let fresh = keys.at.is_some_and(|at| at.elapsed() < self.fresh);
            keys.set.knows(kid).then_some(fresh)
        };
        match known {
            Some(true) => {}
            Some(false) => self.fetch_anew().await,
            None => self.fetch_unknown(kid).await?,
        }
        Ok(())
    }

    /// Only one request waits for this; the others go on with what there is, and so do all where it fails.
    async fn fetch_anew(&self) {
        let Ok(mut tries) = self.fetching.try_lock() else { return };
        if tries.anew.is_some_and(|at| at.elapsed() < self.fresh) {
            return;
        }
        tries.anew = Some(Instant::now());
        self.fetch().await.unwrap_or_else(|error| warn_of(&error));
    }

    async fn fetch_unknown(&self, kid: &str) -> Result<(), KeysFault> {
        let Ok(mut tries) = tokio::time::timeout(FETCH_TIME, self.fetching.lock()).await else {
            return Err(self.fault("another fetch is still going on"));
        };
        let (known, empty) = {
            // Whoever held the lock may have fetched it.
            let keys = self.keys.load();
            (keys.set.knows(kid), keys.set.is_empty())
        };
        if known {
            return Ok(());
        }
        if empty {
            if tries.first.is_some_and(|at| at.elapsed() < EMPTY_PAUSE) {
                return Err(self.fault("that failed a moment ago"));
            }
            tries.first = Some(Instant::now());
            return self.fetch().await;
        }
        if tries.unknown.is_none_or(|at| at.elapsed() >= UNKNOWN_PAUSE) {
            tries.unknown = Some(Instant::now());
            self.fetch().await.unwrap_or_else(|error| warn_of(&error));
        }
        Ok(())
    }

    async fn fetch(&self) -> Result<(), KeysFault> {
        let before = self.keys.load_full();
        let mut request = self.client.get(&self.url);
        if let Some(etag) = &before.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let answer = answer.map_err(|error| self.fault(error))?;
        let at = Some(Instant::now());
        if answer.status() == StatusCode::NOT_MODIFIED {
            let (set, etag) = (before.set.clone(), before.etag.clone());
            self.keys.store(Arc::new(Fetched { set, etag, at }));
            return Ok(());
        }
        let etag = answer.headers().get(ETAG).cloned();
        let text = self.bounded(answer).await?;
        let published: JwkSet = serde_json::from_slice(&text).map_err(|error| self.fault(error))?;
        let set = (self.taken)(&published);
        if set.is_empty() {
            return Err(self.fault("the set holds no key that is taken"));
        }
        self.keys.store(Arc::new(Fetched { set, etag, at }));
        Ok(())
    }

    async fn bounded(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, KeysFault> {
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.fault(error))? {
            if text.len() + chunk.len() > LARGEST {
                return Err(self.fault(format_args!("the set is larger than {LARGEST} bytes")));
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }

    fn fault(&self, cause: impl std::fmt::Display) -> KeysFault {
        KeysFault { publisher: self.publisher.clone(), cause: cause.to_string() }
    }
}

fn warn_of(error: &KeysFault) {
    tracing::warn!(%error, "the last keys stay");
}
