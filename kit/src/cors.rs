//! Which pages of other origins may call this listener from a browser (CORS, Fetch Standard).
//!
//! An origin that is not listed gets no word of permission and no other answer than anybody. Cookies carry nothing here (tokens travel
//! in `Authorization`), so credentials are never allowed.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Method, header};
use poem::{Request, Response};

/// Fields that a page may send beside those that every page may.
const REQUEST_FIELDS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, traceparent",
);

/// Fields of an answer that a page may read beside those that every page may.
const ANSWER_FIELDS: HeaderValue = HeaderValue::from_static(
    "etag, link, location, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id, x-total-count",
);

/// What an answer depends on.
const VARY: HeaderValue = HeaderValue::from_static("Origin");

/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The text is no list of origins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no origin: write https://app.example, with the port where it has one, and without a path; * is not taken"
)]
pub struct NotAnOrigin(String);

/// The origins whose pages may call; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeSet<String>);

impl Origins {
    /// Origins separated by commas, such as `https://app.example, http://localhost:3000`.
    ///
    /// # Errors
    /// [`NotAnOrigin`], with the first that is none.
    pub fn parse(text: &str) -> Result<Self, NotAnOrigin> {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        origins.map(origin).collect::<Result<_, _>>().map(Self)
    }

    /// With one more, where it is one: the listener's own.
    #[must_use]
    pub fn and(mut self, text: &str) -> Self {
        self.0.extend(origin(text));
        self
    }

    /// Whether a request comes from a page of a listed origin, or from no page at all.
    #[must_use]
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        let listed = |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| self.0.contains(origin));
        !headers.contains_key(header::ORIGIN) || single(headers).is_some_and(listed)
    }

    /// What this request's page may do with the answer.
    #[must_use]
    pub fn judge(&self, request: &Request) -> Sharing {
        if self.0.is_empty() {
            return Sharing::default();
        }
        let headers = request.headers();
        let origin = single(headers).filter(|origin| self.0.contains(origin.to_str().unwrap_or_default()));
        let preflight = *request.method() == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        Sharing { varies: true, origin: origin.cloned(), preflight }
    }
}

/// What a page of another origin may do with an answer.
#[derive(Debug, Clone, Default)]
pub struct Sharing {
    varies: bool,
    origin: Option<HeaderValue>,
    preflight: bool,
}

impl Sharing {
    /// Tells the browser.
    pub fn mark(self, response: &mut Response) {
        if !self.varies {
            return;
        }
        let done = response.status().is_success();
        let headers = response.headers_mut();
        headers.append(header::VARY, VARY);
        let Some(origin) = self.origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if !self.preflight {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_FIELDS);
        } else if let Some(methods) = headers.get(header::ALLOW).filter(|_| done).cloned() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_FIELDS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
    }
}

fn single(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    origins.next().filter(|_| origins.next().is_none())
}

/// As a browser writes it.
fn origin(text: &str) -> Result<String, NotAnOrigin> {
    let fail = || NotAnOrigin(text.to_owned());
    let url = url::Url::parse(text).map_err(|_| fail())?;
    let origin = url.origin().ascii_serialization();
    let plain = text.trim_end_matches('/').eq_ignore_ascii_case(&origin);
    if plain && matches!(url.scheme(), "http" | "https") { Ok(origin) } else { Err(fail()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port_and_nothing_more() {
        let origins = Origins::parse("https://App.example, http://localhost:3000/").unwrap();
        assert_eq!(origins.0.iter().collect::<Vec<_>>(), ["http://localhost:3000", "https://app.example"]);
        assert_eq!(Origins::parse(" ").unwrap(), Origins::default());
        for text in [
            "*",
            "null",
            "app.example",
            "https://app.example/path",
            "https://a:b@app.example",
            "ftp://a.example",
        ] {
            assert_eq!(Origins::parse(text), Err(NotAnOrigin(text.to_owned())));
        }
    }
}
