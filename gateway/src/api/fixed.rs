//! An answer that never changes while the process lives.

use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, header};
use poem::{Body, Endpoint, Request, Response, Result};

use super::entity_tag;

/// Bytes that never change while the process lives, with an entity tag made from them.
pub(crate) struct Fixed {
    content_type: &'static str,
    policy: &'static str,
    body: Bytes,
    etag: Arc<str>,
}

impl Fixed {
    /// With this `Content-Security-Policy`.
    pub(crate) fn new(content_type: &'static str, policy: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let etag = entity_tag::of(&body).into();
        Self { content_type, policy, body, etag }
    }
}

impl Endpoint for Fixed {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if *request.method() != poem::http::Method::GET {
            return Err(poem::error::MethodNotAllowedError.into());
        }
        let known = entity_tag::is_known(&request, &self.etag);
        let answer = Response::builder()
            .header(header::ETAG, &*self.etag)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::CONTENT_SECURITY_POLICY, self.policy)
            .header(header::REFERRER_POLICY, "no-referrer")
            // Pages of other origins that open one of these get no hold of it.
            .header("cross-origin-opener-policy", "same-origin");
        Ok(if known {
            answer.status(StatusCode::NOT_MODIFIED).finish()
        } else {
            answer.header(header::CONTENT_TYPE, self.content_type).body(Body::from(self.body.clone()))
        })
    }
}
