//! How a service says by which contract it serves, so that who calls it can tell whether the two are of one mind.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::document::{self, About, DocumentError};

/// Where a service tells its contract, below its URL.
pub const PATH: &str = "/.well-known/contract";

/// Members of a document that say nothing about its operations.
const WORDS: [&str; 4] = ["info", "servers", "tags", "externalDocs"];

/// What a service answers at [`PATH`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The document's [`fingerprint`]; also the `ETag` of the answer.
    pub fingerprint: String,
    /// The OpenAPI document that it serves by.
    pub document: Value,
}

impl Offer {
    /// What a service with this document answers.
    #[must_use]
    pub fn new(document: Value) -> Self {
        Self { fingerprint: fingerprint(&document), document }
    }
}

/// The document by which a service of the platform's own and the gateway know each other: of every public operation, without words
/// of either side.
///
/// # Errors
/// Documents that clash.
pub fn shared(service: &str, documents: &[Value]) -> Result<Value, DocumentError> {
    let about = About { title: service.to_owned(), version: String::new(), description: String::new() };
    document::merge(&about, documents)
}

/// What a document says of its operations, as 64 hexadecimal digits: the same for two that differ in the order of members, in
/// white space, or in what stands about them only.
#[must_use]
pub fn fingerprint(document: &Value) -> String {
    let mut kept = document.clone();
    if let Some(map) = kept.as_object_mut() {
        map.retain(|name, _| !WORDS.contains(&name.as_str()));
    }
    let text = sorted(kept).to_string();
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut written, byte| {
        let _ = write!(written, "{byte:02x}");
        written
    })
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut members: Vec<(String, Value)> =
                map.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(Map::from_iter(members))
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        // 1 and 1.0 are the same number (RFC 8259 §6).
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                format!("{float:.0}").parse::<i64>().map_or_else(|_| json!(number), Into::into)
            }
            _ => Value::Number(number),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_of_what_is_said_about_operations_alone() {
        let one: Value = serde_json::from_str(
            r#"{"openapi":"3.0.3","info":{"title":"a"},"paths":{"/a":{"get":{"x":1}}}}"#,
        )
        .unwrap();
        let same: Value = serde_json::from_str(
            r#"{"paths":{"/a":{"get":{"x":1.0}}},"info":{"title":"b"},"openapi":"3.0.3"}"#,
        )
        .unwrap();
        let other: Value =
            serde_json::from_str(r#"{"openapi":"3.0.3","paths":{"/a":{"get":{"x":2}}}}"#).unwrap();
        assert_eq!(fingerprint(&one), fingerprint(&same));
        assert_ne!(fingerprint(&one), fingerprint(&other));
        assert_eq!(fingerprint(&one).len(), 64);
    }
}
