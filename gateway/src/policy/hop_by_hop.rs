//! Header fields for one connection only (RFC 9110 §7.6.1): what `Connection` names, and others beside it.

use http::{HeaderMap, HeaderName, header};

/// Drops the fields that `Connection` names, then those of which `is_dropped` says so.
pub(crate) fn remove(headers: &mut HeaderMap, is_dropped: impl Fn(&HeaderName) -> bool) {
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
    // There are few, and hardly ever one to drop: a look at each costs less than asking for every one that could be there.
    let dropped: Vec<HeaderName> = headers.keys().filter(|name| is_dropped(name)).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
}
