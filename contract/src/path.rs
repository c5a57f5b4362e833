//! Request paths: refused where two readers could understand them differently, matched segment by segment else.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What a segment can't hold as it is: all but `pchar` (RFC 3986 §3.3).
const NOT_IN_A_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

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

/// A text as one segment that every reader reads as that text: escaped is what can't stand there, and nothing else.
#[must_use]
pub fn encode(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, NOT_IN_A_SEGMENT).into()
}

/// A raw segment without escapes of unreserved characters, which mean the same with and without (RFC 3986 §6.2.2.2). All else stays
/// as it was sent.
#[must_use]
pub fn normalised(segment: &str) -> Cow<'_, str> {
    let unreserved = |at: usize| {
        let byte = u8::from_str_radix(segment.get(at + 1..at + 3)?, 16).ok()?;
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        plain.then(|| char::from(byte))
    };
    let mut normalised = Cow::Borrowed(segment);
    let mut kept = 0;
    for (at, _) in segment.match_indices('%') {
        let Some(letter) = unreserved(at) else { continue };
        if kept == 0 {
            normalised = Cow::Owned(String::with_capacity(segment.len()));
        }
        let written = normalised.to_mut();
        written.push_str(&segment[kept..at]);
        written.push(letter);
        kept = at + 3;
    }
    if kept > 0 {
        normalised.to_mut().push_str(&segment[kept..]);
    }
    normalised
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

    #[test]
    fn escapes_of_unreserved_characters_are_undone_and_no_others() {
        for (sent, normal) in [
            ("%61dmin", "admin"),
            ("a%2Db%2e%5F%7E%30%5a", "a-b._~0Z"),
            ("a%20b%2f%25%61%3b%c3%A4", "a%20b%2f%25a%3b%c3%A4"),
            ("%2561", "%2561"),
            ("plain", "plain"),
            ("%", "%"),
            ("%6", "%6"),
            ("%+1", "%+1"),
            ("%é", "%é"),
        ] {
            assert_eq!(normalised(sent), normal, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_text_is_read_as_that_text_and_a_normalised_one_as_the_sent(text in any::<String>()) {
            let encoded = encode(&text);
            prop_assert_eq!(decode(&encoded).unwrap(), text.as_str());
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#".contains(&byte)));
            if let Ok(read) = decode(&text) {
                let normal = normalised(&text);
                prop_assert_eq!(decode(&normal).unwrap(), read);
            }
        }

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
