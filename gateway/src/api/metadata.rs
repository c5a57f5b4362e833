//! What the authorization server offers (RFC 8414): true to what is there, and nothing of the password login, which is no OAuth grant.

use contract::{Scopes, document::TOKEN_PATH};
use poem::{Endpoint, Request, Response, Result};
use serde_json::json;

use super::{fixed::Fixed, oauth::CLIENT_CREDENTIALS};

/// Where it is found.
pub(crate) const PATH: &str = "/.well-known/oauth-authorization-server";

/// Serves the metadata.
pub(crate) struct Metadata(Fixed);

impl Metadata {
    /// Of the issuer of this name, whose operations need these scopes.
    pub(crate) fn new(issuer: &str, scopes: &Scopes, docs: bool) -> Self {
        let scopes: Vec<&str> = scopes.iter().map(contract::Scope::as_str).collect();
        let methods = ["client_secret_basic", "client_secret_post"];
        let mut metadata = json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}{TOKEN_PATH}"),
            "token_endpoint_auth_methods_supported": methods,
            "grant_types_supported": [CLIENT_CREDENTIALS],
            // There is no authorization endpoint; the member must stand all the same.
            "response_types_supported": [],
            "introspection_endpoint": format!("{issuer}/api_v1/auth/introspect"),
            "introspection_endpoint_auth_methods_supported": methods,
            "revocation_endpoint": format!("{issuer}/api_v1/auth/revoke"),
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
            "scopes_supported": scopes,
        });
        if docs {
            metadata["service_documentation"] = format!("{issuer}/docs").into();
        }
        Self(Fixed::new("application/json", "default-src 'none'", metadata.to_string()))
    }
}

impl Endpoint for Metadata {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let mut response = self.0.call(request).await?;
        response.headers_mut().insert(
            http::header::CACHE_CONTROL,
            http::HeaderValue::from_static("public, max-age=300, stale-if-error=86400"),
        );
        Ok(response)
    }
}
