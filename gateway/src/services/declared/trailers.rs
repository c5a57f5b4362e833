//! Which trailer fields of an answer go on to a client (RFC 9110 §6.5.1): those that the answer announces and that change nothing of
//! how it is read. Those of a request end here: services merge them into its head too often.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Beside what the HTTP library itself keeps out of trailers.
const REFUSED: [&str; 8] =
    ["connection", "keep-alive", "upgrade", "etag", "location", "vary", "www-authenticate", "retry-after"];

/// The announcement of an answer, without what does not go on.
pub(super) fn announced(headers: &HeaderMap) -> Option<HeaderValue> {
    let values = headers.get_all(header::TRAILER).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    let kept: Vec<&str> = names.filter(|name| is_let_through(name)).collect();
    if kept.is_empty() { None } else { HeaderValue::try_from(kept.join(", ")).ok() }
}

fn is_let_through(name: &str) -> bool {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { return false };
    let name = name.as_str();
    !REFUSED.contains(&name)
        && !["content-", "access-control-", "platform-", "sec-", "x-forwarded-", "proxy-"]
            .iter()
            .any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_that_describe_an_answer_go_on_and_those_that_govern_it_do_not() {
        for (told, kept) in [
            ("X-Sum", Some("X-Sum")),
            ("server-timing, Content-Length, x-sum", Some("server-timing, x-sum")),
            ("platform-sessions-ended", None),
            ("access-control-allow-origin, connection, no name", None),
        ] {
            let headers = HeaderMap::from_iter([(header::TRAILER, HeaderValue::from_static(told))]);
            assert_eq!(announced(&headers).as_ref().map(|kept| kept.to_str().unwrap()), kept, "{told}");
        }
    }
}
