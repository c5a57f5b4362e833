//! The client of the gateway's public API: sends, and turns every bad end into a failure with its exit code.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH, LINK};
use reqwest::{Method, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::body::{self, Unread};
use crate::contexts::Session;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::safe;

/// A password check waits in a queue at the most this long, and so does everything else.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a media type of a body says.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// End of a problem's type where a token is not good, whatever the reason.
const INVALID_TOKEN: &str = ":invalid-token";

/// A client of one gateway, signed in or not.
#[derive(Debug)]
pub(crate) struct Api {
    base: Url,
    bearer: Bearer,
    client: reqwest::Client,
}

/// What a client is signed in by.
#[derive(Debug)]
pub(crate) enum Bearer {
    /// It is not.
    Nobody,
    /// A token as it is.
    Token(SecretString),
    /// A session, whose tokens are exchanged in time.
    Session(Box<Session>),
}

/// A request to be sent, more than once where its token has expired.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    method: Method,
    path: &'a str,
    body: Option<(String, &'static str)>,
    version: Option<HeaderValue>,
}

impl<'a> Request<'a> {
    fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, body: None, version: None }
    }

    /// With a JSON body.
    pub(crate) fn json(method: Method, path: &'a str, body: &Value) -> Self {
        Self { body: Some((body.to_string(), "application/json")), ..Self::new(method, path) }
    }
}

/// An answer that is no success.
struct Refusal {
    status: StatusCode,
    headers: HeaderMap,
    problem: Value,
}

/// Whose certificate is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// One that somebody this machine trusts has signed for the name in the URL.
    Certified,
    /// Any, of the process of this machine that was found by its run file.
    OwnProcess,
}

/// An answer of status 2xx.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The JSON body; null where there is none.
    pub(crate) body: Value,
    headers: HeaderMap,
}

impl Answer {
    /// The version of what the answer holds, from its `ETag`.
    #[must_use]
    pub(crate) fn version(&self) -> Option<&HeaderValue> {
        self.headers.get(ETAG)
    }

    /// Path and query of the next page, from `Link: <…>; rel="next"`.
    #[must_use]
    pub(crate) fn next_page(&self) -> Option<String> {
        let link = self.headers.get(LINK)?.to_str().ok()?;
        link.split(',').find(|part| part.contains("rel=\"next\"")).and_then(|part| {
            let target = part.trim().strip_prefix('<')?.split_once('>')?.0;
            match Url::parse(target) {
                Ok(url) => Some(format!("{}?{}", url.path(), url.query().unwrap_or_default())),
                Err(_) => target.starts_with('/').then(|| target.to_owned()),
            }
        })
    }
}

impl Api {
    /// A client of the gateway at `base`.
    pub(crate) fn new(base: Url, bearer: Bearer, peer: Peer) -> Outcome<Self> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("platform/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .tls_danger_accept_invalid_certs(peer == Peer::OwnProcess)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| Failure::failed("the HTTP client can't be made").caused_by(&error))?;
        Ok(Self { base, bearer, client })
    }

    /// The token that requests are sent with.
    pub(crate) async fn token(&self) -> Outcome<SecretString> {
        match &self.bearer {
            Bearer::Nobody => Err(Failure::new(Exit::NotAllowed, "not signed in")),
            Bearer::Token(token) => Ok(token.clone()),
            Bearer::Session(session) => session.token(self).await,
        }
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Outcome<Answer> {
        self.send(&Request::new(Method::GET, path)).await
    }

    /// POST of a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Outcome<Answer> {
        self.send(&Request::json(Method::POST, path, body)).await
    }

    /// POST of a body that is JSON already.
    pub(crate) async fn post_text(&self, path: &str, body: String) -> Outcome<Answer> {
        let body = Some((body, "application/json"));
        self.send(&Request { body, ..Request::new(Method::POST, path) }).await
    }

    /// POST without a body.
    pub(crate) async fn post_nothing(&self, path: &str) -> Outcome<Answer> {
        self.send(&Request::new(Method::POST, path)).await
    }

    /// POST of a form.
    pub(crate) async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Outcome<Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = Some((body, "application/x-www-form-urlencoded"));
        self.send(&Request { body: form, ..Request::new(Method::POST, path) }).await
    }

    /// PATCH by a JSON Merge Patch.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Outcome<Answer> {
        self.patch_version(path, body, None).await
    }

    /// PATCH by a JSON Merge Patch of this version and no other.
    pub(crate) async fn patch_version(
        &self,
        path: &str,
        body: &Value,
        version: Option<&HeaderValue>,
    ) -> Outcome<Answer> {
        let merge = Some((body.to_string(), MERGE_PATCH));
        let request = Request { body: merge, version: version.cloned(), ..Request::new(Method::PATCH, path) };
        self.send(&request).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Outcome<Answer> {
        self.send(&Request::new(Method::DELETE, path)).await
    }

    /// Sends with whatever this client is signed in by. A session's token that the platform takes no more is exchanged once:
    /// it may have been revoked, or signed with a key that is retired.
    async fn send(&self, request: &Request<'_>) -> Outcome<Answer> {
        match &self.bearer {
            Bearer::Nobody => self.execute(request, None).await?,
            Bearer::Token(token) => self.execute(request, Some(token)).await?,
            Bearer::Session(session) => {
                let token = session.token(self).await?;
                match self.execute(request, Some(&token)).await? {
                    Err(Refusal { status: StatusCode::UNAUTHORIZED, problem, .. })
                        if problem["type"].as_str().is_some_and(|kind| kind.ends_with(INVALID_TOKEN)) =>
                    {
                        let token = session.renew(self, &token).await?;
                        self.execute(request, Some(&token)).await?
                    }
                    ended => ended,
                }
            }
        }
        .map_err(|refusal| self.told(&refusal))
    }

    /// Sends as nobody.
    pub(crate) async fn without_token(&self, request: &Request<'_>) -> Outcome<Answer> {
        self.execute(request, None).await?.map_err(|refusal| self.told(&refusal))
    }

    async fn execute(
        &self,
        request: &Request<'_>,
        token: Option<&SecretString>,
    ) -> Outcome<Result<Answer, Refusal>> {
        let mut sent = self.client.request(request.method.clone(), below(&self.base, request.path));
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
            let mut value = value.map_err(|_| {
                Failure::new(Exit::NotAllowed, "the token holds characters that no token has")
            })?;
            value.set_sensitive(true);
            sent = sent.header(AUTHORIZATION, value);
        }
        if let Some((body, media_type)) = &request.body {
            sent = sent.header(CONTENT_TYPE, *media_type).body(body.clone());
        }
        if let Some(version) = &request.version {
            sent = sent.header(IF_MATCH, version);
        }
        let answer = sent.send().await.map_err(|error| self.unreachable(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = body::read(answer).await.map_err(|error| match error {
            Unread::Broken(error) => self.unreachable(&error),
            Unread::TooLong => self.no_platform().because(Unread::TOO_LONG),
        })?;
        if status.is_success() {
            let body = if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).map_err(|error| self.no_platform().caused_by(&error))?
            };
            return Ok(Ok(Answer { body, headers }));
        }
        Ok(Err(Refusal { status, headers, problem: serde_json::from_slice(&bytes).unwrap_or_default() }))
    }

    fn told(&self, refusal: &Refusal) -> Failure {
        refused(refusal.status, &refusal.headers, &refusal.problem).unwrap_or_else(|| {
            self.no_platform().because(format!("it answered {} without saying why", refusal.status))
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let failure =
            Failure::new(Exit::Unreachable, format!("the platform can't be reached at {}", self.base));
        let failure = if error.is_timeout() { failure.because("it did not answer in time") } else { failure };
        // reqwest repeats the URL in its own text; the innermost cause is what helps.
        failure
            .caused_by(error)
            .next("Start it with `platform serve`, or say where it is by --url or PLATFORM_URL.")
    }

    fn no_platform(&self) -> Failure {
        Failure::new(Exit::Unreachable, format!("what answers at {} is no platform", self.base))
            .next("Say where the platform is by --url or PLATFORM_URL.")
    }
}

/// The address of a path and query at this gateway. They may be a server's words (`Link`), and to join them would leave the gateway
/// at `//host`, `\\host` or `http:…`: the token goes to `base` alone.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    url.set_path(&format!("{}{}", base.path(), path.trim_start_matches(['/', '\\'])));
    url.set_query(query);
    url.set_fragment(None);
    url
}

/// A problem answer (RFC 9457) as a failure.
fn refused(status: StatusCode, headers: &HeaderMap, problem: &Value) -> Option<Failure> {
    let detail = problem["detail"].as_str().or_else(|| problem["title"].as_str())?;
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::NotAllowed,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Exit::Unreachable
        }
        _ => Exit::Failed,
    };
    let mut failure = Failure::new(exit, safe(detail));
    let faults: Vec<String> = problem["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|fault| {
            let pointer = fault["pointer"].as_str().unwrap_or_default().trim_start_matches('/');
            safe(&format!("{pointer}: {}", fault["detail"].as_str().unwrap_or_default()))
        })
        .collect();
    if !faults.is_empty() {
        "the platform does not take what was sent".clone_into(&mut failure.what);
        failure = failure.because(faults.join("; "));
    }
    if let Some(id) = problem["request_id"].as_str() {
        failure.causes.push(format!("the gateway answered {status}, request id {}", safe(id)));
    }
    failure = match status {
        StatusCode::UNAUTHORIZED => failure.next("Sign in anew: platform login."),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            match headers.get("retry-after").and_then(|value| value.to_str().ok()) {
                Some(seconds) => failure.next(format!("Try again in {} s.", safe(seconds))),
                None => failure.next("Try again."),
            }
        }
        _ => failure,
    };
    Some(failure)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_status_has_its_exit_code_and_all_faults_are_told() {
        for (status, exit) in [
            (400, Exit::Failed),
            (401, Exit::NotAllowed),
            (403, Exit::NotAllowed),
            (404, Exit::NotFound),
            (409, Exit::Failed),
            (429, Exit::Failed),
            (500, Exit::Failed),
            (503, Exit::Unreachable),
            (504, Exit::Unreachable),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let failure = refused(status, &HeaderMap::new(), &json!({"detail": "no"})).unwrap();
            assert_eq!(failure.exit, exit, "{status}");
            assert!(failure.text(false).lines().count() <= 3);
        }
        let problem = json!({"detail": "invalid", "errors": [
            {"pointer": "/email", "detail": "is no address"},
            {"pointer": "/password", "detail": "is too short"},
        ]});
        let failure = refused(StatusCode::UNPROCESSABLE_ENTITY, &HeaderMap::new(), &problem).unwrap();
        assert_eq!(failure.why.unwrap(), "email: is no address; password: is too short");
        assert!(refused(StatusCode::NOT_FOUND, &HeaderMap::new(), &Value::Null).is_none());
    }

    #[test]
    fn the_next_page_is_always_on_the_same_gateway() {
        let answer = |link: &str| Answer {
            body: Value::Null,
            headers: HeaderMap::from_iter([(LINK, HeaderValue::from_str(link).unwrap())]),
        };
        assert_eq!(
            answer("</api_v1/users?after=x>; rel=\"next\"").next_page().unwrap(),
            "/api_v1/users?after=x"
        );
        assert_eq!(
            answer("<http://evil/api_v1/users?after=x>; rel=\"next\"").next_page().unwrap(),
            "/api_v1/users?after=x"
        );
        assert_eq!(answer("<x>; rel=\"prev\"").next_page(), None);
        let base = Url::parse("http://127.0.0.1:1/base/").unwrap();
        for target in [
            "//host/x?y=1",
            "///host/x",
            "/http://127.0.0.1:2/stolen?x=1",
            "http://host/http://127.0.0.1:2/stolen?x=1",
            "http://host//other/x",
            "/\\\\host/x",
            "/\\host/x",
            "/@host/x",
            "/x@host:80/",
            "/:80/x",
            "//u:p@host/x",
            "/../../x?a=//host",
            "/%2f%2fhost/x",
            "javascript:alert(1)",
            "data:text/plain,x",
            "/x#y",
            "/\thttp://host",
        ] {
            let Some(next) = answer(&format!("<{target}>; rel=\"next\"")).next_page() else { continue };
            let url = below(&base, &next);
            assert_eq!(url.origin(), base.origin(), "{target}: {url}");
            assert!(url.username().is_empty() && url.password().is_none(), "{target}: {url}");
        }
        let url = below(&base, "/api_v1/users?after=x%2F&q=a+b");
        assert_eq!(url.as_str(), "http://127.0.0.1:1/base/api_v1/users?after=x%2F&q=a+b");
        assert_eq!(below(&base, "healthz").as_str(), "http://127.0.0.1:1/base/healthz");
    }
}
