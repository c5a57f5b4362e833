//! A part of what is stored (RFC 9110 §14): one range of bytes; more of them, or another unit, get the whole.

use std::ops::Range;

use http::{HeaderMap, StatusCode, header};

use super::conditional;

/// What a client gets of a stored answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// These bytes: 206.
    Bytes(Range<usize>),
    /// 416: it has no such bytes.
    None,
}

/// What `request` asks for of a stored answer of this length.
pub(crate) fn part(request: &HeaderMap, status: StatusCode, stored: &HeaderMap, length: usize) -> Part {
    let Some(asked) = request.get(header::RANGE).and_then(|range| range.to_str().ok()) else {
        return Part::Whole;
    };
    if status != StatusCode::OK || stored.contains_key(header::CONTENT_RANGE) || !holds(request, stored) {
        return Part::Whole;
    }
    let Some(set) = asked.trim().strip_prefix("bytes=") else { return Part::Whole };
    let Some((first, last)) = set.split_once('-').filter(|_| !set.contains(',')) else { return Part::Whole };
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Some(digits.parse().unwrap_or(usize::MAX)))
        }
        _ => None,
    };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) => {
            let end = last.map_or(length, |last: usize| last.saturating_add(1).min(length));
            match last {
                Some(last) if last < first => Part::Whole,
                _ if first >= length => Part::None,
                _ => Part::Bytes(first..end),
            }
        }
        (Some(None), Some(Some(0))) => Part::None,
        (Some(None), Some(Some(_))) if length == 0 => Part::None,
        (Some(None), Some(Some(suffix))) => Part::Bytes(length.saturating_sub(suffix)..length),
        _ => Part::Whole,
    }
}

/// `If-Range`: a strong tag that is the stored one, or exactly its date.
fn holds(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let Some(condition) = request.get(header::IF_RANGE) else { return true };
    if condition.as_bytes().starts_with(b"\"") {
        return stored.get(header::ETAG) == Some(condition);
    }
    let asked = conditional::date(request, &header::IF_RANGE);
    asked.is_some() && asked == conditional::date(stored, &header::LAST_MODIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &str, condition: Option<&str>) -> Part {
        let mut request = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
        if let Some(condition) = condition {
            request.insert(header::IF_RANGE, condition.parse().unwrap());
        }
        let stored = HeaderMap::from_iter([(header::ETAG, "\"v1\"".parse().unwrap())]);
        part(&request, StatusCode::OK, &stored, 10)
    }

    #[test]
    fn one_range_is_cut_out_and_everything_odd_gets_the_whole() {
        assert_eq!(asked("bytes=0-1", None), Part::Bytes(0..2));
        assert_eq!(asked("bytes=4-", None), Part::Bytes(4..10));
        assert_eq!(asked("bytes=-3", None), Part::Bytes(7..10));
        assert_eq!(asked("bytes=8-99999999999999999999", None), Part::Bytes(8..10));
        assert_eq!(asked("bytes=10-", None), Part::None);
        assert_eq!(asked("bytes=-0", None), Part::None);
        for odd in ["bytes=0-1,3-4", "lines=0-1", "bytes=2-1", "bytes=a-b", "bytes=-"] {
            assert_eq!(asked(odd, None), Part::Whole, "{odd}");
        }
    }

    #[test]
    fn a_range_under_another_or_a_weak_tag_gets_the_whole() {
        assert_eq!(asked("bytes=0-1", Some("\"v1\"")), Part::Bytes(0..2));
        assert_eq!(asked("bytes=0-1", Some("\"v2\"")), Part::Whole);
        assert_eq!(asked("bytes=0-1", Some("W/\"v1\"")), Part::Whole);
    }
}
