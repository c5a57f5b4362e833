//! Header fields for one connection only (RFC 9110 §7.6.1): what `Connection` names, and a list beside it.

use http::{HeaderMap, HeaderName, header};

/// Drops the fields that `Connection` names, then those `listed`.
pub(crate) fn remove(headers: &mut HeaderMap, listed: &[&str]) {
    let nominated: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in nominated {
        headers.remove(name);
    }
    for name in listed {
        headers.remove(*name);
    }
}
