//! The handshake (RFC 6455 §4): what a client must send, what a service must answer, and the token that a browser can only
//! send among the subprotocols.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

/// The entry of `Sec-WebSocket-Protocol` after which an access token stands.
pub(crate) const BEARER: &str = "bearer";

/// What the key is hashed with (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request that is no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeFault {
    /// It does not ask for an upgrade to WebSocket.
    #[error("The operation is a WebSocket: an upgrade is needed")]
    NoUpgrade,
    /// It asks for another version than 13.
    #[error("Sec-WebSocket-Version must be 13")]
    Version,
    /// Its key is no 16 bytes in Base64.
    #[error("Sec-WebSocket-Key must be 16 bytes in Base64, and stand once")]
    Key,
    /// It has a body.
    #[error("A handshake has no body")]
    Body,
}

/// An answer of status 101 that does not fit its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerFault {
    /// It does not upgrade to WebSocket.
    #[error("101 without an upgrade to WebSocket")]
    NoUpgrade,
    /// It was not made for this key.
    #[error("Sec-WebSocket-Accept does not fit the key")]
    Accept,
    /// It takes a subprotocol that was not offered.
    #[error("a subprotocol that was not offered")]
    Protocol,
}

/// Subprotocols that can't be read as some with a token among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenFault {
    /// `bearer` is the last.
    #[error("Sec-WebSocket-Protocol: a token must follow bearer")]
    Missing,
    /// It stands twice, or beside `Authorization` (RFC 6750 §2).
    #[error("A token is sent in one way, and once")]
    Twice,
}

/// The key that an answer must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(HeaderValue);

/// Whether a request asks to be upgraded to WebSocket.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    lists(headers, &header::UPGRADE, "websocket") && lists(headers, &header::CONNECTION, "upgrade")
}

/// Holds a request to the rules of a handshake.
///
/// # Errors
/// [`HandshakeFault`].
pub(crate) fn check(version: Version, headers: &HeaderMap) -> Result<Key, HandshakeFault> {
    if version != Version::HTTP_11 || !is_asked_for(headers) {
        return Err(HandshakeFault::NoUpgrade);
    }
    if single(headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(HandshakeFault::Version);
    }
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body {
        return Err(HandshakeFault::Body);
    }
    let key = single(headers, &header::SEC_WEBSOCKET_KEY).ok_or(HandshakeFault::Key)?;
    match STANDARD.decode(key) {
        Ok(bytes) if bytes.len() == 16 => Ok(Key(key.clone())),
        _ => Err(HandshakeFault::Key),
    }
}

/// Holds an answer of status 101 to the key and the subprotocols of its request.
///
/// # Errors
/// [`AnswerFault`].
pub(crate) fn check_answer(headers: &HeaderMap, key: &Key, offered: &[String]) -> Result<(), AnswerFault> {
    if !is_asked_for(headers) {
        return Err(AnswerFault::NoUpgrade);
    }
    let expected = accept(key.0.as_bytes());
    if single(headers, &header::SEC_WEBSOCKET_ACCEPT)
        .is_none_or(|given| given.as_bytes() != expected.as_bytes())
    {
        return Err(AnswerFault::Accept);
    }
    let taken = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    if taken.iter().any(|taken| !offered.iter().any(|offered| taken == offered.as_str())) {
        return Err(AnswerFault::Protocol);
    }
    Ok(())
}

fn accept(key: &[u8]) -> String {
    let hashed = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    STANDARD.encode(hashed)
}

/// The subprotocols that a request offers.
pub(crate) fn protocols(headers: &HeaderMap) -> Vec<String> {
    entries(headers, &header::SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect()
}

/// Takes the token out of the subprotocols: `bearer, <token>` among them. What is left stays as it was.
///
/// # Errors
/// [`TokenFault`].
pub(crate) fn take_token(headers: &mut HeaderMap) -> Result<Option<String>, TokenFault> {
    let mut left = Vec::new();
    let mut token = None;
    let offered = protocols(headers);
    let mut entries = offered.iter();
    while let Some(entry) = entries.next() {
        if entry != BEARER {
            left.push(entry.as_str());
            continue;
        }
        let given = entries.next().ok_or(TokenFault::Missing)?;
        if token.replace(given.clone()).is_some() || headers.contains_key(header::AUTHORIZATION) {
            return Err(TokenFault::Twice);
        }
    }
    if token.is_some() {
        match HeaderValue::try_from(left.join(", ")) {
            Ok(rest) if !left.is_empty() => headers.insert(header::SEC_WEBSOCKET_PROTOCOL, rest),
            _ => headers.remove(header::SEC_WEBSOCKET_PROTOCOL),
        };
    }
    Ok(token)
}

fn entries<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> + use<'h> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|entry| !entry.is_empty())
}

fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    entries(headers, name).any(|entry| entry.eq_ignore_ascii_case(wanted))
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    const ASKED: [(&str, &str); 4] = [
        ("upgrade", "foo, WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn a_handshake_is_one_in_every_part_or_is_refused() {
        assert!(check(Version::HTTP_11, &headers(&ASKED)).is_ok());
        assert_eq!(check(Version::HTTP_10, &headers(&ASKED)), Err(HandshakeFault::NoUpgrade));
        for (name, value, fault) in [
            ("upgrade", "h2c", HandshakeFault::NoUpgrade),
            ("connection", "keep-alive", HandshakeFault::NoUpgrade),
            ("sec-websocket-version", "8", HandshakeFault::Version),
            ("sec-websocket-key", "c2hvcnQ=", HandshakeFault::Key),
            ("sec-websocket-key", "no base64", HandshakeFault::Key),
            ("content-length", "3", HandshakeFault::Body),
            ("transfer-encoding", "chunked", HandshakeFault::Body),
        ] {
            let mut changed = headers(&ASKED);
            changed.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            assert_eq!(check(Version::HTTP_11, &changed), Err(fault), "{name}: {value}");
        }
    }

    #[test]
    fn an_answer_must_be_made_for_the_key_and_the_protocols_that_were_offered() {
        let key = check(Version::HTTP_11, &headers(&ASKED)).unwrap();
        let good = [("upgrade", "websocket"), ("connection", "upgrade")];
        let right = ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let offered = ["chat".to_owned()];
        let answer = |more: &[(&str, &str)]| check_answer(&headers(&[&good, more].concat()), &key, &offered);
        assert_eq!(answer(&[right]), Ok(()));
        assert_eq!(answer(&[right, ("sec-websocket-protocol", "chat")]), Ok(()));
        assert_eq!(answer(&[right, ("sec-websocket-protocol", "other")]), Err(AnswerFault::Protocol));
        assert_eq!(answer(&[]), Err(AnswerFault::Accept));
        assert_eq!(
            answer(&[("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=")]),
            Err(AnswerFault::Accept)
        );
        assert_eq!(check_answer(&headers(&[right]), &key, &offered), Err(AnswerFault::NoUpgrade));
    }

    #[test]
    fn a_token_is_taken_out_of_the_protocols_and_the_others_stay_in_their_order() {
        for (sent, token, left) in [
            (&["chat"][..], None, Some("chat")),
            (&["bearer, a.b-c_d"], Some("a.b-c_d"), None),
            (&["v2, bearer, t, v1"], Some("t"), Some("v2, v1")),
            (&["v2", "bearer", "t"], Some("t"), Some("v2")),
        ] {
            let fields: Vec<_> = sent.iter().map(|value| ("sec-websocket-protocol", *value)).collect();
            let mut headers = headers(&fields);
            assert_eq!(take_token(&mut headers), Ok(token.map(str::to_owned)), "{sent:?}");
            let rest = headers.get("sec-websocket-protocol").map(|rest| rest.to_str().unwrap());
            assert_eq!(rest, left, "{sent:?}");
        }
        let protocol = |value| ("sec-websocket-protocol", value);
        assert_eq!(take_token(&mut headers(&[protocol("chat, bearer")])), Err(TokenFault::Missing));
        assert_eq!(take_token(&mut headers(&[protocol("bearer, a, bearer, b")])), Err(TokenFault::Twice));
        let both = [protocol("bearer, a"), ("authorization", "Bearer b")];
        assert_eq!(take_token(&mut headers(&both)), Err(TokenFault::Twice));
    }
}
