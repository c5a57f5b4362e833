//! A compiled schema: nodes in one list, so that `$ref` may go in circles.

use std::collections::HashMap;

use regex::Regex;
use serde_json::Value;

use super::format::Format;

/// A node's place in its [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub(super) usize);

/// Every schema of one document.
#[derive(Debug, Default)]
pub struct Schema {
    pub(super) nodes: Vec<Node>,
}

impl Schema {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }
}

/// The JSON types a value may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    pub(super) const NUMBER: Self = Self(8 | 4);
    pub(super) const STRING: Self = Self(16);
    pub(super) const ARRAY: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    pub(super) const ANY: Self = Self(127);
    pub(super) const NONE: Self = Self(0);

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn allows(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// For people: "string", "integer or null".
    pub(super) fn describe(self) -> String {
        let names: Vec<&str> = [
            (Self::STRING, "a string"),
            (Self::NUMBER, "a number"),
            (Self::INTEGER, "an integer"),
            (Self::BOOLEAN, "true or false"),
            (Self::ARRAY, "an array"),
            (Self::OBJECT, "an object"),
            (Self::NULL, "null"),
        ]
        .into_iter()
        .filter(|(kind, _)| self.allows(*kind))
        .filter(|(kind, _)| *kind != Self::INTEGER || !self.allows(Self::NUMBER))
        .map(|(_, name)| name)
        .collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(" or ") }
    }
}

/// One schema.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) types: Types,
    pub(super) one_of_values: Option<Vec<Value>>,
    pub(super) string: StringRules,
    pub(super) number: NumberRules,
    pub(super) array: ArrayRules,
    pub(super) object: ObjectRules,
    pub(super) all_of: Vec<NodeId>,
    pub(super) any_of: Vec<NodeId>,
    pub(super) one_of: Vec<NodeId>,
    pub(super) not: Option<NodeId>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            types: Types::ANY,
            one_of_values: None,
            string: StringRules::default(),
            number: NumberRules::default(),
            array: ArrayRules::default(),
            object: ObjectRules::default(),
            all_of: Vec::new(),
            any_of: Vec::new(),
            one_of: Vec::new(),
            not: None,
        }
    }
}

impl Node {
    /// Whether the value must be held whole to be judged.
    pub(super) fn needs_whole_value(&self) -> bool {
        !self.all_of.is_empty()
            || !self.any_of.is_empty()
            || !self.one_of.is_empty()
            || self.not.is_some()
            || self.array.unique
            || self
                .one_of_values
                .as_ref()
                .is_some_and(|values| values.iter().any(|value| value.is_array() || value.is_object()))
    }
}

#[derive(Debug, Default)]
pub(super) struct StringRules {
    pub(super) minimum_length: usize,
    pub(super) maximum_length: Option<usize>,
    pub(super) pattern: Option<Pattern>,
    pub(super) format: Option<Format>,
}

/// A regular expression; look-around and back-references, which ECMA-262 has, cost the slower engine.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Linear(Regex),
    Backtracking(fancy_regex::Regex),
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, fancy_regex::Error> {
        match Regex::new(text) {
            Ok(regex) => Ok(Self::Linear(regex)),
            Err(_) => fancy_regex::Regex::new(text).map(Self::Backtracking),
        }
    }

    /// Whether it is found in `text`; a search that takes too many steps finds nothing.
    pub(super) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Linear(regex) => regex.is_match(text),
            Self::Backtracking(regex) => regex.is_match(text).unwrap_or(false),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Linear(regex) => regex.as_str(),
            Self::Backtracking(regex) => regex.as_str(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) minimum: Option<(f64, Bound)>,
    pub(super) maximum: Option<(f64, Bound)>,
    pub(super) multiple_of: Option<f64>,
    /// From `format: int32` or `int64`.
    pub(super) integer_range: Option<(i64, i64)>,
}

/// Whether a bound itself is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Inclusive,
    Exclusive,
}

#[derive(Debug, Default)]
pub(super) struct ArrayRules {
    pub(super) items: Option<NodeId>,
    pub(super) minimum_items: usize,
    pub(super) maximum_items: Option<usize>,
    pub(super) unique: bool,
}

/// Properties that a schema names. Strangers choose what is looked up, never what is in it: it needs no hash against floods.
pub(super) type Properties = HashMap<String, NodeId, foldhash::fast::RandomState>;

#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    pub(super) properties: Properties,
    pub(super) required: Vec<String>,
    pub(super) additional: Additional,
    pub(super) minimum_properties: usize,
    pub(super) maximum_properties: Option<usize>,
}

/// What a schema says of properties it does not name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Additional {
    /// Nothing: allowed, and dropped from the answers of typed routes.
    #[default]
    Unsaid,
    /// `additionalProperties: true`.
    Allowed,
    /// `additionalProperties: false`.
    Forbidden,
    /// A schema for each.
    Fits(NodeId),
}
