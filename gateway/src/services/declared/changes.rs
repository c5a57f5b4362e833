//! Changes of header fields, query keys and JSON bodies that the configuration asks for, checked when it is loaded.

use bytes::Bytes;
use contract::Email;
use http::{HeaderMap, HeaderName, HeaderValue};
use kit::config::{BodyChanges, FieldChanges};
use serde_json::{Map, Value};
use url::form_urlencoded;

/// Fields that frame a message or route it: no setting may touch them.
const FRAMING: [&str; 6] = ["connection", "content-length", "host", "transfer-encoding", "te", "upgrade"];

/// A change that can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeFault {
    /// No header field has this name.
    #[error("headers: {0:?} is no name of a header field")]
    HeaderName(String),
    /// A value that no header field can have.
    #[error("headers: the value of {0} is none that a header field can have")]
    HeaderValue(String),
    /// A field that the gateway keeps.
    #[error("headers: {0} is the gateway's to write")]
    Framing(String),
    /// Text that is no JSON Pointer.
    #[error("body: {0:?} is no JSON Pointer such as /items/*/name (RFC 6901)")]
    Pointer(String),
}

/// Changes of header fields.
#[derive(Debug, Clone, Default)]
pub(super) struct HeaderChanges {
    allow: Option<Vec<HeaderName>>,
    remove: Vec<HeaderName>,
    rename: Vec<(HeaderName, HeaderName)>,
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
}

impl HeaderChanges {
    pub(super) fn new(changes: &FieldChanges) -> Result<Self, ChangeFault> {
        let pairs = |given: &std::collections::BTreeMap<String, String>| {
            given
                .iter()
                .map(|(name, value)| Ok((header_name(name)?, header_value(name, value)?)))
                .collect::<Result<Vec<_>, ChangeFault>>()
        };
        Ok(Self {
            allow: changes
                .allow
                .as_ref()
                .map(|names| names.iter().map(|name| header_name(name)).collect())
                .transpose()?,
            remove: changes.remove.iter().map(|name| header_name(name)).collect::<Result<_, _>>()?,
            rename: changes
                .rename
                .iter()
                .map(|(old, new)| Ok((header_name(old)?, header_name(new)?)))
                .collect::<Result<_, ChangeFault>>()?,
            set: pairs(&changes.set)?,
            add: pairs(&changes.add)?,
        })
    }

    /// `kept` are fields that no list of those let through drops.
    pub(super) fn apply(&self, headers: &mut HeaderMap, kept: impl Fn(&HeaderName) -> bool) {
        if let Some(allow) = &self.allow {
            let dropped: Vec<HeaderName> =
                headers.keys().filter(|name| !allow.contains(name) && !kept(name)).cloned().collect();
            for name in dropped {
                headers.remove(name);
            }
        }
        for name in &self.remove {
            headers.remove(name);
        }
        for (old, new) in &self.rename {
            let values: Vec<HeaderValue> = headers.get_all(old).iter().cloned().collect();
            headers.remove(old);
            for value in values {
                headers.append(new.clone(), value);
            }
        }
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
        for (name, value) in &self.add {
            if !headers.contains_key(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
}

fn header_name(name: &str) -> Result<HeaderName, ChangeFault> {
    if FRAMING.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return Err(ChangeFault::Framing(name.to_owned()));
    }
    name.to_ascii_lowercase().parse().map_err(|_| ChangeFault::HeaderName(name.to_owned()))
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, ChangeFault> {
    HeaderValue::try_from(value).map_err(|_| ChangeFault::HeaderValue(name.to_owned()))
}

/// Changes a query; what no change names stays byte for byte, in its order.
pub(super) fn change_query(changes: &FieldChanges, query: Option<&str>) -> Option<String> {
    if *changes == FieldChanges::default() {
        return query.map(str::to_owned);
    }
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let mut pairs: Vec<(String, String)> = Vec::new();
    for raw in query.unwrap_or_default().split('&').filter(|raw| !raw.is_empty()) {
        let key = form_urlencoded::parse(raw.as_bytes())
            .next()
            .map(|(key, _)| key.into_owned())
            .unwrap_or_default();
        let dropped = changes.allow.as_ref().is_some_and(|allow| !allow.contains(&key))
            || changes.remove.contains(&key)
            || changes.set.contains_key(&key);
        if dropped {
            continue;
        }
        match changes.rename.get(&key) {
            Some(new) => {
                let value = raw.split_once('=').map_or_else(String::new, |(_, value)| format!("={value}"));
                pairs.push((new.clone(), format!("{}{value}", encode(new))));
            }
            None => pairs.push((key, raw.to_owned())),
        }
    }
    for (key, value) in &changes.add {
        if !pairs.iter().any(|(known, _)| known == key) {
            pairs.push((key.clone(), format!("{}={}", encode(key), encode(value))));
        }
    }
    for (key, value) in &changes.set {
        pairs.push((key.clone(), format!("{}={}", encode(key), encode(value))));
    }
    let raw: Vec<String> = pairs.into_iter().map(|(_, raw)| raw).collect();
    (!raw.is_empty()).then(|| raw.join("&"))
}

/// Changes of a JSON body.
#[derive(Debug, Clone, Default)]
pub(super) struct JsonChanges {
    allow: Option<Vec<String>>,
    remove: Vec<Pointer>,
    rename: Vec<(Pointer, String)>,
    set: Vec<(Pointer, Value)>,
    trim: Vec<Pointer>,
    lowercase: Vec<Pointer>,
    email: Vec<Pointer>,
    envelope: Option<String>,
}

/// A JSON Pointer's parts; `*` is every item.
type Pointer = Vec<String>;

impl JsonChanges {
    pub(super) fn new(changes: &BodyChanges, envelope: Option<&String>) -> Result<Self, ChangeFault> {
        let pointers =
            |given: &[String]| given.iter().map(|text| pointer(text)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            allow: changes.allow.clone(),
            remove: pointers(&changes.remove)?,
            rename: changes
                .rename
                .iter()
                .map(|(old, new)| Ok((pointer(old)?, new.clone())))
                .collect::<Result<_, ChangeFault>>()?,
            set: changes
                .set
                .iter()
                .map(|(at, value)| Ok((pointer(at)?, value.clone())))
                .collect::<Result<_, ChangeFault>>()?,
            trim: pointers(&changes.trim)?,
            lowercase: pointers(&changes.lowercase)?,
            email: pointers(&changes.email)?,
            envelope: envelope.cloned(),
        })
    }

    /// Whether nothing is changed.
    pub(super) fn is_empty(&self) -> bool {
        self.allow.is_none()
            && self.envelope.is_none()
            && self.set.is_empty()
            && self.rename.is_empty()
            && [&self.remove, &self.trim, &self.lowercase, &self.email].iter().all(|list| list.is_empty())
    }

    /// The changed text; `None` for one that is no JSON.
    pub(super) fn apply(&self, text: &[u8]) -> Option<Bytes> {
        let mut value: Value = serde_json::from_slice(text).ok()?;
        if let Some(allow) = &self.allow {
            let keep = |map: &mut Map<String, Value>| map.retain(|name, _| allow.contains(name));
            match &mut value {
                Value::Object(map) => keep(map),
                Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(keep),
                _ => {}
            }
        }
        for at in &self.remove {
            below(&mut value, at, &mut |map, name| {
                map.shift_remove(name);
            });
        }
        for (at, new) in &self.rename {
            below(&mut value, at, &mut |map, name| rename(map, name, new));
        }
        for (at, new) in &self.set {
            below(&mut value, at, &mut |map, name| {
                map.insert(name.to_owned(), new.clone());
            });
        }
        for (list, change) in [
            (&self.trim, (|text: &str| text.trim().to_owned()) as fn(&str) -> String),
            (&self.lowercase, |text| text.to_lowercase()),
            (&self.email, |text| {
                text.parse::<Email>().map_or_else(|_| text.to_owned(), |email| email.canonical().to_owned())
            }),
        ] {
            for at in list {
                below(&mut value, at, &mut |map, name| {
                    if let Some(Value::String(text)) = map.get_mut(name) {
                        *text = change(text);
                    }
                });
            }
        }
        if let Some(name) = &self.envelope {
            value = Value::Object(Map::from_iter([(name.clone(), value)]));
        }
        serde_json::to_vec(&value).ok().map(Bytes::from)
    }
}

/// Gives a member another name, in its place.
fn rename(map: &mut Map<String, Value>, name: &str, new: &str) {
    if !map.contains_key(name) {
        return;
    }
    let before = std::mem::take(map);
    let renamed = before.into_iter().filter(|(key, _)| key != new || name == new);
    map.extend(renamed.map(|(key, value)| if key == name { (new.to_owned(), value) } else { (key, value) }));
}

/// Calls `change` with every object that holds the last part of a pointer.
fn below(value: &mut Value, pointer: &[String], change: &mut dyn FnMut(&mut Map<String, Value>, &str)) {
    match (pointer, value) {
        ([last], Value::Object(map)) => change(map, last),
        ([first, rest @ ..], Value::Object(map)) => {
            if let Some(inner) = map.get_mut(first) {
                below(inner, rest, change);
            }
        }
        ([first, rest @ ..], Value::Array(items)) if first == "*" => {
            for item in items {
                below(item, rest, change);
            }
        }
        ([first, rest @ ..], Value::Array(items)) => {
            if let Some(item) = first.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                below(item, rest, change);
            }
        }
        _ => {}
    }
}

fn pointer(text: &str) -> Result<Pointer, ChangeFault> {
    let inner = text.strip_prefix('/').ok_or_else(|| ChangeFault::Pointer(text.to_owned()))?;
    Ok(inner.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> FieldChanges {
        toml_edit::de::from_str(text).unwrap()
    }

    fn body(changes: &str, envelope: Option<&str>, text: &str) -> String {
        let changes: BodyChanges = toml_edit::de::from_str(changes).unwrap();
        let changes = JsonChanges::new(&changes, envelope.map(str::to_owned).as_ref()).unwrap();
        String::from_utf8(changes.apply(text.as_bytes()).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_query_without_changes_is_the_same_bytes_and_changes_touch_what_they_name_only() {
        let raw = "order[]=1&order[]=2&q=a%20b/c+d&empty&x=%zz";
        assert_eq!(change_query(&FieldChanges::default(), Some(raw)).as_deref(), Some(raw));
        assert_eq!(
            change_query(
                &fields("remove = [\"q\"]\nrename = { \"order[]\" = \"o\" }\nset = { t = \"ä\" }"),
                Some(raw)
            )
            .as_deref(),
            Some("o=1&o=2&empty&x=%zz&t=%C3%A4")
        );
        assert_eq!(change_query(&fields("allow = [\"q\"]"), Some(raw)).as_deref(), Some("q=a%20b/c+d"));
        assert_eq!(change_query(&fields("allow = []"), Some(raw)), None);
        assert_eq!(
            change_query(&fields("add = { q = \"1\", p = \"2\" }"), Some("q=9")).as_deref(),
            Some("q=9&p=2")
        );
    }

    #[test]
    fn a_body_keeps_the_order_of_its_members() {
        let text =
            r#"{"b":" X ","a":[{"id":1,"secret":2},{"id":9007199254740993}],"mail":" A@Example.org "}"#;
        assert_eq!(
            body(
                "remove = [\"/a/*/secret\"]\nrename = { \"/b\" = \"c\" }\ntrim = [\"/c\"]\nlowercase = [\"/c\"]\nset = { \"/a/1/n\" = 5 }\nemail = [\"/mail\"]",
                None,
                text
            ),
            r#"{"c":"x","a":[{"id":1},{"id":9007199254740993,"n":5}],"mail":"a@example.org"}"#
        );
        assert_eq!(body("allow = [\"b\"]", Some("data"), text), r#"{"data":{"b":" X "}}"#);
        assert_eq!(body("allow = [\"id\"]", None, r#"[{"id":1,"x":2}]"#), r#"[{"id":1}]"#);
    }

    #[test]
    fn what_can_t_be_changed_is_refused_when_it_is_loaded() {
        for (text, fault) in [
            ("set = { \"Content-Length\" = \"1\" }", "the gateway's to write"),
            ("remove = [\"a b\"]", "no name of a header field"),
            ("add = { a = \"x\\ny\" }", "none that a header field can have"),
        ] {
            assert!(HeaderChanges::new(&fields(text)).unwrap_err().to_string().contains(fault), "{text}");
        }
        let changes = BodyChanges { remove: vec!["a/b".to_owned()], ..BodyChanges::default() };
        assert!(matches!(JsonChanges::new(&changes, None), Err(ChangeFault::Pointer(_))));
    }
}
