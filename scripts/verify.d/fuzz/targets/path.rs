//! Paths: what is let through is read in one way by whoever decodes it, once or twice, and cuts it at slashes before or after.
#![no_main]

use contract::path::{check, check_with_encoded_slashes, decode};
use libfuzzer_sys::fuzz_target;

/// The segments as a server sees them that decodes the whole path and then resolves it (RFC 3986 §5.2.4).
fn resolved(path: &str) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other.to_owned()),
        }
    }
    kept
}

fuzz_target!(|path: &str| {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if check(path).is_ok() {
        let decoded: Vec<String> = segments.iter().map(|segment| decode(segment).unwrap().into_owned()).collect();
        assert_eq!(resolved(&decoded.join("/")), decoded, "decoded before it is cut, it is another path");
        assert!(decoded.iter().all(|segment| !segment.contains(['\\', '\0', '\r', '\n'])));
        assert!(check_with_encoded_slashes(path).is_ok(), "the laxer rule takes what the stricter does");
    }
    if check_with_encoded_slashes(path).is_ok() {
        let whole = decode(path).unwrap();
        let parts: Vec<String> = whole.split('/').filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect();
        assert_eq!(resolved(&whole), parts, "no encoded slash leads elsewhere");
    }
});
