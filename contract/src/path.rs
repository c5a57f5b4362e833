//! Request paths: refused where two readers could understand them differently, matched segment by segment else.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("holds a percent-escape that can't be read")]
    BadEscape,
    /// A `.` or `..` segment, also percent-encoded.
    #[error("holds a dot segment")]
    DotSegment,
    /// `//`.
    #[error("holds an empty segment")]
    EmptySegment,
    /// `\` or `%5C`.
    #[error("holds a backslash")]
    Backslash,
    /// `%2F` where no parameter may hold it.
    #[error("holds an encoded slash")]
    EncodedSlash,
    /// `%00` and other control characters.
    #[error("holds a control character")]
    Control,
}

/// Checks a raw path (as in the request line, without its query) for everything that the gateway and a service could read
/// as different paths (RFC 3986 §2.2, §6.2.2). One trailing slash is allowed.
///
/// # Errors
/// The first fault found.
pub fn check(path: &str) -> Result<(), BadPath> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() {
        return if path.len() <= 1 { Ok(()) } else { Err(BadPath::EmptySegment) };
    }
    inner.split('/').try_for_each(check_segment)
}

/// Checks a raw path of an operation whose parameters may hold `%2F`: as [`check`] for all else, and what stands between two
/// slashes, encoded ones too, may be no dot segment and not empty. Whoever decodes it gets nothing that leads elsewhere.
///
/// # Errors
/// The first fault found.
pub fn check_with_encoded_slashes(path: &str) -> Result<(), BadPath> {
    check(&path.replace("%2F", "/").replace("%2f", "/"))
}

fn check_segment(segment: &str) -> Result<(), BadPath> {
    if segment.is_empty() {
        return Err(BadPath::EmptySegment);
    }
    if !segment.contains(['%', '.', '\\']) && !segment.bytes().any(|byte| byte.is_ascii_control()) {
        return Ok(());
    }
    let decoded = decode(segment)?;
    match decoded.as_ref() {
        "." | ".." => Err(BadPath::DotSegment),
        text if text.contains('\\') => Err(BadPath::Backslash),
        text if text.contains('/') => Err(BadPath::EncodedSlash),
        text if text.chars().any(char::is_control) => Err(BadPath::Control),
        _ => Ok(()),
    }
}

/// The text of one segment.
///
/// # Errors
/// [`BadPath::BadEscape`].
pub fn decode(segment: &str) -> Result<Cow<'_, str>, BadPath> {
    let escapes = segment.match_indices('%').all(|(at, _)| {
        segment.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !escapes {
        return Err(BadPath::BadEscape);
    }
    percent_decode_str(segment).decode_utf8().map_err(|_| BadPath::BadEscape)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_two_readers_could_read_differently_is_refused() {
        for (path, fault) in [
            ("/a//b", BadPath::EmptySegment),
            ("//a", BadPath::EmptySegment),
            ("//", BadPath::EmptySegment),
            ("/a/../b", BadPath::DotSegment),
            ("/a/%2e%2E/b", BadPath::DotSegment),
            ("/a/.%2e", BadPath::DotSegment),
            ("/a/.", BadPath::DotSegment),
            ("/a%2Fb", BadPath::EncodedSlash),
            ("/a%2fb", BadPath::EncodedSlash),
            ("/a%5Cb", BadPath::Backslash),
            ("/a\\b", BadPath::Backslash),
            ("/a%00", BadPath::Control),
            ("/a%0d%0a", BadPath::Control),
            ("/a%", BadPath::BadEscape),
            ("/a%4", BadPath::BadEscape),
            ("/a%zz", BadPath::BadEscape),
            ("/a%ff", BadPath::BadEscape),
        ] {
            assert_eq!(check(path), Err(fault), "{path}");
        }
    }

    #[test]
    fn an_encoded_slash_that_is_let_through_leads_nowhere_else() {
        for path in ["/a%2Fb", "/a%2fb/c", "/a%2Fb%2Fc", "/a%252Fb"] {
            assert_eq!(check_with_encoded_slashes(path), Ok(()), "{path}");
        }
        for (path, fault) in [
            ("/a%2F..%2Fb", BadPath::DotSegment),
            ("/a%2F%2e%2E/b", BadPath::DotSegment),
            ("/..%2Fb", BadPath::DotSegment),
            ("/a%2F%2Fb", BadPath::EmptySegment),
            ("/%2Fb", BadPath::EmptySegment),
            ("/a%2Fb%5Cc", BadPath::Backslash),
            ("/a%2Fb%00", BadPath::Control),
        ] {
            assert_eq!(check_with_encoded_slashes(path), Err(fault), "{path}");
        }
    }

    #[test]
    fn an_ordinary_path_passes() {
        for path in ["/", "/a", "/a/", "/a.b/c", "/a/...", "/%41%20%C3%A9", "/a;b=1/c", "/a:b@c"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_that_passes_has_as_many_segments_decoded_as_encoded(path in "(/[a-zA-Z0-9%./;\\\\]{0,8}){1,4}") {
            if check(&path).is_ok() {
                let decoded = percent_decode_str(&path).decode_utf8().unwrap().into_owned();
                prop_assert_eq!(decoded.matches('/').count(), path.matches('/').count());
                prop_assert!(!decoded.split('/').any(|segment| segment == ".." || segment == "."));
            }
        }
    }
}
