//! Checks JSON bytes against a compiled schema in one pass, all faults at once.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{
    compile::pointer_token,
    node::{Additional, Bound, Node, NodeId, NumberRules, Schema, StringRules, Types},
};
use crate::Violation;

/// At most this many faults are told for one body.
const FAULTS_TOLD: usize = 100;

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
        let mut walk = Walk { schema: self, pointer: String::new(), found: Checked::default() };
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let seed = At { node: Some(node), walk: &mut walk };
        seed.deserialize(&mut deserializer).map_err(|error| Syntax(error.to_string()))?;
        deserializer.end().map_err(|error| Syntax(error.to_string()))?;
        Ok(walk.found)
    }

    /// Checks a value already read.
    #[must_use]
    pub fn check_value(&self, node: NodeId, value: &Value) -> Checked {
        let mut walk = Walk { schema: self, pointer: String::new(), found: Checked::default() };
        let seed = At { node: Some(node), walk: &mut walk };
        if let Err(error) = seed.deserialize(value) {
            walk.fault(error.to_string());
        }
        walk.found
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

struct Walk<'s> {
    schema: &'s Schema,
    pointer: String,
    found: Checked,
}

impl Walk<'_> {
    fn fault(&mut self, detail: impl Into<String>) {
        if self.found.violations.len() < FAULTS_TOLD {
            self.found.violations.push(Violation::body(self.pointer.clone(), detail));
        }
    }

    fn below<T>(&mut self, token: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.pointer.len();
        self.pointer.push('/');
        if token.contains(['~', '/']) {
            self.pointer.push_str(&pointer_token(token));
        } else {
            self.pointer.push_str(token);
        }
        let result = inner(self);
        self.pointer.truncate(length);
        result
    }
}

/// A place in the JSON text and the schema that holds there; without one, only the syntax is looked at.
struct At<'w, 's> {
    node: Option<NodeId>,
    walk: &'w mut Walk<'s>,
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let whole = self.node.filter(|id| self.walk.schema.node(*id).needs_whole_value());
        match whole {
            None => deserializer.deserialize_any(self),
            Some(id) => {
                let value = deserializer.deserialize_any(Whole)?;
                self.walk.judge(id, &value);
                Ok(())
            }
        }
    }
}

impl At<'_, '_> {
    fn rules(&self) -> Option<&Node> {
        self.node.map(|id| self.walk.schema.node(id))
    }

    /// Whether the type is allowed; tells the fault where it is not.
    fn allows(&mut self, types: Types) -> bool {
        let Some(wanted) = self.rules().map(|node| node.types) else { return true };
        let allowed = wanted.allows(types);
        if !allowed {
            self.walk.fault(format!("value must be {}", wanted.describe()));
        }
        allowed
    }

    fn scalar(&mut self, types: Types, value: impl Fn() -> Value) {
        if !self.allows(types) {
            return;
        }
        let Some(values) = self.rules().and_then(|node| node.one_of_values.as_ref()) else { return };
        let value = value();
        if !values.contains(&value) {
            let allowed: Vec<String> = values.iter().map(Value::to_string).collect();
            self.walk.fault(format!("value must be one of {}", allowed.join(", ")));
        }
    }

    fn number(&mut self, types: Types, value: f64, exact: impl Fn() -> Value, integer: Option<i64>) {
        self.scalar(types, exact);
        if let Some(fault) = self.rules().and_then(|node| number_fault(&node.number, value, integer)) {
            self.walk.fault(fault);
        }
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(mut self) -> Result<(), E> {
        self.allows(Types::NULL);
        Ok(())
    }

    fn visit_bool<E: de::Error>(mut self, value: bool) -> Result<(), E> {
        self.scalar(Types::BOOLEAN, || value.into());
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "bounds in documents are f64; the exact value goes on untouched"
    )]
    fn visit_i64<E: de::Error>(mut self, value: i64) -> Result<(), E> {
        self.number(Types::INTEGER, value as f64, || value.into(), Some(value));
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "bounds in documents are f64; the exact value goes on untouched"
    )]
    fn visit_u64<E: de::Error>(mut self, value: u64) -> Result<(), E> {
        self.number(Types::INTEGER, value as f64, || value.into(), i64::try_from(value).ok());
        Ok(())
    }

    fn visit_f64<E: de::Error>(mut self, value: f64) -> Result<(), E> {
        self.number(Types::NUMBER, value, || value.into(), None);
        Ok(())
    }

    fn visit_str<E: de::Error>(mut self, value: &str) -> Result<(), E> {
        if value.contains('\0') {
            return Err(E::custom("a string holds the character U+0000"));
        }
        self.scalar(Types::STRING, || value.into());
        if let Some(fault) = self
            .rules()
            .filter(|node| node.types.allows(Types::STRING))
            .and_then(|node| string_fault(&node.string, value))
        {
            self.walk.fault(fault);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        if !self.allows(Types::ARRAY) {
            while items.next_element_seed(At { node: None, walk: self.walk })?.is_some() {}
            return Ok(());
        }
        let node = self.rules().and_then(|node| node.array.items);
        let mut count = 0_usize;
        while self
            .walk
            .below(&count.to_string(), |walk| items.next_element_seed(At { node, walk }))?
            .is_some()
        {
            count += 1;
        }
        if let Some(fault) = self.rules().and_then(|node| items_fault(node, count)) {
            self.walk.fault(fault);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let known = self.allows(Types::OBJECT).then_some(self.node).flatten();
        let mut seen = Keys::default();
        while let Some(key) = entries.next_key_seed(Key)? {
            if key.contains('\0') {
                return Err(de::Error::custom("a key holds the character U+0000"));
            }
            if seen.contains(&key) {
                return Err(de::Error::custom(format!("the key {key:?} stands twice in one object")));
            }
            let (node, fault) = self.property(known, &key);
            self.walk.below(&key, |walk| {
                if let Some(fault) = fault {
                    walk.fault(fault);
                }
                entries.next_value_seed(At { node, walk })
            })?;
            seen.insert(key);
        }
        if let Some(id) = known {
            self.missing(id, &seen);
        }
        Ok(())
    }
}

impl At<'_, '_> {
    fn property(&mut self, object: Option<NodeId>, key: &str) -> (Option<NodeId>, Option<&'static str>) {
        let Some(object) = object.map(|id| &self.walk.schema.node(id).object) else { return (None, None) };
        if let Some(id) = object.properties.get(key) {
            return (Some(*id), None);
        }
        match object.additional {
            Additional::Fits(id) => (Some(id), None),
            Additional::Allowed => (None, None),
            Additional::Forbidden => {
                self.walk.found.undeclared = true;
                (None, Some("this field is not known here"))
            }
            Additional::Unsaid => {
                self.walk.found.undeclared |= !object.properties.is_empty();
                (None, None)
            }
        }
    }

    fn missing(&mut self, id: NodeId, seen: &Keys<'_>) {
        let schema = self.walk.schema;
        let object = &schema.node(id).object;
        for name in &object.required {
            if !seen.contains(name) {
                self.walk.below(name, |walk| walk.fault("field required"));
            }
        }
        let count = seen.len();
        if count < object.minimum_properties {
            self.walk.fault(format!("the object must have at least {} fields", object.minimum_properties));
        }
        if let Some(maximum) = object.maximum_properties.filter(|maximum| count > *maximum) {
            self.walk.fault(format!("the object must have at most {maximum} fields"));
        }
    }
}

impl Walk<'_> {
    /// Judges a value held whole, where its schema combines others.
    fn judge(&mut self, id: NodeId, value: &Value) {
        let schema = self.schema;
        let node = schema.node(id);
        self.own_rules(id, value);
        for inner in &node.all_of {
            self.inside(*inner, value);
        }
        if !node.any_of.is_empty() && !node.any_of.iter().any(|inner| schema.fits(*inner, value)) {
            self.fault("value fits none of the allowed forms");
        }
        if !node.one_of.is_empty() {
            match node.one_of.iter().filter(|inner| schema.fits(**inner, value)).count() {
                1 => {}
                0 => self.fault("value fits none of the allowed forms"),
                _ => self.fault("value fits more than one of the allowed forms"),
            }
        }
        if node.not.is_some_and(|inner| schema.fits(inner, value)) {
            self.fault("value has a form that is not allowed");
        }
        let items = value.as_array().filter(|_| node.array.unique);
        if items.is_some_and(|items| items.iter().enumerate().any(|(at, item)| items[..at].contains(item))) {
            self.fault("the items must differ from each other");
        }
        let values = node.one_of_values.as_ref().filter(|_| value.is_array() || value.is_object());
        if values.is_some_and(|values| !values.contains(value)) {
            self.fault("value must be one of those listed");
        }
    }

    /// The node's rules other than its combinations.
    fn own_rules(&mut self, id: NodeId, value: &Value) {
        let at = At { node: Some(id), walk: self };
        // A `Value` has been read already: walking it can't fail.
        let _ = value.deserialize_any(at);
    }

    fn inside(&mut self, id: NodeId, value: &Value) {
        let _ = At { node: Some(id), walk: self }.deserialize(value);
    }
}

impl Schema {
    fn fits(&self, id: NodeId, value: &Value) -> bool {
        self.check_value(id, value).violations.is_empty()
    }
}

fn string_fault(rules: &StringRules, text: &str) -> Option<String> {
    let length =
        if rules.minimum_length > 0 || rules.maximum_length.is_some() { text.chars().count() } else { 0 };
    if length < rules.minimum_length {
        return Some(format!("value must have at least {} characters", rules.minimum_length));
    }
    if let Some(maximum) = rules.maximum_length.filter(|maximum| length > *maximum) {
        return Some(format!("value must have at most {maximum} characters"));
    }
    if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        return Some(format!("value must match {}", pattern.as_str()));
    }
    rules.format.and_then(|format| format.fault(text)).map(str::to_owned)
}

#[expect(clippy::cast_precision_loss, reason = "bounds in documents are f64")]
fn number_fault(rules: &NumberRules, value: f64, integer: Option<i64>) -> Option<String> {
    if let Some((least, most)) = rules.integer_range
        && integer.is_none_or(|integer| integer < least || integer > most)
        && value.fract() == 0.0
        && !(least as f64..=most as f64).contains(&value)
    {
        return Some(format!("value must be from {least} to {most}"));
    }
    match rules.minimum {
        Some((least, Bound::Inclusive)) if value < least => {
            return Some(format!("value must be at least {least}"));
        }
        Some((least, Bound::Exclusive)) if value <= least => {
            return Some(format!("value must be more than {least}"));
        }
        _ => {}
    }
    match rules.maximum {
        Some((most, Bound::Inclusive)) if value > most => {
            return Some(format!("value must be at most {most}"));
        }
        Some((most, Bound::Exclusive)) if value >= most => {
            return Some(format!("value must be less than {most}"));
        }
        _ => {}
    }
    let step = rules.multiple_of.filter(|step| (value / step).fract().abs() > 1e-9)?;
    Some(format!("value must be a multiple of {step}"))
}

fn items_fault(node: &Node, count: usize) -> Option<String> {
    if count < node.array.minimum_items {
        return Some(format!("the array must have at least {} items", node.array.minimum_items));
    }
    let maximum = node.array.maximum_items.filter(|maximum| count > *maximum)?;
    Some(format!("the array must have at most {maximum} items"))
}

/// The keys of one object: a short list first, a set once it would cost.
#[derive(Default)]
struct Keys<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Keys<'de> {
    const FEW: usize = 16;

    fn contains(&self, key: &str) -> bool {
        self.few.iter().any(|seen| seen == key) || self.many.contains(key)
    }

    fn insert(&mut self, key: Cow<'de, str>) {
        if self.few.len() < Self::FEW {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
    }

    fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }
}

/// A key, borrowed from the text where it holds no escape.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Reads a value whole, with the same refusals as the walk: repeated keys and NUL.
struct Whole;

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        if value.contains('\0') {
            Err(E::custom("a string holds the character U+0000"))
        } else {
            Ok(value.into())
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Whole)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = serde_json::Map::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            if map.contains_key(key.as_ref()) {
                entries.next_value::<IgnoredAny>()?;
                return Err(de::Error::custom(format!("the key {key:?} stands twice in one object")));
            }
            let value = entries.next_value_seed(Whole)?;
            map.insert(key.into_owned(), value);
        }
        Ok(Value::Object(map))
    }
}
