//! `[[compose]]`: operations that the gateway makes of several calls, as the configuration file declares them.

use std::{collections::BTreeMap, time::Duration};

use contract::{ServiceName, operation::Access};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    declared::{bytes, duration, some_access},
    fault::Origin,
};

/// A composed operation, with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed {
    /// What the file says.
    pub settings: ComposedSettings,
    /// The line.
    pub origin: Origin,
    /// The line of each part, in their order.
    pub parts: Vec<Origin>,
}

/// One `[[compose]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComposedSettings {
    /// Its `operationId`: in the document, the log and metrics.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Its path, such as `/api/order-pages/{order}`. The method is GET.
    pub path: String,
    /// One line for people.
    #[serde(default)]
    pub summary: Option<String>,
    /// Who may call it; as the strictest of its required parts by default, and no weaker than that.
    #[serde(default, deserialize_with = "some_access")]
    #[schemars(with = "Option<String>")]
    pub access: Option<Access>,
    /// For all parts together; the gateway's `upstream_timeout` by default.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub timeout: Option<Duration>,
    /// Bytes of all parts' answers together at most; 4 MiB by default.
    #[serde(default, deserialize_with = "bytes")]
    #[schemars(with = "Option<super::written_as::Size>")]
    pub body_limit: Option<usize>,
    /// Whether whole answers are stored (RFC 9111). Parts come from the cache as their own operations say.
    #[serde(default)]
    pub cache: bool,
    /// How often it may be called, such as `100/min by user`.
    #[serde(default)]
    pub rate_limit: Option<String>,
    /// What it is made of. They are asked at once, but for those that wait for another's answer.
    #[serde(rename = "part", default)]
    pub parts: Vec<PartSettings>,
}

/// One `[[compose.part]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartSettings {
    /// Its name: in `Platform-Missing`, in `from` of later parts, and the member that holds its answer unless `as` says another.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// The service that is called.
    #[schemars(with = "String")]
    pub service: ServiceName,
    /// The `operationId` in that service's document.
    pub operation: String,
    /// Whether there is no answer without it.
    #[serde(default = "yes")]
    pub required: bool,
    /// What its path and query parameters are filled from, by their names.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, super::written_as::Parameter>")]
    pub parameters: BTreeMap<String, ParameterSource>,
    /// A JSON Pointer to what is taken of its answer; all of it by default.
    #[serde(default)]
    pub select: Option<String>,
    /// The member of the composed answer that holds it.
    #[serde(rename = "as", default)]
    pub member: Option<String>,
    /// Its members stand in the composed answer itself.
    #[serde(default)]
    pub merge: bool,
    /// From sending its request to the last byte of its answer; its operation's own by default.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub timeout: Option<Duration>,
}

/// Where a part's parameter comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterSource {
    /// `{ path = "order" }`: a parameter of the composed path, as it was sent.
    Path(String),
    /// `{ query = "page" }`: a key of the composed query, as it was sent and as often.
    Query(String),
    /// `{ from = "order", pointer = "/customer/id" }`: a value in another part's answer.
    Part {
        /// The other part.
        name: String,
        /// Where in its answer, before anything is selected of it.
        pointer: String,
    },
    /// `{ value = "10" }`: always this.
    Value(String),
}

impl<'de> Deserialize<'de> for ParameterSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            path: Option<String>,
            query: Option<String>,
            from: Option<String>,
            pointer: Option<String>,
            value: Option<String>,
        }
        let Written { path, query, from, pointer, value } = Written::deserialize(deserializer)?;
        match (path, query, from, pointer, value) {
            (Some(name), None, None, None, None) => Ok(Self::Path(name)),
            (None, Some(name), None, None, None) => Ok(Self::Query(name)),
            (None, None, Some(name), Some(pointer), None) => Ok(Self::Part { name, pointer }),
            (None, None, None, None, Some(text)) => Ok(Self::Value(text)),
            _ => Err(D::Error::custom(
                "a parameter takes one of { path = \"name\" }, { query = \"name\" }, \
                 { from = \"part\", pointer = \"/member\" }, { value = \"text\" }",
            )),
        }
    }
}

fn yes() -> bool {
    true
}

/// A name stands in header fields and as a member of JSON.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let starts = text.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let is_name =
        starts && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
    if is_name && text.len() <= 64 {
        Ok(text)
    } else {
        Err(D::Error::custom(format!(
            "{text:?} is no name: it takes up to 64 letters, digits, `_`, `-` and `.`, a letter first"
        )))
    }
}
