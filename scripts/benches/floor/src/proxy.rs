//! The least a proxy on hyper 1 can do: takes a request, passes its bytes on over pooled connections, passes the answer back.
//!
//! `proxy LISTEN UPSTREAM [--token SECRET] [--model] [--cache]`, on two worker threads: with a token, an HS256 signature is checked on
//! each request; with the model, an answer is read whole and must be a user; with the cache, the answer of a path is asked for once
//! and kept for ever.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, HeaderValue};
use hyper::http::response::Parts;
use hyper::http::uri::{Authority, Scheme};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Body = BoxBody<Bytes, hyper::Error>;

struct Proxy {
    upstream: Authority,
    client: Client<HttpConnector, Incoming>,
    token: Option<(DecodingKey, Validation)>,
    has_model: bool,
    cache: Option<RwLock<HashMap<String, (Parts, Bytes)>>>,
}

/// The stub's answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read to see that it can be")]
struct User {
    id: i64,
    email: String,
    is_active: bool,
    email_verified: bool,
    first_name: Option<String>,
    last_name: Option<String>,
    roles: Vec<String>,
    created_at: String,
    updated_at: String,
    must_change_password: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (Some(Ok(listen)), Some(Ok(upstream))) = (
        words.first().map(|word| word.parse::<SocketAddr>()),
        words.get(1).map(|word| word.parse::<Authority>()),
    ) else {
        eprintln!("usage: proxy LISTEN UPSTREAM [--token SECRET] [--model] [--cache]");
        return ExitCode::from(2);
    };
    let secret = words.iter().position(|word| word == "--token").and_then(|at| words.get(at + 1));
    let is_set = |option: &str| words.iter().any(|word| word == option);
    let proxy = Proxy {
        has_model: is_set("--model"),
        cache: is_set("--cache").then(RwLock::default),
        ..Proxy::new(upstream, secret)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve(listen, proxy)));
    if let Err(error) = served {
        eprintln!("{listen}: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn serve(listen: SocketAddr, proxy: Proxy) -> std::io::Result<()> {
    let proxy = Arc::new(proxy);
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let proxy = Arc::clone(&proxy);
                async move { Ok::<_, hyper::Error>(proxy.answer(request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away is no fault of ours.
            let _ = connection.await;
        });
    }
}

impl Proxy {
    fn new(upstream: Authority, secret: Option<&String>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_aud = false;
        Self {
            upstream,
            client: Client::builder(TokioExecutor::new()).build(connector),
            token: secret.map(|secret| (DecodingKey::from_secret(secret.as_bytes()), validation)),
            has_model: false,
            cache: None,
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        if !self.may_pass(&request) {
            return empty(StatusCode::UNAUTHORIZED);
        }
        let Some(cache) = &self.cache else { return self.pass(request).await };
        let path = request.uri().path();
        let kept = cache.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some((head, body)) = kept {
            return Response::from_parts(head, full(body));
        }
        let path = path.to_owned();
        let (mut head, body) = self.pass(request).await.into_parts();
        // It is of one connection, and the first client may have been one that closes its own.
        head.headers.remove(CONNECTION);
        let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
            return empty(StatusCode::BAD_GATEWAY);
        };
        cache.write().unwrap_or_else(PoisonError::into_inner).insert(path, (head.clone(), body.clone()));
        Response::from_parts(head, full(body))
    }

    async fn pass(&self, mut request: Request<Incoming>) -> Response<Body> {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.upstream.clone());
        let Ok(uri) = Uri::from_parts(parts) else {
            return empty(StatusCode::BAD_REQUEST);
        };
        *request.uri_mut() = uri;
        if let Ok(host) = HeaderValue::from_str(self.upstream.as_str()) {
            request.headers_mut().insert(HOST, host);
        }
        let Ok(answer) = self.client.request(request).await else {
            return empty(StatusCode::BAD_GATEWAY);
        };
        if !self.has_model {
            return answer.map(BodyExt::boxed);
        }
        let (head, body) = answer.into_parts();
        match body.collect().await.map(|body| body.to_bytes()) {
            Ok(body) if serde_json::from_slice::<User>(&body).is_ok() => {
                Response::from_parts(head, full(body))
            }
            _ => empty(StatusCode::BAD_GATEWAY),
        }
    }

    fn may_pass(&self, request: &Request<Incoming>) -> bool {
        let Some((key, validation)) = &self.token else {
            return true;
        };
        let field = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        field
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|token| jsonwebtoken::decode::<serde_json::Value>(token, key, validation).is_ok())
    }
}

fn full(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed()
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer
}
