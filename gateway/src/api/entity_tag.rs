//! Entity tags of whole answers, made from their bytes (RFC 9110 §8.8.3).

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::header;
use poem::Request;

/// The tag of these bytes, with its quotes.
pub(crate) fn of(body: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, body);
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]))
}

/// Whether the client has the bytes of this tag (`If-None-Match`).
pub(crate) fn is_known(request: &Request, tag: &str) -> bool {
    request.header(header::IF_NONE_MATCH).is_some_and(|tags| {
        tags.split(',').any(|known| known.trim() == "*" || known.trim().trim_start_matches("W/") == tag)
    })
}
