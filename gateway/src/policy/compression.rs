//! Which answers are compressed, how, and what that does to their entity tags.

pub(crate) mod coding;
pub(crate) mod tags;

use http::{HeaderMap, StatusCode, header};

/// Shorter bodies gain nothing.
const SHORTEST: u64 = 1024;

/// Types of `application/` and others that are text, beside `text/` itself and what ends in `+json` or `+xml`.
const TEXTS: [&str; 12] = [
    "application/json",
    "application/problem+json",
    "application/javascript",
    "application/xml",
    "application/yaml",
    "application/x-ndjson",
    "application/jsonl",
    "application/graphql",
    "application/wasm",
    "application/x-javascript",
    "image/bmp",
    "font/ttf",
];

/// Whether an answer of this head is one that is compressed for who takes it; `length` where it is known.
pub(crate) fn is_fit(status: StatusCode, headers: &HeaderMap, length: Option<u64>) -> bool {
    let has_content = !status.is_informational()
        && !matches!(
            status,
            StatusCode::NO_CONTENT
                | StatusCode::RESET_CONTENT
                | StatusCode::PARTIAL_CONTENT
                | StatusCode::NOT_MODIFIED
                | StatusCode::RANGE_NOT_SATISFIABLE
        );
    let fields = [
        // Of the bytes as they are.
        header::CONTENT_RANGE.as_str(),
        "content-digest",
        "digest",
        "content-md5",
        // A cookie is sent with whatever another page asks for: its length could be made to tell what is in it (BREACH).
        header::SET_COOKIE.as_str(),
    ];
    has_content
        && length.is_none_or(|length| length >= SHORTEST)
        && !fields.iter().any(|name| headers.contains_key(*name))
        && is_plain(headers)
        && is_text(headers)
        && !is_fixed(headers)
}

fn is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().all(|coding| coding == "identity")
}

/// `no-transform` (RFC 9110 §7.7).
fn is_fixed(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|rule| rule.trim().eq_ignore_ascii_case("no-transform"))
}

fn is_text(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // Each event is to be there at once, whatever stands between.
    kind != "text/event-stream"
        && (kind.starts_with("text/")
            || kind.ends_with("+json")
            || kind.ends_with("+xml")
            || TEXTS.contains(&kind.as_str()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn head(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter();
        fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_is_no_text_is_short_or_is_not_to_be_touched_stays_as_it_is() {
        let json = ("content-type", "application/json; charset=utf-8");
        let ok = StatusCode::OK;
        assert!(is_fit(ok, &head(&[json]), Some(1024)));
        assert!(is_fit(ok, &head(&[json]), None));
        assert!(is_fit(StatusCode::NOT_FOUND, &head(&[("content-type", "application/vnd.x+JSON")]), None));
        assert!(!is_fit(ok, &head(&[json]), Some(1023)));
        for (status, fields) in [
            (206, vec![json, ("content-range", "bytes 0-1/2")]),
            (304, vec![json]),
            (204, vec![json]),
            (101, vec![json]),
            (200, vec![]),
            (200, vec![("content-type", "image/png")]),
            (200, vec![("content-type", "text/event-stream;charset=utf-8")]),
            (200, vec![json, ("content-encoding", "br")]),
            (200, vec![json, ("cache-control", "max-age=1, No-Transform")]),
            (200, vec![json, ("set-cookie", "a=b")]),
            (200, vec![json, ("content-digest", "sha-256=:x:")]),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(!is_fit(status, &head(&fields), None), "{status} {fields:?}");
        }
    }
}
