//! The document and the pages that show it, all from here: no page loads anything from elsewhere (CSP says so too).

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use poem::{Endpoint, Request, Response, Result, Route};
use poem_openapi::OpenApiService;

use super::fixed::Fixed;
use crate::services::declared::Bound;

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
pub(crate) fn routes(route: Route, bound: &Arc<ArcSwap<Bound>>) -> Route {
    let assets = OpenApiService::new((), "", "");
    let swagger = assets.swagger_ui_html();
    let redoc = assets.redoc_html();
    let script = "text/javascript; charset=utf-8";
    let page = "text/html; charset=utf-8";
    route
        .at("/api_v1/openapi.json", Document { bound: Arc::clone(bound), written: ArcSwapOption::empty() })
        .at("/docs", fixed(page, SWAGGER_PAGE))
        .at("/docs/start.js", fixed(script, SWAGGER_START))
        .at(
            "/docs/swagger-ui.js",
            fixed(script, between(&swagger, "<script charset=\"UTF-8\">", "</script>\n</head>")),
        )
        .at(
            "/docs/swagger-ui.css",
            fixed("text/css; charset=utf-8", between(&swagger, "<style charset=\"UTF-8\">", "</style>")),
        )
        .at("/redoc", fixed(page, REDOC_PAGE))
        .at("/redoc/start.js", fixed(script, REDOC_START))
        .at(
            "/redoc/redoc.js",
            fixed(script, between(&redoc, "<script charset=\"UTF-8\">", "</script>\n  </head>")),
        )
}

/// The document of what is bound now, written once for each time that it changes.
struct Document {
    bound: Arc<ArcSwap<Bound>>,
    written: ArcSwapOption<(Arc<Bound>, Fixed)>,
}

impl Endpoint for Document {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let bound = self.bound.load_full();
        let written = match self.written.load_full() {
            Some(written) if Arc::ptr_eq(&written.0, &bound) => written,
            _ => {
                let fixed = fixed("application/json", bound.document.to_string());
                let written = Arc::new((bound, fixed));
                self.written.store(Some(Arc::clone(&written)));
                written
            }
        };
        written.1.call(request).await
    }
}

fn fixed(content_type: &'static str, body: impl Into<Bytes>) -> Fixed {
    Fixed::new(content_type, POLICY, body)
}

/// The assets that poem-openapi carries are whole pages: the part between two marks.
fn between(page: &str, before: &str, after: &str) -> String {
    let inner = page.split_once(before).map_or("", |(_, rest)| rest);
    inner.split_once(after).map_or("", |(inner, _)| inner).to_owned()
}
