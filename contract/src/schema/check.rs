//! Checks JSON bytes against a compiled schema in one pass, all faults at once.

mod judge;
mod keys;
mod rules;
mod unique;
mod walk;
mod whole;

use std::collections::HashSet;

use serde::de::DeserializeSeed;
use serde_json::Value;

use self::walk::{At, Walk};
use super::node::{NodeId, Schema, Types};
use crate::Violation;

/// JSON that can't be read, or must not be: it breaks RFC 8259, repeats a key, or holds NUL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Syntax(String);

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every value that does not fit (the first hundred).
    pub violations: Vec<Violation>,
    /// Whether an object holds a property that its schema neither names nor allows outright.
    pub undeclared: bool,
}

impl Schema {
    /// Checks a JSON text.
    ///
    /// # Errors
    /// [`Syntax`], with line and column.
    pub fn check(&self, node: NodeId, text: &[u8]) -> Result<Checked, Syntax> {
        let mut walk = Walk::new(self, text.len());
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let seed = At { node: Some(node), walk: &mut walk };
        seed.deserialize(&mut deserializer).map_err(|error| Syntax(error.to_string()))?;
        deserializer.end().map_err(|error| Syntax(error.to_string()))?;
        Ok(walk.found())
    }

    /// Checks a parameter's text: read as a number or boolean where the schema wants one and as text otherwise.
    #[must_use]
    pub fn check_parameter(&self, node: NodeId, text: &str) -> Vec<Violation> {
        let violations = self.check_text(node, text);
        if violations.is_empty() || !self.node(node).needs_whole_value() {
            return violations;
        }
        // One of several schemas may want the text as a number, another as text: whichever fits.
        match serde_json::from_str(text) {
            Ok(value @ (Value::Number(_) | Value::Bool(_)))
                if self.check_value(node, &value).violations.is_empty() =>
            {
                Vec::new()
            }
            _ => violations,
        }
    }

    /// Whether a parameter of this schema is a list.
    #[must_use]
    pub fn is_list(&self, node: NodeId) -> bool {
        self.list(node).is_some()
    }

    /// Checks a parameter's texts as the items of a list.
    #[must_use]
    pub fn check_parameter_list(&self, node: NodeId, texts: &[&str]) -> Vec<Violation> {
        let Some(list) = self.list(node) else { return Vec::new() };
        let rules = &self.node(list).array;
        let mut violations: Vec<Violation> = match rules.items {
            Some(items) => texts.iter().flat_map(|text| self.check_parameter(items, text)).collect(),
            None => Vec::new(),
        };
        if texts.len() < rules.minimum_items || rules.maximum_items.is_some_and(|most| texts.len() > most) {
            violations.push(Violation::body("", "the number of values is out of range"));
        }
        violations
    }

    fn list(&self, node: NodeId) -> Option<NodeId> {
        let mut parts = Vec::new();
        self.parts(node, &mut parts, &mut HashSet::new());
        parts.into_iter().find(|part| {
            let types = self.node(*part).types;
            types.allows(Types::ARRAY) && !types.allows(Types::STRING)
        })
    }

    fn check_text(&self, node: NodeId, text: &str) -> Vec<Violation> {
        let types = self.node(node).types;
        let value = if types.allows(Types::STRING) {
            Value::String(text.to_owned())
        } else if types.allows(Types::INTEGER) && !types.allows(Types::NUMBER) && is_integer(text) {
            // Whether the number exists is the owner's business: an id of thirty digits is an integer that nobody has.
            return match text.parse::<i64>() {
                Ok(number) => self.check_value(node, &number.into()).violations,
                Err(_) => self.beyond_64_bits(node, text),
            };
        } else {
            match serde_json::from_str(text) {
                // An integer was read above: what is left here, such as `1.0`, is none.
                Ok(Value::Number(number)) if types.allows(Types::NUMBER) => Value::Number(number),
                Ok(Value::Bool(value)) => value.into(),
                _ => Value::String(text.to_owned()),
            }
        };
        self.check_value(node, &value).violations
    }

    /// Checks a value already read.
    fn check_value(&self, node: NodeId, value: &Value) -> Checked {
        let mut walk = Walk::new(self, 0);
        walk.value(node, value);
        walk.found()
    }

    fn beyond_64_bits(&self, node: NodeId, text: &str) -> Vec<Violation> {
        let rules = &self.node(node).number;
        let bounded = if text.starts_with('-') { rules.minimum } else { rules.maximum };
        bounded.map_or_else(Vec::new, |_| vec![Violation::body("", "value is out of range")])
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
