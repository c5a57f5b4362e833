//! JSON Pointers (RFC 6901) into texts: what they point at is the text itself, so that every digit of a number stays.

use std::{fmt, str::FromStr};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A place in a JSON text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

/// Text that is no JSON Pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no JSON Pointer such as /customer/id (RFC 6901)")]
pub(super) struct NotAPointer;

impl FromStr for Pointer {
    type Err = NotAPointer;

    fn from_str(text: &str) -> Result<Self, NotAPointer> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let tokens = text.strip_prefix('/').ok_or(NotAPointer)?.split('/');
        tokens.map(token).collect::<Option<_>>().map(Self).ok_or(NotAPointer)
    }
}

/// One token; `None` where a `~` stands for nothing.
fn token(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '~' => match letters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

impl fmt::Display for Pointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(out, "/{}", contract::schema::pointer_token(token)))
    }
}

impl Pointer {
    pub(super) fn tokens(&self) -> &[String] {
        &self.0
    }

    /// What it points at in a text that is known to be JSON; `None` where there is nothing.
    pub(super) fn find<'t>(&self, text: &'t RawValue) -> Option<&'t RawValue> {
        self.0.iter().try_fold(text, |value, token| match value.get().as_bytes().first()? {
            b'{' => {
                let members = Members::of(value)?.0;
                members.into_iter().find(|(name, _)| name == token).map(|(_, found)| found)
            }
            b'[' => item(value.get(), token),
            _ => None,
        })
    }
}

/// The members of an object with the texts of their values, in their order.
pub(super) struct Members<'t>(pub(super) Vec<(String, &'t RawValue)>);

impl<'t> Members<'t> {
    /// Those of `text`, if it is an object.
    pub(super) fn of(text: &'t RawValue) -> Option<Self> {
        serde_json::from_str(text.get()).ok()
    }
}

impl<'de: 't, 't> Deserialize<'de> for Members<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Read).map(Self)
    }
}

/// One item of an array.
fn item<'t>(text: &'t str, token: &str) -> Option<&'t RawValue> {
    struct Read(usize);
    impl<'de> Visitor<'de> for Read {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            for _ in 0..self.0 {
                if items.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(None);
                }
            }
            let found = items.next_element()?;
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(found)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_seq(Read(index(token)?)).ok()?
}

/// An index is written without leading zeros (RFC 6901 §4).
pub(super) fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with(['0', '+']);
    if plain { token.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_the_text_as_it_came() {
        let text = r#"{"a/b":[{"id":9007199254740993},{"id":1.10}],"~":null,"s":"\u0041"}"#;
        let text: &RawValue = serde_json::from_str(text).unwrap();
        for (pointer, found) in [
            ("/a~1b/0/id", Some("9007199254740993")),
            ("/a~1b/1/id", Some("1.10")),
            ("/~0", Some("null")),
            ("/s", Some("\"\\u0041\"")),
            ("/a~1b/2", None),
            ("/a~1b/01", None),
            ("/s/x", None),
            ("/none", None),
            ("", Some(text.get())),
        ] {
            let pointer: Pointer = pointer.parse().unwrap();
            assert_eq!(pointer.find(text).map(RawValue::get), found, "{pointer}");
        }
        for wrong in ["a", "/~", "/~2"] {
            assert!(wrong.parse::<Pointer>().is_err(), "{wrong}");
        }
    }
}
