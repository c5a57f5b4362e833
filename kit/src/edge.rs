//! The outermost layer of every listener: names the request, refuses what can't be read in one way only, and turns
//! whatever goes wrong inside, panics included, into a problem answer and one line in the log.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use contract::{Problem, ProblemKind, path};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use poem::{Body, Endpoint, IntoResponse, Request, Response, Result};
use prometheus_client::metrics::gauge::Gauge;

use crate::{
    body,
    client_address::TrustedProxies,
    cors::Origins,
    metrics, operation_name, problem,
    request_id::{self, RequestId},
    routes::Routes,
    server::{HeadTooLarge, TwoFramings},
    spans::{self, Ended, Side},
    trace::{self, Trace},
};

/// The request was HEAD before it was made a GET.
#[derive(Debug, Clone, Copy)]
pub struct AskedForHead;

/// The status of a request whose client went away, in the log and the metrics; nobody is answered with it.
const CLIENT_GONE: u16 = 499;

/// Marks an answer that nobody is left to read: the client broke its request off.
#[derive(Debug, Clone, Copy)]
struct ClientGone;

/// Whose request ids are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The public door: every request gets a new id.
    Nobody,
    /// A service behind the gateway goes on with the gateway's.
    Peer,
}

/// The outermost layer around `inner`.
pub struct Edge<E> {
    inner: E,
    service: &'static str,
    routes: Arc<Routes>,
    trust: Trust,
    origins: Origins,
    elsewhere: Option<Arc<Elsewhere>>,
    encoded_slashes: Option<Arc<EncodedSlashes>>,
    proxies: TrustedProxies,
    in_flight: Gauge,
}

/// Tells the methods of a path, as `Allow` lists them, that stand in no list known at the start.
pub type Elsewhere = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Tells whether a path is one whose parameters may hold `%2F`, and holds it there alone.
pub type EncodedSlashes = dyn Fn(&str) -> bool + Send + Sync;

impl<E> Edge<E> {
    /// Around `inner`, whose paths and methods are `routes`; `service` names the listener in the log.
    pub fn new(inner: E, service: &'static str, routes: Arc<Routes>, trust: Trust) -> Self {
        Self {
            inner,
            service,
            routes,
            trust,
            origins: Origins::default(),
            elsewhere: None,
            encoded_slashes: None,
            proxies: TrustedProxies::default(),
            in_flight: metrics::in_flight(service),
        }
    }

    /// With paths that come and go.
    #[must_use]
    pub fn asking(self, elsewhere: Arc<Elsewhere>) -> Self {
        Self { elsewhere: Some(elsewhere), ..self }
    }

    /// With paths whose parameters may hold `%2F`.
    #[must_use]
    pub fn with_encoded_slashes(self, ask: Arc<EncodedSlashes>) -> Self {
        Self { encoded_slashes: Some(ask), ..self }
    }

    /// Lets pages of these origins call.
    #[must_use]
    pub fn shared_with(self, origins: Origins) -> Self {
        Self { origins, ..self }
    }

    /// Goes on with the traces that these peers tell of.
    #[must_use]
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    /// The trace of a request: a believed caller's, else one that begins here. A proxy that is not believed is counted.
    fn trace(&self, request: &Request) -> Trace {
        let peer = || request.remote_addr().as_socket_addr().map(std::net::SocketAddr::ip);
        let believed = self.trust == Trust::Peer || peer().is_some_and(|peer| self.proxies.trusts(peer));
        if !believed && request.headers().contains_key("x-forwarded-for") {
            metrics::unbelieved_proxy(self.service);
        }
        let told = believed.then(|| Trace::accept(request.headers())).flatten();
        told.unwrap_or_else(|| Trace::begin(spans::are_exported()))
    }
}

impl<E: Endpoint> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let request_id = match self.trust {
            Trust::Nobody => RequestId::fresh(),
            Trust::Peer => RequestId::sent_or_fresh(request.headers()),
        };
        let mut line = AccessLine::begin(self, &request, request_id.clone());
        let instance = request.uri().path().to_owned();
        let sharing = self.origins.judge(&request);
        let head = *request.method() == Method::HEAD;
        let mut response = match self.admit(&mut request) {
            Err(refused) => self.refuse(&refused, &instance, &request_id),
            Ok(Some(response)) => response,
            Ok(None) => {
                request.extensions_mut().insert(request_id.clone());
                trace::within(line.trace.clone(), self.answer(request, &instance, &request_id)).await
            }
        };
        response.headers_mut().insert(request_id::HEADER, request_id.header_value());
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        sharing.mark(&mut response);
        if head {
            response = without_body(response);
        }
        line.finish(&response);
        Ok(response)
    }
}

impl<E: Endpoint> Edge<E> {
    /// Refuses what must not go on; answers OPTIONS; makes HEAD a GET and drops one trailing slash.
    fn admit(&self, request: &mut Request) -> Result<Option<Response>, Problem> {
        check_framing(request)?;
        let malformed =
            |fault: path::BadPath| Problem::new(ProblemKind::MalformedRequest, format!("The path {fault}"));
        self.check_path(request.uri().path()).map_err(malformed)?;
        let shorter = without_trailing_slash(request.uri());
        if *request.method() == Method::OPTIONS {
            let asked = request.uri().path();
            return self.options(asked, shorter.as_ref().map_or(asked, Uri::path)).map(Some);
        }
        if let Some(uri) = shorter {
            *request.uri_mut() = uri;
        }
        if *request.method() == Method::HEAD {
            request.set_method(Method::GET);
            request.extensions_mut().insert(AskedForHead);
        }
        Ok(None)
    }

    fn check_path(&self, path: &str) -> Result<(), path::BadPath> {
        match path::check(path) {
            Err(path::BadPath::EncodedSlash)
                if self.encoded_slashes.as_ref().is_some_and(|ask| ask(path)) =>
            {
                path::check_with_encoded_slashes(path)
            }
            checked => checked,
        }
    }

    fn options(&self, path: &str, shorter: &str) -> Result<Response, Problem> {
        let allow = self
            .routes
            .allow(shorter)
            .or_else(|| self.elsewhere.as_ref()?(path))
            .ok_or_else(|| Problem::new(ProblemKind::NotFound, "Not Found"))?;
        Ok(Response::builder().status(http::StatusCode::NO_CONTENT).header(header::ALLOW, allow).finish())
    }

    async fn answer(&self, request: Request, instance: &str, request_id: &RequestId) -> Response {
        let path = request.uri().path().to_owned();
        // A layer may do its part before its future is polled: that can panic as well.
        let way = async move { self.inner.call(request).await };
        // Boxed: a connection keeps the room for a request's way between requests, too.
        let outcome = AssertUnwindSafe(Box::pin(way)).catch_unwind().await;
        let (mut fault, replaced) = match outcome {
            Ok(Ok(output)) => {
                let response = output.into_response();
                match problem::of_response(&response) {
                    None => return response,
                    Some(mut fault) => {
                        // Headers that a layer inside has set for this answer go out with it.
                        fault.headers.extend(kept(response.headers(), &fault));
                        (fault, Some(response))
                    }
                }
            }
            Ok(Err(error)) => {
                let mut named = Response::default();
                operation_name::carry_over_refused(&error, &mut named);
                (problem::of_error(error), Some(named))
            }
            Err(panic) => (Problem::internal(panic_text(panic.as_ref())), None),
        };
        if fault.kind == ProblemKind::MethodNotAllowed
            && !fault.headers.iter().any(|(name, _)| name == header::ALLOW)
            && let Some(allow) = self.routes.allow(&path).and_then(|allow| HeaderValue::try_from(allow).ok())
        {
            fault = fault.header(header::ALLOW, allow);
        }
        let mut response = self.refuse(&fault, instance, request_id);
        if let Some(replaced) = replaced {
            operation_name::carry_over(&replaced, &mut response);
        }
        response
    }

    fn refuse(&self, fault: &Problem, instance: &str, request_id: &RequestId) -> Response {
        if let Some(cause) = &fault.cause {
            let status = fault.kind.status().as_u16();
            if status >= 500 {
                tracing::error!(
                    service = self.service,
                    request_id = request_id.as_str(),
                    trace_id = trace::current().map(|trace| trace.trace_id()),
                    status,
                    cause,
                    "a request failed"
                );
            } else {
                tracing::debug!(
                    service = self.service,
                    request_id = request_id.as_str(),
                    status,
                    cause,
                    "a request was refused"
                );
            }
        }
        let mut response = problem::answer(fault, instance, request_id);
        if fault.kind == ProblemKind::BodyTooLarge || fault.kind == ProblemKind::RequestTimeout {
            // The rest of the body is not read.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if body::is_broken_off(fault) {
            response.extensions_mut().insert(ClientGone);
        }
        response
    }
}

/// A length and chunks at once, or more than one host: two readers could frame or route it differently (RFC 9112 §6.3, §3.2).
fn check_framing(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let malformed = |detail: &'static str| {
        Err(Problem::new(ProblemKind::MalformedRequest, detail)
            .header(header::CONNECTION, HeaderValue::from_static("close")))
    };
    if request.extensions().get::<HeadTooLarge>().is_some() {
        return Err(Problem::new(ProblemKind::HeadTooLarge, "The request's head is too large")
            .header(header::CONNECTION, HeaderValue::from_static("close")));
    }
    if request.extensions().get::<TwoFramings>().is_some() {
        return malformed(
            "The head can be read in two ways: both Content-Length and Transfer-Encoding, or a line that ends without CR",
        );
    }
    if headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return malformed("Content-Length stands twice");
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1
        || (hosts == 0 && request.version() >= http::Version::HTTP_11 && request.uri().authority().is_none())
    {
        return malformed("Exactly one Host is needed");
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if hosts == 1 && !host.is_some_and(is_host) {
        return malformed("Host is no host name with an optional port");
    }
    if request.uri().authority().is_some_and(|authority| !is_host(authority.as_str())) {
        return malformed("The target's host is no host name with an optional port");
    }
    // Each is somebody's idea of whom the request is for (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    if target.zip(host).is_some_and(|(target, host)| !target.eq_ignore_ascii_case(host)) {
        return malformed("The target's host and Host differ");
    }
    if headers.get_all(header::TRANSFER_ENCODING).iter().count() > 1 {
        return malformed("Transfer-Encoding stands twice");
    }
    let coding = headers.get(header::TRANSFER_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(Problem::new(
            ProblemKind::NotImplemented,
            "The only transfer coding understood is chunked",
        )
        .header(header::CONNECTION, HeaderValue::from_static("close")));
    }
    if request.version() == http::Version::HTTP_10 && headers.contains_key(header::TRANSFER_ENCODING) {
        return malformed("HTTP/1.0 has no Transfer-Encoding");
    }
    Ok(())
}

/// A host name or address with an optional port, and nothing of a user's (RFC 9110 §4.2.3, §7.2).
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<http::uri::Authority>() else { return false };
    let port_fits = match authority.as_str().rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port.is_empty() || authority.port_u16().is_some(),
        _ => true,
    };
    !text.contains('@') && !authority.host().is_empty() && port_fits
}

fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let shorter = path.strip_suffix('/').filter(|shorter| !shorter.is_empty())?;
    let target = match uri.query() {
        Some(query) => format!("{shorter}?{query}"),
        None => shorter.to_owned(),
    };
    target.parse().ok()
}

/// Keeps what describes the answer and drops its body (RFC 9110 §9.3.2).
fn without_body(mut response: Response) -> Response {
    use hyper::body::Body as _;
    let body: http_body_util::combinators::BoxBody<bytes::Bytes, std::io::Error> =
        response.take_body().into();
    if let Some(length) = body.size_hint().exact()
        && !response.headers().contains_key(header::CONTENT_LENGTH)
        && response.status() != http::StatusCode::NO_CONTENT
        && response.status() != http::StatusCode::NOT_MODIFIED
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response.set_body(Body::empty());
    response
}

fn kept(headers: &HeaderMap, fault: &Problem) -> Vec<(http::HeaderName, HeaderValue)> {
    headers
        .iter()
        .filter(|(name, _)| ![header::CONTENT_TYPE, header::CONTENT_LENGTH, header::ALLOW].contains(name))
        .filter(|(name, _)| !fault.headers.iter().any(|(own, _)| own == *name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("(no text)"))
}

/// The one line in the log for a request, written also when the client goes away first (status 499).
struct AccessLine<'e> {
    service: &'static str,
    in_flight: &'e Gauge,
    request_id: RequestId,
    trace: Trace,
    method: Method,
    peer: String,
    /// The gateway looks at the contract of each instance every few seconds.
    is_look: bool,
    started: Instant,
    done: bool,
}

impl<'e> AccessLine<'e> {
    fn begin<E>(edge: &'e Edge<E>, request: &Request, request_id: RequestId) -> Self {
        edge.in_flight.inc();
        let peer = if tracing::enabled!(target: "access", tracing::Level::INFO) {
            request.remote_addr().to_string()
        } else {
            String::new()
        };
        Self {
            service: edge.service,
            in_flight: &edge.in_flight,
            request_id,
            trace: edge.trace(request),
            method: request.method().clone(),
            peer,
            is_look: request.uri().path() == contract::handshake::PATH,
            started: Instant::now(),
            done: false,
        }
    }

    fn finish(&mut self, response: &Response) {
        self.done = true;
        let is_gone = response.extensions().get::<ClientGone>().is_some();
        let status = if is_gone { CLIENT_GONE } else { response.status().as_u16() };
        self.write(status, operation_name::of(response));
    }

    fn write(&self, status: u16, operation: &str) {
        let duration = self.started.elapsed();
        self.in_flight.dec();
        metrics::answered(self.service, operation, status, duration);
        self.export(status, operation, duration);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "access",
                    service = self.service,
                    request_id = self.request_id.as_str(),
                    trace_id = self.trace.trace_id(),
                    method = self.method.as_str(),
                    operation,
                    status,
                    duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
                    peer = self.peer,
                )
            };
        }
        if self.is_look && status < 400 { line!(debug) } else { line!(info) }
    }

    fn export(&self, status: u16, operation: &str, duration: Duration) {
        if !spans::are_exported() {
            return;
        }
        spans::record(Ended {
            trace: &self.trace,
            service: self.service,
            side: Side::Server,
            name: if operation == "-" { self.method.to_string() } else { operation.to_owned() },
            duration,
            status: Some(status),
            attributes: vec![
                ("http.request.method", self.method.to_string()),
                ("platform.request_id", self.request_id.as_str().to_owned()),
            ],
        });
    }
}

impl Drop for AccessLine<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.write(CLIENT_GONE, "-");
        }
    }
}
