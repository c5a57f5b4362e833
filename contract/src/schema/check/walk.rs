//! The walk along a JSON text: each value against its schema as it is read.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{
    Checked,
    judge::Judged,
    keys::{Key, Keys},
    rules::{items_fault, number_fault, string_fault},
    whole::Whole,
};
use crate::{
    Violation,
    schema::{
        compile::pointer_token,
        node::{Additional, Node, NodeId, Schema, Types},
    },
};

/// At most this many faults are told for one body.
const FAULTS_TOLD: usize = 100;

pub(super) struct Walk<'s> {
    pub(super) schema: &'s Schema,
    pub(super) found: Checked,
    pub(super) judged: Judged,
    pointer: String,
}

impl<'s> Walk<'s> {
    /// A walk along a text of so many bytes.
    pub(super) fn new(schema: &'s Schema, bytes: usize) -> Self {
        Self { schema, pointer: String::new(), found: Checked::default(), judged: Judged::within(bytes) }
    }

    /// What was found.
    pub(super) fn found(mut self) -> Checked {
        if let Some(pointer) = self.judged.given_up_at.take() {
            // What was found until then may be untrue: a form was not looked at to its end.
            let detail = "value takes too many steps to be checked against its forms";
            self.found.violations = vec![Violation::body(pointer, detail)];
        }
        self.found
    }

    /// Tells a fault here; while it is only asked whether a value fits, notes that it does not.
    pub(super) fn fault<D: Into<String>>(&mut self, detail: impl FnOnce() -> D) {
        if self.judged.deciding {
            self.judged.failed = true;
        } else if self.found.violations.len() < FAULTS_TOLD {
            self.found.violations.push(Violation::body(self.pointer.clone(), detail()));
        }
    }

    /// Where the walk is, as a JSON Pointer.
    pub(super) fn pointer(&self) -> &str {
        &self.pointer
    }

    pub(super) fn below<T>(&mut self, key: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        if self.judged.deciding {
            return inner(self);
        }
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&pointer_token(key));
        let result = inner(self);
        self.pointer.truncate(length);
        result
    }

    pub(super) fn at<T>(&mut self, index: usize, inner: impl FnOnce(&mut Self) -> T) -> T {
        if self.judged.deciding {
            return inner(self);
        }
        let length = self.pointer.len();
        // Writing to a text does not fail.
        let _ = write!(self.pointer, "/{index}");
        let result = inner(self);
        self.pointer.truncate(length);
        result
    }

    /// Whether the type is allowed; tells the fault where it is not.
    pub(super) fn allows(&mut self, node: Option<NodeId>, types: Types) -> bool {
        let Some(wanted) = node.map(|id| self.schema.node(id).types) else { return true };
        let allowed = wanted.allows(types);
        if !allowed {
            self.fault(|| format!("value must be {}", wanted.describe()));
        }
        allowed
    }

    /// The schema of a property, and what is wrong with its being there.
    pub(super) fn property(
        &mut self,
        object: Option<NodeId>,
        key: &str,
    ) -> (Option<NodeId>, Option<&'static str>) {
        let Some(object) = object.map(|id| &self.schema.node(id).object) else { return (None, None) };
        if let Some(id) = object.properties.get(key) {
            return (Some(*id), None);
        }
        match object.additional {
            Additional::Fits(id) => (Some(id), None),
            Additional::Allowed => (None, None),
            Additional::Forbidden => {
                self.undeclared();
                (None, Some("this field is not known here"))
            }
            Additional::Unsaid => {
                if !object.properties.is_empty() {
                    self.undeclared();
                }
                (None, None)
            }
        }
    }

    /// What a form that is only tried says of undeclared properties is not said of the value.
    fn undeclared(&mut self) {
        self.found.undeclared |= !self.judged.deciding;
    }

    /// Tells which properties lack, and whether there are too few or too many.
    pub(super) fn missing(&mut self, id: NodeId, count: usize, has: impl Fn(&str) -> bool) {
        let schema = self.schema;
        let object = &schema.node(id).object;
        for name in &object.required {
            if !has(name) {
                self.below(name, |walk| walk.fault(|| "field required"));
            }
        }
        if count < object.minimum_properties {
            self.fault(|| format!("the object must have at least {} fields", object.minimum_properties));
        }
        if let Some(maximum) = object.maximum_properties.filter(|maximum| count > *maximum) {
            self.fault(|| format!("the object must have at most {maximum} fields"));
        }
    }
}

/// A place in the JSON text and the schema that holds there; without one, only the syntax is looked at.
pub(super) struct At<'w, 's> {
    pub(super) node: Option<NodeId>,
    pub(super) walk: &'w mut Walk<'s>,
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let whole = self.node.filter(|id| self.walk.schema.node(*id).needs_whole_value());
        match whole {
            None => deserializer.deserialize_any(self),
            Some(id) => {
                let value = deserializer.deserialize_any(Whole)?;
                self.walk.value(id, &value);
                Ok(())
            }
        }
    }
}

impl<'s> At<'_, 's> {
    fn rules(&self) -> Option<&'s Node> {
        let schema = self.walk.schema;
        self.node.map(|id| schema.node(id))
    }

    fn scalar(&mut self, types: Types, value: impl Fn() -> Value) {
        if !self.walk.allows(self.node, types) {
            return;
        }
        let Some(values) = self.rules().and_then(|node| node.one_of_values.as_ref()) else { return };
        let value = value();
        if !values.contains(&value) {
            self.walk.fault(|| {
                let allowed: Vec<String> = values.iter().map(Value::to_string).collect();
                format!("value must be one of {}", allowed.join(", "))
            });
        }
    }

    fn string(mut self, value: &str) {
        self.scalar(Types::STRING, || value.into());
        if let Some(fault) = self
            .rules()
            .filter(|node| node.types.allows(Types::STRING))
            .and_then(|node| string_fault(&node.string, value))
        {
            self.walk.fault(|| fault);
        }
    }

    fn number(&mut self, types: Types, value: f64, exact: impl Fn() -> Value, integer: Option<i64>) {
        self.scalar(types, exact);
        if let Some(fault) = self.rules().and_then(|node| number_fault(&node.number, value, integer)) {
            self.walk.fault(|| fault);
        }
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.walk.allows(self.node, Types::NULL);
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

    /// A string of a JSON text without an escape, and so without U+0000, which can't stand unescaped (RFC 8259 §7); or one that was
    /// looked at before.
    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<(), E> {
        self.string(value);
        Ok(())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        if value.contains('\0') {
            return Err(E::custom("a string holds the character U+0000"));
        }
        self.string(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if !self.walk.allows(self.node, Types::ARRAY) {
            while items.next_element_seed(At { node: None, walk: self.walk })?.is_some() {}
            return Ok(());
        }
        let node = self.rules().and_then(|node| node.array.items);
        let mut count = 0_usize;
        while self.walk.at(count, |walk| items.next_element_seed(At { node, walk }))?.is_some() {
            count += 1;
        }
        if let Some(fault) = self.rules().and_then(|node| items_fault(node, count)) {
            self.walk.fault(|| fault);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let known = self.walk.allows(self.node, Types::OBJECT).then_some(self.node).flatten();
        let mut seen = Keys::default();
        while let Some(key) = entries.next_key_seed(Key)? {
            if matches!(key, Cow::Owned(_)) && key.contains('\0') {
                return Err(de::Error::custom("a key holds the character U+0000"));
            }
            if seen.contains(&key) {
                return Err(de::Error::custom(format!("the key {key:?} stands twice in one object")));
            }
            let (node, fault) = self.walk.property(known, &key);
            self.walk.below(&key, |walk| {
                if let Some(fault) = fault {
                    walk.fault(|| fault);
                }
                entries.next_value_seed(At { node, walk })
            })?;
            seen.insert(key);
        }
        if let Some(id) = known {
            self.walk.missing(id, seen.len(), |name| seen.contains(name));
        }
        Ok(())
    }
}
