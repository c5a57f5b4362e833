//! `Cache-Control`, read as RFC 9111 §5.2 has it: names in any case, quoted strings whole, a contradiction at its least.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, header};

/// As much as any lifetime is taken for (RFC 9111 §1.2.2).
const LONGEST: u64 = 1 << 31;

/// The directives of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Directives(BTreeMap<String, Option<String>>);

impl Directives {
    /// Those of these fields.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut all = BTreeMap::new();
        for line in headers.get_all(header::CACHE_CONTROL) {
            for member in members(&String::from_utf8_lossy(line.as_bytes())) {
                add(&mut all, &member);
            }
        }
        Self(all)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is there, with or without an argument.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The seconds of a directive; zero where what stands there is no number of seconds.
    pub(crate) fn seconds(&self, name: &str) -> Option<Duration> {
        let value = self.0.get(name)?;
        Some(Duration::from_secs(value.as_deref().and_then(seconds).unwrap_or(0)))
    }

    /// Its argument, where it has one.
    pub(crate) fn argument(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_deref()
    }
}

/// Of two that contradict each other the shorter holds.
fn add(all: &mut BTreeMap<String, Option<String>>, member: &str) {
    let (name, value) = match member.split_once('=') {
        Some((name, value)) => (name, Some(unquoted(value))),
        None => (member, None),
    };
    // White space around `=` makes it no directive (RFC 9110 §5.6.6), least of all one that allows something.
    if name.is_empty() || name.ends_with([' ', '\t']) {
        return;
    }
    let name = name.to_ascii_lowercase();
    match all.get_mut(&name) {
        Some(known) => {
            let least = |value: &Option<String>| value.as_deref().and_then(seconds).unwrap_or(0);
            if least(&value) < least(known) {
                *known = value;
            }
        }
        None => {
            all.insert(name, value);
        }
    }
}

/// Digits alone; more than is ever kept is as much as is ever kept.
fn seconds(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(LONGEST).min(LONGEST))
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace('\\', ""),
        None => value.to_owned(),
    }
}

/// The members of a list; a comma inside a quoted string parts nothing.
pub(crate) fn members(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut member = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for character in list.chars() {
        match character {
            ',' if !quoted => found.push(std::mem::take(&mut member)),
            _ => {
                if character == '"' && !escaped {
                    quoted = !quoted;
                }
                escaped = quoted && character == '\\' && !escaped;
                member.push(character);
            }
        }
    }
    found.push(member);
    found.iter().map(|member| member.trim().to_owned()).filter(|member| !member.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Directives {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CACHE_CONTROL, line.parse().unwrap());
        }
        Directives::of(&headers)
    }

    #[test]
    fn what_stands_in_a_quoted_string_is_no_directive() {
        let read = of(&["extension=\"max-age=3600, no-store\", MAX-Age=\"1\""]);
        assert_eq!(read.seconds("max-age"), Some(Duration::from_secs(1)));
        assert!(!read.has("no-store"));
    }

    #[test]
    fn the_shorter_of_two_lifetimes_holds_and_what_is_no_number_is_none() {
        assert_eq!(of(&["max-age=3600", "max-age=1"]).seconds("max-age"), Some(Duration::from_secs(1)));
        for wrong in ["max-age='3600'", "max-age=-3600", "max-age=3600.0", "max-age=", "max-age"] {
            assert_eq!(of(&[wrong]).seconds("max-age"), Some(Duration::ZERO), "{wrong}");
        }
        assert_eq!(of(&["max-age =3600"]).seconds("max-age"), None);
        assert_eq!(
            of(&["max-age=99999999999999999999"]).seconds("max-age"),
            Some(Duration::from_secs(1 << 31))
        );
    }
}
