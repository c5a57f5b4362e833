//! The document and the pages that show it, all from here: no page loads anything from elsewhere (CSP says so too).

use std::{
    future::ready,
    sync::{Arc, OnceLock},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use contract::Problem;
use futures_util::future::Either;
use http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response, Result, Route};
use poem_openapi::OpenApiService;
use tokio::sync::Mutex;

use super::fixed::Fixed;
use crate::services::declared::Bound;

/// Only from this origin; styles also inline (both pages write them), workers also from the page itself (Redoc's search).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

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
    let page = "text/html; charset=utf-8";
    let document =
        Document { bound: Arc::clone(bound), written: ArcSwapOption::empty(), writing: Mutex::default() };
    route
        .at("/api_v1/openapi.json", document)
        .at("/docs", fixed(page, SWAGGER_PAGE))
        .at("/docs/start.js", fixed(SCRIPT, SWAGGER_START))
        .at("/docs/swagger-ui.js", Asset::new(swagger_script))
        .at("/docs/swagger-ui.css", Asset::new(swagger_style))
        .at("/redoc", fixed(page, REDOC_PAGE))
        .at("/redoc/start.js", fixed(SCRIPT, REDOC_START))
        .at("/redoc/redoc.js", Asset::new(redoc_script))
}

/// Where people look first, and nothing else is.
pub(crate) const ROOTS: [&str; 2] = ["/", "/api_v1"];

/// Leads from there to the page. The router could not: what is nested at its root takes `/` as well.
pub(crate) struct Entrance<E> {
    pub(crate) inner: E,
    pub(crate) open: bool,
}

impl<E: Endpoint<Output = Response>> Endpoint for Entrance<E> {
    type Output = Response;

    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        if !self.open || !ROOTS.contains(&request.uri().path()) {
            return Either::Left(self.inner.call(request));
        }
        Either::Right(ready(lead(&request)))
    }
}

fn lead(request: &Request) -> Result<Response> {
    if *request.method() != Method::GET {
        return Err(poem::error::MethodNotAllowedError.into());
    }
    // Not to be kept: the pages may be turned off.
    let answer = Response::builder().status(StatusCode::SEE_OTHER).header(header::CACHE_CONTROL, "no-store");
    Ok(answer.header(header::LOCATION, "/docs").finish())
}

/// One of the files of megabytes that the pages load, made when it is first asked for: most processes never are.
struct Asset {
    make: fn() -> Fixed,
    made: OnceLock<Fixed>,
}

impl Asset {
    fn new(make: fn() -> Fixed) -> Self {
        Self { make, made: OnceLock::new() }
    }
}

impl Endpoint for Asset {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        self.made.get_or_init(self.make).call(request).await
    }
}

fn swagger_script() -> Fixed {
    let page = assets().swagger_ui_html();
    fixed(SCRIPT, between(&page, "<script charset=\"UTF-8\">", "</script>\n</head>"))
}

fn swagger_style() -> Fixed {
    let page = assets().swagger_ui_html();
    fixed("text/css; charset=utf-8", between(&page, "<style charset=\"UTF-8\">", "</style>"))
}

fn redoc_script() -> Fixed {
    let page = assets().redoc_html();
    fixed(SCRIPT, between(&page, "<script charset=\"UTF-8\">", "</script>\n  </head>"))
}

fn assets() -> OpenApiService<(), ()> {
    OpenApiService::new((), "", "")
}

/// The document of what is bound now, written once for each time that it changes.
struct Document {
    bound: Arc<ArcSwap<Bound>>,
    written: ArcSwapOption<(Arc<Bound>, Fixed)>,
    /// Held while it is written: a large one takes seconds, and nobody writes it beside another.
    writing: Mutex<()>,
}

impl Document {
    /// As it was written for what is bound now.
    fn current(&self) -> Option<Arc<(Arc<Bound>, Fixed)>> {
        let bound = self.bound.load();
        self.written.load_full().filter(|written| Arc::ptr_eq(&written.0, &bound))
    }

    async fn written(&self) -> Result<Arc<(Arc<Bound>, Fixed)>> {
        if let Some(written) = self.current() {
            return Ok(written);
        }
        let _writing = self.writing.lock().await;
        if let Some(written) = self.current() {
            return Ok(written);
        }
        let bound = self.bound.load_full();
        let written = tokio::task::spawn_blocking(move || {
            let fixed = fixed("application/json", bound.documents.whole().to_string());
            Arc::new((bound, fixed))
        });
        let written = written.await.map_err(Problem::internal)?;
        self.written.store(Some(Arc::clone(&written)));
        Ok(written)
    }
}

impl Endpoint for Document {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        self.written().await?.1.call(request).await
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
