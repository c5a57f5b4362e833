//! Conditional requests answered from what is stored (RFC 9110 §13), and what a 304 of a service changes (RFC 9111 §3.2).

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{directives::members, stored::without_hop_by_hop};

/// Fields that tell of the body, which a 304 does not replace, and the validator it was selected by.
const OF_THE_BODY: [&str; 5] = ["content-length", "content-encoding", "content-range", "content-md5", "etag"];

/// Whether the client has what is stored, so that 304 is its answer.
pub(crate) fn is_not_modified(request: &HeaderMap, status: StatusCode, stored: &HeaderMap) -> bool {
    if status != StatusCode::OK {
        return false;
    }
    if request.contains_key(header::IF_NONE_MATCH) {
        let tag = stored.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        return request.get_all(header::IF_NONE_MATCH).iter().any(|line| {
            members(&String::from_utf8_lossy(line.as_bytes())).iter().any(|asked| {
                asked == "*" || tag.is_some_and(|tag| without_weakness(tag.trim()) == without_weakness(asked))
            })
        });
    }
    let Some(since) = date(request, &header::IF_MODIFIED_SINCE) else { return false };
    let modified = date(stored, &header::LAST_MODIFIED).or_else(|| date(stored, &header::DATE));
    modified.is_some_and(|modified| modified <= since)
}

/// The head of a 304: what is stored, without what tells of a body.
pub(crate) fn not_modified(mut headers: HeaderMap) -> HeaderMap {
    for name in
        [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_RANGE]
    {
        headers.remove(name);
    }
    headers
}

/// Makes a request ask whether `stored` is still good; false where `stored` has nothing to ask by.
pub(crate) fn ask(request: &mut HeaderMap, stored: &HeaderMap) -> bool {
    let mut asks = false;
    for (field, validator) in
        [(header::IF_NONE_MATCH, header::ETAG), (header::IF_MODIFIED_SINCE, header::LAST_MODIFIED)]
    {
        if let Some(value) = stored.get(validator) {
            request.insert(field, value.clone());
            asks = true;
        }
    }
    asks
}

/// The conditions of the client itself: an answer that others wait for too is asked for without them.
pub(crate) fn without_conditions(request: &mut HeaderMap) {
    request.remove(header::IF_NONE_MATCH);
    request.remove(header::IF_MODIFIED_SINCE);
}

/// What is stored, as a 304 leaves it.
pub(crate) fn refreshed(stored: &HeaderMap, mut fresh: HeaderMap) -> HeaderMap {
    without_hop_by_hop(&mut fresh);
    let mut merged = stored.clone();
    // How old it was before says nothing now.
    merged.remove(header::AGE);
    let names: Vec<HeaderName> =
        fresh.keys().filter(|name| !OF_THE_BODY.contains(&name.as_str())).cloned().collect();
    for name in names {
        merged.remove(&name);
        for value in fresh.get_all(&name) {
            merged.append(name.clone(), value.clone());
        }
    }
    merged
}

/// A date in any of the three forms; none where it stands twice or is none (RFC 9110 §5.6.7).
pub(crate) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut lines = headers.get_all(name).iter();
    let line: &HeaderValue = lines.next()?;
    if lines.next().is_some() {
        return None;
    }
    httpdate::parse_http_date(line.to_str().ok()?).ok()
}

fn without_weakness(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn tags_are_compared_weakly_and_a_tag_goes_before_a_date() {
        let stored = map(&[("etag", "\"v1\""), ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")]);
        let asked = |fields: &[(&str, &str)]| is_not_modified(&map(fields), StatusCode::OK, &stored);
        assert!(asked(&[("if-none-match", "W/\"v1\"")]));
        assert!(asked(&[("if-none-match", "\"v0\", \"v1\"")]));
        assert!(asked(&[("if-none-match", "*")]));
        let late = ("if-modified-since", "Thu, 02 Jan 2020 00:00:00 GMT");
        assert!(asked(&[late]));
        assert!(!asked(&[("if-none-match", "\"v2\""), late]));
        assert!(!asked(&[("if-modified-since", "Tue, 31 Dec 2019 00:00:00 GMT")]));
        assert!(!asked(&[]));
    }

    #[test]
    fn a_304_replaces_what_it_names_and_leaves_what_tells_of_the_body() {
        let stored =
            map(&[("a", "1"), ("b", "1"), ("etag", "\"v1\""), ("content-length", "9"), ("age", "7")]);
        let merged = refreshed(
            &stored,
            map(&[
                ("a", "2"),
                ("a", "3"),
                ("content-length", "0"),
                ("etag", "\"v2\""),
                ("connection", "close"),
            ]),
        );
        let expected =
            map(&[("a", "2"), ("a", "3"), ("b", "1"), ("etag", "\"v1\""), ("content-length", "9")]);
        assert_eq!(merged, expected);
    }
}
