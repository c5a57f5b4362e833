//! The public halves of the signing keys, as JWK sets (RFC 7517 §5), and the look-up of a key that is not known yet.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures_util::future::Either;
use http::{StatusCode, header};
use kit::token::bearer;
use poem::{Endpoint, Request, Response, Result};

use super::entity_tag;
use crate::identity::{
    external::Issuers,
    keyring::Keyring,
    keys::{Keys, Purpose},
};

/// The longest a JWK set may be kept elsewhere.
const LONGEST_AGE: Duration = Duration::from_mins(5);

/// Serves the keys of one purpose.
pub(crate) struct JwkSetEndpoint {
    keys: Arc<ArcSwap<Keys>>,
    cache_control: String,
}

impl JwkSetEndpoint {
    /// Whoever keeps the set for its `max-age` has each key before it signs: that is less than a key is published before.
    pub(crate) fn new(keyring: &Keyring, purpose: Purpose) -> Self {
        let age = (keyring.publish_time() * 4 / 5).min(LONGEST_AGE).as_secs();
        Self {
            keys: Arc::clone(keyring.keys(purpose)),
            cache_control: format!("public, max-age={age}, stale-if-error=86400"),
        }
    }
}

impl Endpoint for JwkSetEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let keys = self.keys.load();
        let etag = entity_tag::of(keys.published.as_bytes());
        let known = entity_tag::is_known(&request, &etag);
        let answer =
            Response::builder().header(header::ETAG, etag).header(header::CACHE_CONTROL, &self.cache_control);
        Ok(if known {
            answer.status(StatusCode::NOT_MODIFIED).finish()
        } else {
            answer.content_type("application/jwk-set+json").body(keys.published.clone())
        })
    }
}

/// Looks the key of a request's token up where it is not known, before anything inside can refuse the token for it.
pub(crate) struct LookUpKeys<E> {
    pub(crate) inner: E,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) issuers: Arc<Issuers>,
}

impl<E: Endpoint> Endpoint for LookUpKeys<E> {
    type Output = E::Output;

    fn call(&self, request: Request) -> impl Future<Output = Result<Self::Output>> + Send {
        // What is wrong with the header itself is told where the token is asked for.
        match bearer(request.headers()) {
            Ok(Some(token)) if !self.keyring.knows_the_key_of(token) || self.issuers.have(token) => {
                // Boxed: few requests take this way, and every other would carry the room for it.
                Either::Right(Box::pin(self.after_a_look(request)))
            }
            _ => Either::Left(self.inner.call(request)),
        }
    }
}

impl<E: Endpoint> LookUpKeys<E> {
    async fn after_a_look(&self, request: Request) -> Result<E::Output> {
        if let Ok(Some(token)) = bearer(request.headers()) {
            self.keyring.look_up_key_of(token).await;
            self.issuers.look_up_key_of(token).await;
        }
        self.inner.call(request).await
    }
}
