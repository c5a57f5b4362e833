//! The layer that compresses answers for clients that take it: texts of a kilobyte or more, of the gateway's own and of services.
//!
//! BREACH needs a secret in a compressed answer, and a page of the attacker's that has the victim's browser ask for it with words
//! of the attacker's choice. What gives out a secret here is no GET, and of the gateway's own only GETs are compressed; nothing
//! is that goes with a cookie, the one credential that a browser adds for other pages by itself.

use std::{
    io,
    sync::{Arc, LazyLock},
};

use async_compression::{
    Level,
    brotli::EncoderParams,
    tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder},
    zstd::CParameter,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyDataStream, combinators::BoxBody};
use hyper::body::Body as _;
use kit::{edge::AskedForHead, problem::AsIs};
use poem::{Body, Endpoint, Request, Response, Result};
use tokio::{
    io::AsyncRead,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::policy::compression::{
    coding::Coding,
    is_fit,
    tags::{self, KnownTags},
};

/// Answers that are compressed at once at most: each needs memory as long as its client reads. Further ones go as they are.
const AT_ONCE: usize = 256;

/// Bytes that leave an encoder at once.
const CHUNK: usize = 16 * 1024;

/// Quality against time, as is usual for answers that are made anew each time.
const GZIP: Level = Level::Precise(5);
const BROTLI: i32 = 4;
const ZSTD: Level = Level::Precise(3);

/// Two to this many bytes are looked back: more would cost memory for little.
const WINDOW: u32 = 18;

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_ONCE)));

/// Says of an answer whether it may be compressed; without it, an answer to a GET may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MayCompress(pub(crate) bool);

/// Around everything that answers.
pub(crate) struct Compressed<E> {
    pub(crate) inner: E,
}

impl<E: Endpoint<Output = Response>> Endpoint for Compressed<E> {
    type Output = Response;

    fn call(&self, mut request: Request) -> impl Future<Output = Result<Response>> + Send {
        let asked = Asked {
            coding: Coding::wanted(request.headers()),
            is_get: *request.method() == Method::GET,
            is_head: request.extensions().get::<AskedForHead>().is_some(),
            has_cookie: request.headers().contains_key(header::COOKIE),
            known: tags::restore(request.headers_mut()),
        };
        let answered = self.inner.call(request);
        async move { Ok(asked.answer(answered.await?)) }
    }
}

/// What matters of a request.
struct Asked {
    coding: Option<Coding>,
    is_get: bool,
    is_head: bool,
    has_cookie: bool,
    known: Option<KnownTags>,
}

impl Asked {
    fn answer(&self, mut response: Response) -> Response {
        let may = response.extensions().get::<MayCompress>().map_or(self.is_get, |MayCompress(may)| *may);
        let may = may && !self.has_cookie;
        let status = response.status();
        let knows_weak = self.known.as_ref().is_some_and(|known| known.has_weak(response.headers()));
        // A service that compares texts has not seen that the client has it.
        if knows_weak && self.is_get && (status == StatusCode::OK || status == StatusCode::NOT_MODIFIED) {
            return not_modified(response, may);
        }
        if status == StatusCode::NOT_MODIFIED && may {
            vary(&mut response);
        }
        // An error without a body of its own gets one further out.
        let is_own = status.is_success() || response.extensions().get::<AsIs>().is_some();
        let body: BoxBody<Bytes, io::Error> = response.take_body().into();
        let announced = response.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        // The body of an answer to HEAD says nothing of its length.
        let length =
            announced.or_else(|| body.size_hint().exact().filter(|length| !self.is_head || *length > 0));
        if !may || !is_own || !is_fit(status, response.headers(), length) {
            if self.is_head && length.is_none() {
                response.set_body(of_unknown_length());
            } else {
                response.set_body(body);
            }
            return response;
        }
        vary(&mut response);
        let place = self.coding.and_then(|coding| {
            let place = Arc::clone(&PLACES).try_acquire_owned().ok()?;
            Some((coding, place))
        });
        let Some((coding, place)) = place else {
            response.set_body(body);
            return response;
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, coding.name());
        // Ranges would be of the bytes as they were.
        for name in [header::CONTENT_LENGTH, header::ACCEPT_RANGES, header::TRAILER] {
            headers.remove(name);
        }
        tags::weaken(headers);
        if self.is_head {
            response.set_body(of_unknown_length());
        } else {
            response.set_body(encoded(coding, body, place));
        }
        response
    }
}

/// 304 under the tag that the client has.
fn not_modified(mut response: Response, may: bool) -> Response {
    drop(response.take_body());
    response.set_status(StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_RANGE,
        header::ACCEPT_RANGES,
    ] {
        headers.remove(name);
    }
    tags::weaken(headers);
    if may {
        vary(&mut response);
    }
    response
}

fn vary(response: &mut Response) {
    let headers = response.headers_mut();
    let told = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    let mut told = told.flat_map(|value| value.split(',')).map(str::trim);
    if !told.any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding")) {
        headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// An empty body that does not say so, for an answer to HEAD.
fn of_unknown_length() -> Body {
    Body::from_bytes_stream(stream::empty::<io::Result<Bytes>>())
}

/// The body, compressed as it comes: what there is goes out whenever nothing more is there yet.
fn encoded(coding: Coding, body: BoxBody<Bytes, io::Error>, place: OwnedSemaphorePermit) -> Body {
    let reader = StreamReader::new(BodyDataStream::new(body));
    match coding {
        Coding::Gzip => streamed(GzipEncoder::with_quality(reader, GZIP), place),
        Coding::Brotli => {
            let params =
                EncoderParams::default().quality(Level::Precise(BROTLI)).window_size(WINDOW.cast_signed());
            streamed(BrotliEncoder::with_params(reader, params), place)
        }
        Coding::Zstd => streamed(
            ZstdEncoder::with_quality_and_params(reader, ZSTD, &[CParameter::window_log(WINDOW)]),
            place,
        ),
    }
}

fn streamed(encoder: impl AsyncRead + Send + 'static, place: OwnedSemaphorePermit) -> Body {
    let chunks = ReaderStream::with_capacity(encoder, CHUNK).map(move |chunk| {
        let _held = &place;
        chunk
    });
    Body::from_bytes_stream(chunks)
}
