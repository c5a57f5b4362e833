//! How a service says by which contract it serves, so that who calls it can tell whether the two are of one mind.

use std::{fmt::Write as _, io::Write as _};

use serde::{Deserialize, Serialize};
use serde_json::Value;
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
pub fn shared(service: &str, documents: Vec<Value>) -> Result<Value, DocumentError> {
    let about = About { title: service.to_owned(), version: String::new(), description: String::new() };
    document::merge(&about, documents)
}

/// What a document says of its operations, as 64 hexadecimal digits: the same for two that differ in the order of members, in
/// white space, or in what stands about them only.
#[must_use]
pub fn fingerprint(document: &Value) -> String {
    let mut text = Vec::with_capacity(4096);
    match document {
        Value::Object(map) => {
            write_members(map.iter().filter(|(name, _)| !WORDS.contains(&name.as_str())), &mut text);
        }
        other => write(other, &mut text),
    }
    let digest = Sha256::digest(&text);
    digest.iter().fold(String::with_capacity(64), |mut written, byte| {
        let _ = write!(written, "{byte:02x}");
        written
    })
}

/// One text for all values that are equal: members by name, numbers as whole ones where they are.
fn write(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Object(map) => write_members(map.iter(), text),
        Value::Array(items) => {
            text.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                write(item, text);
            }
            text.push(b']');
        }
        Value::Number(number) => {
            // 1 and 1.0 are the same number (RFC 8259 §6); 0 is added since -0.0 is one of them.
            let _ = match number.as_f64().map(|float| float + 0.0) {
                Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                    write!(text, "{float:.0}")
                }
                _ => write!(text, "{number}"),
            };
        }
        other => {
            let _ = serde_json::to_writer(text, other);
        }
    }
}

fn write_members<'v>(members: impl Iterator<Item = (&'v String, &'v Value)>, text: &mut Vec<u8>) {
    let mut members: Vec<_> = members.collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    text.push(b'{');
    for (at, (name, value)) in members.into_iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        let _ = serde_json::to_writer(&mut *text, name);
        text.push(b':');
        write(value, text);
    }
    text.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_of_what_is_said_about_operations_alone() {
        let one: Value = serde_json::from_str(
            r#"{"openapi":"3.0.3","info":{"title":"a"},"paths":{"/a":{"get":{"x":1,"y":[0,"\"é"]}}}}"#,
        )
        .unwrap();
        let same: Value = serde_json::from_str(
            r#"{"paths":{"/a":{"get":{"y":[-0.0,"\"\u00e9"],"x":1.0}}},"info":{"title":"b"},"openapi":"3.0.3"}"#,
        )
        .unwrap();
        assert_eq!(fingerprint(&one), fingerprint(&same));
        for pointer in ["/openapi", "/paths/~1a/get/x", "/paths/~1a/get/y", "/paths/~1a/get/y/1"] {
            let mut other = one.clone();
            *other.pointer_mut(pointer).unwrap() = 2.into();
            assert_ne!(fingerprint(&one), fingerprint(&other), "{pointer}");
        }
        assert_eq!(fingerprint(&one).len(), 64);
    }
}
