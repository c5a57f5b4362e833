//! Under what an answer is kept: the address it was asked at, who asked where that matters, and the fields it varies by.
//!
//! Everything goes into a key with its length before it, so that no two things can be written alike.

use aws_lc_rs::digest;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use url::{Position, Url};

use super::directives::members;

/// Whose answer it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// Anybody's: the operation does not read who calls.
    Nobody,
    /// This caller's alone.
    User(String),
}

impl Identity {
    /// For people.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Nobody => "everybody".to_owned(),
            Self::User(subject) => format!("{subject} alone"),
        }
    }
}

/// A key of the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.hex())
    }
}

impl Key {
    /// As a store outside writes it.
    pub(crate) fn hex(&self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        })
    }
}

/// The key of an address: what a change of it ends, whoever asked for it. The query counts byte for byte.
pub(crate) fn address(host: &[u8], target: &str) -> Key {
    hashed(&[b"address", &host.to_ascii_lowercase(), target.as_bytes()])
}

/// The address that a request asks for.
pub(crate) fn address_of(request: &Parts) -> Key {
    address(host(request), target(request))
}

/// The address that an answer to `request` names, where it is one of the same host.
pub(crate) fn named_by(request: &Parts, reference: &HeaderValue) -> Option<Key> {
    let host = std::str::from_utf8(host(request)).ok()?;
    let base = Url::parse(&format!("http://{host}{}", target(request))).ok()?;
    let named = base.join(reference.to_str().ok()?).ok()?;
    let same = named.host() == base.host() && (named.port() == base.port() || named.scheme() == "https");
    same.then(|| address(host.as_bytes(), &named[Position::BeforePath..Position::AfterQuery]))
}

/// The host that a request asks for.
pub(crate) fn host(request: &Parts) -> &[u8] {
    match request.uri.authority() {
        Some(authority) => authority.as_str().as_bytes(),
        None => request.headers.get(header::HOST).map_or(b"", |host| host.as_bytes()),
    }
}

/// Path and query as they were sent.
pub(crate) fn target(request: &Parts) -> &str {
    request.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// The key of one answer among those of an address. `generation` is that of the address: a change of it ends them all.
pub(crate) fn variant(
    address: Key,
    generation: u128,
    identity: &Identity,
    vary: &[String],
    headers: &HeaderMap,
) -> Key {
    let generation = generation.to_be_bytes();
    let (kind, user): (&[u8], &[u8]) = match identity {
        Identity::Nobody => (b"nobody", b""),
        Identity::User(user) => (b"user", user.as_bytes()),
    };
    let values: Vec<Option<Vec<u8>>> = vary.iter().map(|name| presented(headers, name)).collect();
    let mut parts: Vec<&[u8]> = vec![b"variant", &address.0, &generation, kind, user];
    for (name, value) in vary.iter().zip(&values) {
        parts.push(name.as_bytes());
        match value {
            Some(value) => parts.extend([b"is" as &[u8], value]),
            None => parts.push(b"absent"),
        }
    }
    hashed(&parts)
}

/// The names of `Vary`, lower-case and in order; none where it holds `*`: such an answer is never reused.
pub(crate) fn vary(headers: &HeaderMap) -> Option<Vec<String>> {
    let mut names: Vec<String> = headers
        .get_all(header::VARY)
        .iter()
        .flat_map(|line| members(&String::from_utf8_lossy(line.as_bytes())))
        .map(|name| name.to_ascii_lowercase())
        .collect();
    names.sort_unstable();
    names.dedup();
    (!names.iter().any(|name| name == "*")).then_some(names)
}

/// What a request presents of a field: lines joined, white space around members gone (RFC 9111 §4.1).
fn presented(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let lines: Vec<&[u8]> = headers.get_all(&name).iter().map(http::HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return None;
    }
    let members: Vec<&[u8]> =
        lines.iter().flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect();
    Some(members.join(&b","[..]))
}

fn hashed(parts: &[&[u8]]) -> Key {
    let length = parts.iter().map(|part| 8 + part.len()).sum();
    let mut text = Vec::with_capacity(length);
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    let mut key = [0; 32];
    key.copy_from_slice(digest::digest(&digest::SHA256, &text).as_ref());
    Key(key)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn identity() -> impl Strategy<Value = Identity> {
        prop_oneof![Just(Identity::Nobody), "[a-z:\\-]{0,6}".prop_map(Identity::User)]
    }

    type Asked = (Identity, String, String, Vec<(&'static str, String)>);

    fn asked() -> impl Strategy<Value = Asked> {
        let fields = prop::collection::vec((prop_oneof![Just("foo"), Just("bar")], "[a-c]{0,2}"), 0..3);
        (identity(), "[ab]{1,2}", "/[ab]{0,2}(\\?[ab&=]{0,4})?", fields)
    }

    fn key(asked: &Asked, vary: &[String]) -> Key {
        let mut headers = HeaderMap::new();
        for (name, value) in &asked.3 {
            headers.append(*name, HeaderValue::try_from(value).unwrap());
        }
        variant(address(asked.1.as_bytes(), &asked.2), 7, &asked.0, vary, &headers)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn no_key_is_shared_by_two_subjects_two_addresses_or_two_presentations(one in asked(), other in asked()) {
            let vary = vec!["bar".to_owned(), "foo".to_owned()];
            let presents = |asked: &Asked| {
                let mut all: Vec<(&str, Vec<&str>)> = vec![("bar", vec![]), ("foo", vec![])];
                for (name, value) in &asked.3 {
                    all.iter_mut().find(|(known, _)| known == name).unwrap().1.push(value);
                }
                all.into_iter().map(|(name, values)| (name.to_owned(), values.join(","), values.is_empty())).collect::<Vec<_>>()
            };
            let same = one.0 == other.0 && one.1 == other.1 && one.2 == other.2 && presents(&one) == presents(&other);
            prop_assert_eq!(key(&one, &vary) == key(&other, &vary), same);
        }
    }

    #[test]
    fn two_orders_of_a_query_are_two_keys_and_white_space_in_a_list_is_nothing() {
        let of = |uri: &str| address_of(&Request::get(uri).body(()).unwrap().into_parts().0);
        assert_ne!(of("/x?a=1&b=2"), of("/x?b=2&a=1"));
        let headers = |value: &str| HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, value.parse().unwrap())]);
        let vary = ["accept-language".to_owned()];
        let of = |value| variant(of("/"), 1, &Identity::Nobody, &vary, &headers(value));
        assert_eq!(of("de, it"), of("de,it"));
        assert_ne!(of("de, it"), of("it, de"));
    }
}
