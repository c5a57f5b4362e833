//! The address at which a part is asked: what came with the request stays byte for byte, what came out of an answer is encoded,
//! and nothing of it may be read as another path.

use contract::path::BadPath;
use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::value::RawValue;
use url::form_urlencoded;

use super::{
    merge,
    parameters::In,
    plan::{Planned, Source},
};

/// All but the unreserved characters (RFC 3986 §2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A part can't be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unasked {
    /// There is no value.
    #[error("there is no value for its parameter {0}")]
    NoValue(String),
    /// A value would lead to another path.
    #[error("the path made of an answer's value {0}")]
    Path(BadPath),
    /// No address.
    #[error("no address can be made for it")]
    Uri,
}

/// What values can be taken from.
pub(super) struct Values<'v> {
    /// Raw texts of the composed path's parameters.
    pub(super) path: &'v [(String, String)],
    /// The raw query.
    pub(super) query: Option<&'v str>,
}

impl Values<'_> {
    fn path(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// The raw texts of a key, as often as it stands there.
    fn query<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        let pairs = self.query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        pairs.filter_map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let mut read = form_urlencoded::parse(key.as_bytes());
            (read.next().map_or(String::new(), |(key, _)| key.into_owned()) == name).then_some(value)
        })
    }
}

/// Where a part is asked.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) uri: Uri,
    /// The raw texts of its path's parameters.
    pub(super) path: Vec<(String, String)>,
}

/// Path and query for a part; `answer` gives the whole answers of others.
pub(super) fn of<'a>(
    part: &Planned,
    values: &Values<'_>,
    answer: impl Fn(usize) -> Option<&'a RawValue>,
) -> Result<Address, Unasked> {
    let (mut path, mut query, mut filled) = (part.path.clone(), String::new(), Vec::new());
    for fill in &part.fills {
        let texts: Vec<String> = match (&fill.source, fill.place) {
            (Source::Path(name), In::Path) => values.path(name).map(str::to_owned).into_iter().collect(),
            (Source::Path(name), _) => {
                let text = values.path(name).map(|raw| percent_decode_str(raw).decode_utf8_lossy());
                text.map(|text| encoded(&text)).into_iter().collect()
            }
            (Source::Query(name), In::Query) => values.query(name).map(str::to_owned).collect(),
            (Source::Query(name), _) => {
                let first = values.query(name).next().map(|raw| format!("v={raw}"));
                let read = first.and_then(|raw| {
                    form_urlencoded::parse(raw.as_bytes()).next().map(|(_, text)| encoded(&text))
                });
                read.into_iter().collect()
            }
            (Source::Part(other, pointer), _) => {
                let found = answer(*other).and_then(|answer| pointer.find(answer));
                found.and_then(merge::parameter).map(|text| encoded(&text)).into_iter().collect()
            }
            (Source::Value(text), _) => vec![encoded(text)],
        };
        match fill.place {
            In::Path => {
                let text = texts.first().filter(|text| !text.is_empty());
                let text = text.ok_or_else(|| Unasked::NoValue(fill.name.clone()))?;
                path = path.replace(&format!("{{{}}}", fill.name), text);
                filled.push((fill.name.clone(), text.clone()));
            }
            _ if texts.is_empty() && fill.required => return Err(Unasked::NoValue(fill.name.clone())),
            _ => {
                for text in texts {
                    query.push(if query.is_empty() { '?' } else { '&' });
                    query.push_str(&encoded(&fill.name));
                    query.push('=');
                    query.push_str(&text);
                }
            }
        }
    }
    contract::path::check(&path).map_err(Unasked::Path)?;
    let uri = Uri::try_from(format!("{path}{query}")).map_err(|_| Unasked::Uri)?;
    Ok(Address { uri, path: filled })
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::services::composed::{merge::Put, plan::Fill, pointer::Pointer};

    fn part(fills: Vec<(&str, In, Source, bool)>) -> Planned {
        let fills = fills.into_iter().map(|(name, place, source, required)| Fill {
            name: name.to_owned(),
            place,
            source,
            required,
        });
        Planned {
            name: "p".to_owned(),
            required: true,
            path: "/api/s/{id}/x".to_owned(),
            fills: fills.collect(),
            after: BTreeSet::new(),
            select: Pointer::default(),
            put: Put::Member("p".to_owned()),
        }
    }

    fn address(part: &Planned, answer: &str) -> Result<String, Unasked> {
        let answer: Box<RawValue> = RawValue::from_string(answer.to_owned()).unwrap();
        let path = [("order".to_owned(), "a%20b;v=1".to_owned())];
        let values = Values { path: &path, query: Some("tag=1&x=y&t%61g=%2B+2&empty") };
        of(part, &values, |_| Some(&answer)).map(|address| address.uri.to_string())
    }

    #[test]
    fn what_came_with_the_request_stays_as_it_was_and_is_written_anew_only_for_another_place() {
        let (path, query) = (|| Source::Path("order".to_owned()), || Source::Query("tag".to_owned()));
        let all = part(vec![("id", In::Path, path(), true), ("t", In::Query, query(), false)]);
        assert_eq!(address(&all, "{}").unwrap(), "/api/s/a%20b;v=1/x?t=1&t=%2B+2");
        let crossed = part(vec![("id", In::Path, query(), true), ("t", In::Query, path(), false)]);
        assert_eq!(address(&crossed, "{}").unwrap(), "/api/s/1/x?t=a%20b%3Bv%3D1");
        let absent = |required| {
            part(vec![
                ("id", In::Path, path(), true),
                ("t", In::Query, Source::Query("no".to_owned()), required),
            ])
        };
        assert_eq!(address(&absent(false), "{}").unwrap(), "/api/s/a%20b;v=1/x");
        assert_eq!(address(&absent(true), "{}"), Err(Unasked::NoValue("t".to_owned())));
    }

    #[test]
    fn a_value_of_an_answer_leads_to_no_other_path() {
        let chained = part(vec![("id", In::Path, Source::Part(0, "/id".parse().unwrap()), true)]);
        for (answer, address_of) in [
            (r#"{"id":9007199254740993}"#, Ok("/api/s/9007199254740993/x")),
            (r#"{"id":"a?b#c&d=é"}"#, Ok("/api/s/a%3Fb%23c%26d%3D%C3%A9/x")),
            (r#"{"id":".."}"#, Err(Unasked::Path(BadPath::DotSegment))),
            (r#"{"id":"a/../b"}"#, Err(Unasked::Path(BadPath::EncodedSlash))),
            (r#"{"id":"a\\b"}"#, Err(Unasked::Path(BadPath::Backslash))),
            (r#"{"id":"a\u0000"}"#, Err(Unasked::Path(BadPath::Control))),
            (r#"{"id":""}"#, Err(Unasked::NoValue("id".to_owned()))),
            (r#"{"id":null}"#, Err(Unasked::NoValue("id".to_owned()))),
            (r#"{"id":[1]}"#, Err(Unasked::NoValue("id".to_owned()))),
            ("{}", Err(Unasked::NoValue("id".to_owned()))),
        ] {
            assert_eq!(address(&chained, answer), address_of.map(str::to_owned), "{answer}");
        }
    }
}
