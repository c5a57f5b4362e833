//! A bare HTTP door to one origin through the cache, for the public suite (`scripts/verify cache`).

use std::{env, io, sync::Arc};

use bytes::Bytes;
use contract::{Problem, ProblemKind};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpListener;

use super::{Cache, CacheBody, Kept, give};
use crate::policy::cache::{key::Identity, stored::without_hop_by_hop};

#[derive(Clone)]
struct Door {
    cache: Arc<Cache>,
    client: Client<HttpConnector, Full<Bytes>>,
    origin: String,
}

impl Door {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<CacheBody>, io::Error> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        without_hop_by_hop(&mut head.headers);
        head.headers.remove(header::CONTENT_LENGTH);
        let fetch = move |mut head: http::request::Parts| {
            let (client, origin, body) = (self.client.clone(), self.origin.clone(), body.clone());
            async move {
                let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
                head.uri = format!("http://{origin}{target}").parse::<Uri>().map_err(Problem::internal)?;
                head.version = http::Version::HTTP_11;
                if let Ok(host) = HeaderValue::try_from(&origin) {
                    head.headers.insert(header::HOST, host);
                }
                let unreachable = |error| {
                    Problem::new(ProblemKind::BadUpstream, "The origin did not answer").because(error)
                };
                let answer =
                    client.request(Request::from_parts(head, Full::new(body))).await.map_err(unreachable)?;
                let mut answer = answer.map(|body| body.map_err(io::Error::other).boxed());
                without_hop_by_hop(answer.headers_mut());
                Ok(answer)
            }
        };
        let answered = self.cache.answer("door", Identity::Nobody, head, fetch).await;
        Ok(answered.unwrap_or_else(|problem| {
            let told = problem.cause.unwrap_or_default().into();
            give::with(problem.kind.status(), http::HeaderMap::new(), give::whole(told))
        }))
    }
}

/// Serves until the process is ended. `CACHE_DOOR` is where, `CACHE_ORIGIN` is of whom; `host:port` both.
#[tokio::test]
#[ignore = "a server for scripts/verify cache, not a test"]
async fn serves_an_origin_through_the_cache() {
    let door = Door {
        cache: Arc::new(Cache::new(Kept::Memory { bytes: 64 << 20 }, 1 << 20)),
        client: Client::builder(TokioExecutor::new()).build_http(),
        origin: env::var("CACHE_ORIGIN").unwrap(),
    };
    let listener = TcpListener::bind(env::var("CACHE_DOOR").unwrap()).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let door = door.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| door.clone().answer(request));
            let _client_gone = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
