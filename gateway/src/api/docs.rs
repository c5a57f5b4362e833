//! The document and the pages that show it, all from here: no page loads anything from elsewhere (CSP says so too).

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{StatusCode, header};
use poem::{Body, Endpoint, Request, Response, Result, Route};
use poem_openapi::OpenApiService;

/// Only from this origin; styles also inline (both pages write them), workers also from the page itself (Redoc's search).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const SWAGGER_PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Platform API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<noscript>This page needs JavaScript; the document itself is at <a href="/api_v1/openapi.json">/api_v1/openapi.json</a>.</noscript>
<script src="/docs/swagger-ui.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"#;

const SWAGGER_START: &str = r##""use strict";
SwaggerUIBundle({
  dom_id: "#ui",
  url: "/api_v1/openapi.json",
  deepLinking: true,
  queryConfigEnabled: false,
  persistAuthorization: false,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"##;

const REDOC_PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Platform API</title>
<link rel="icon" href="data:,">
<style>body { margin: 0; }</style>
</head>
<body>
<div id="redoc"></div>
<noscript>This page needs JavaScript; the document itself is at <a href="/api_v1/openapi.json">/api_v1/openapi.json</a>.</noscript>
<script src="/redoc/redoc.js"></script>
<script src="/redoc/start.js"></script>
</body>
</html>
"#;

const REDOC_START: &str = r#""use strict";
Redoc.init("/api_v1/openapi.json", { scrollYOffset: 0 }, document.getElementById("redoc"));
"#;

/// Adds the document and the pages to a router.
pub(crate) fn routes(route: Route, document: String) -> Route {
    let assets = OpenApiService::new((), "", "");
    let swagger = assets.swagger_ui_html();
    let redoc = assets.redoc_html();
    let script = "text/javascript; charset=utf-8";
    let page = "text/html; charset=utf-8";
    route
        .at("/api_v1/openapi.json", Fixed::new("application/json", document))
        .at("/docs", Fixed::new(page, SWAGGER_PAGE))
        .at("/docs/start.js", Fixed::new(script, SWAGGER_START))
        .at(
            "/docs/swagger-ui.js",
            Fixed::new(script, between(&swagger, "<script charset=\"UTF-8\">", "</script>\n</head>")),
        )
        .at(
            "/docs/swagger-ui.css",
            Fixed::new("text/css; charset=utf-8", between(&swagger, "<style charset=\"UTF-8\">", "</style>")),
        )
        .at("/redoc", Fixed::new(page, REDOC_PAGE))
        .at("/redoc/start.js", Fixed::new(script, REDOC_START))
        .at(
            "/redoc/redoc.js",
            Fixed::new(script, between(&redoc, "<script charset=\"UTF-8\">", "</script>\n  </head>")),
        )
}

/// The assets that poem-openapi carries are whole pages: the part between two marks.
fn between(page: &str, before: &str, after: &str) -> String {
    let inner = page.split_once(before).map_or("", |(_, rest)| rest);
    inner.split_once(after).map_or("", |(inner, _)| inner).to_owned()
}

/// Bytes that never change while the process lives, with an entity tag made from them.
struct Fixed {
    content_type: &'static str,
    body: Bytes,
    etag: Arc<str>,
}

impl Fixed {
    fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let hash = digest::digest(&digest::SHA256, &body);
        let tag = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]);
        Self { content_type, body, etag: format!("\"{tag}\"").into() }
    }
}

impl Endpoint for Fixed {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if *request.method() != poem::http::Method::GET {
            return Err(poem::error::MethodNotAllowedError.into());
        }
        let known = request.header(header::IF_NONE_MATCH).is_some_and(|tags| {
            tags.split(',').any(|tag| tag.trim() == "*" || tag.trim().trim_start_matches("W/") == &*self.etag)
        });
        let answer = Response::builder()
            .header(header::ETAG, &*self.etag)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::CONTENT_SECURITY_POLICY, POLICY)
            .header(header::REFERRER_POLICY, "no-referrer");
        Ok(if known {
            answer.status(StatusCode::NOT_MODIFIED).finish()
        } else {
            answer.header(header::CONTENT_TYPE, self.content_type).body(Body::from(self.body.clone()))
        })
    }
}
