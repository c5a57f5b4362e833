//! The public halves of the signing keys, as JWK sets (RFC 7517 §5).

use std::sync::Arc;

use arc_swap::ArcSwap;
use poem::{Endpoint, Request, Response, Result};

use crate::identity::keys::Keys;

/// Serves the keys of one purpose.
pub(crate) struct JwkSetEndpoint {
    pub(crate) keys: Arc<ArcSwap<Keys>>,
}

impl Endpoint for JwkSetEndpoint {
    type Output = Response;

    async fn call(&self, _request: Request) -> Result<Response> {
        Ok(Response::builder()
            .content_type("application/jwk-set+json")
            .header("cache-control", "public, max-age=300, stale-if-error=86400")
            .body(self.keys.load().published.to_string()))
    }
}
