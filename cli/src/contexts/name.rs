//! The name of a context: a word that is also a safe file name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

/// The name of the platform of this machine's configuration; it is always there.
const LOCAL: &str = "local";

/// Longest name.
const LONGEST: usize = 64;

/// The name of a context: letters a-z, digits, `.`, `-` and `_`; the first is a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct ContextName(String);

impl ContextName {
    /// The platform of this machine's configuration.
    #[must_use]
    pub(crate) fn local() -> Self {
        Self(LOCAL.to_owned())
    }

    /// Whether it is [`LOCAL`].
    #[must_use]
    pub(crate) fn is_local(&self) -> bool {
        self.0 == LOCAL
    }

    /// The name itself.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A name made from an address: its host, and its port where that is not the usual one.
    #[must_use]
    pub(crate) fn of_url(url: &Url) -> Option<Self> {
        let host = url.host_str()?.trim_matches(['[', ']']).replace(':', "-");
        let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
        format!("{host}{port}").trim_start_matches('-').parse().ok()
    }
}

impl FromStr for ContextName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_name = text.len() <= LONGEST
            && text.starts_with(fits)
            && text.chars().all(|c| fits(c) || matches!(c, '.' | '-' | '_'));
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err("a name is of a-z, 0-9, '.', '-' and '_', begins with a letter or digit, and has 64 at most")
        }
    }
}

impl fmt::Display for ContextName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ContextName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_safe_file_name() {
        for wrong in ["", ".", "..", "../x", "a/b", "A", "-a", "ä", "a b", &"a".repeat(65)] {
            assert!(wrong.parse::<ContextName>().is_err(), "{wrong}");
        }
        for right in ["local", "staging.example.com", "1", "a-b_c.d", &"a".repeat(64)] {
            assert!(right.parse::<ContextName>().is_ok(), "{right}");
        }
    }

    #[test]
    fn a_platform_gets_its_name_from_its_address() {
        for (url, name) in [
            ("https://Staging.Example.com/", "staging.example.com"),
            ("https://h:8443/base/", "h-8443"),
            ("http://[::1]:8001/", "1-8001"),
            ("http://127.0.0.1:8001/", "127.0.0.1-8001"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(ContextName::of_url(&url).unwrap().as_str(), name);
        }
    }
}
