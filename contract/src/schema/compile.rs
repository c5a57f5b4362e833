//! Compiles the schema objects of an OpenAPI 3.0 or 3.1 document.

use std::{borrow::Cow, collections::HashMap};

use serde_json::{Map, Value};

use super::{
    format::Format,
    node::{
        Additional, ArrayRules, Bound, Node, NodeId, NumberRules, ObjectRules, Pattern, Properties, Schema,
        StringRules, Types,
    },
};

/// A schema that can't be compiled; `pointer` says where in the document it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {reason}")]
pub struct CompileError {
    /// A JSON Pointer into the document.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
}

/// Compiles schemas of one document into one [`Schema`].
pub struct Compiler<'d> {
    document: &'d Value,
    schema: Schema,
    references: HashMap<String, NodeId>,
    /// By their texts, since many schemas share few.
    patterns: HashMap<String, Pattern>,
}

impl<'d> Compiler<'d> {
    /// A compiler for the schemas of `document`, within which every `$ref` must point.
    #[must_use]
    pub fn new(document: &'d Value) -> Self {
        Self { document, schema: Schema::default(), references: HashMap::new(), patterns: HashMap::new() }
    }

    /// Everything compiled.
    #[must_use]
    pub fn finish(self) -> Schema {
        self.schema
    }

    /// Compiles the schema object at `pointer` in the document.
    ///
    /// # Errors
    /// A `$ref` out of the document or to nothing, a pattern that is no regular expression, a keyword of the wrong type.
    pub fn compile(&mut self, schema: &Value, pointer: &str) -> Result<NodeId, CompileError> {
        if let Some(reference) = schema.get("$ref") {
            return self.reference(reference, pointer);
        }
        let id = self.reserve();
        self.fill(id, schema, pointer)?;
        Ok(id)
    }

    fn reserve(&mut self) -> NodeId {
        self.schema.nodes.push(Node::default());
        NodeId(self.schema.nodes.len() - 1)
    }

    fn reference(&mut self, reference: &Value, pointer: &str) -> Result<NodeId, CompileError> {
        let fail = |reason: String| CompileError { pointer: format!("{pointer}/$ref"), reason };
        let Some(target) = reference.as_str() else {
            return Err(fail("is not a string".to_owned()));
        };
        let Some(inner) = target.strip_prefix('#') else {
            return Err(fail(format!(
                "{target} leads out of the document; only references within it are followed"
            )));
        };
        if let Some(id) = self.references.get(inner) {
            return Ok(*id);
        }
        let document = self.document;
        let schema = document.pointer(inner).ok_or_else(|| fail(format!("{target} points at nothing")))?;
        let id = self.reserve();
        self.references.insert(inner.to_owned(), id);
        if schema.get("$ref").is_some() {
            let other = self.compile(schema, inner)?;
            self.schema.nodes[id.0].all_of = vec![other];
        } else {
            self.fill(id, schema, inner)?;
        }
        Ok(id)
    }

    fn fill(&mut self, id: NodeId, schema: &Value, pointer: &str) -> Result<(), CompileError> {
        let node = match schema {
            Value::Bool(true) => Node::default(),
            Value::Bool(false) => Node { types: Types::NONE, ..Node::default() },
            Value::Object(map) => self.node(map, pointer)?,
            _ => {
                return Err(CompileError {
                    pointer: pointer.to_owned(),
                    reason: "is no schema object".to_owned(),
                });
            }
        };
        self.schema.nodes[id.0] = node;
        Ok(())
    }

    fn node(&mut self, map: &Map<String, Value>, pointer: &str) -> Result<Node, CompileError> {
        let mut types = types(map, pointer)?;
        if map.get("nullable") == Some(&Value::Bool(true)) {
            types = types.or(Types::NULL);
        }
        let one_of_values = match (map.get("enum"), map.get("const")) {
            (Some(Value::Array(values)), _) => Some(values.clone()),
            (_, Some(value)) => Some(vec![value.clone()]),
            _ => None,
        };
        Ok(Node {
            types,
            one_of_values,
            string: self.string_rules(map, pointer)?,
            number: number_rules(map),
            array: ArrayRules {
                items: self.child(map, "items", pointer)?,
                minimum_items: count(map, "minItems").unwrap_or(0),
                maximum_items: count(map, "maxItems"),
                unique: map.get("uniqueItems") == Some(&Value::Bool(true)),
            },
            object: self.object_rules(map, pointer)?,
            all_of: self.children(map, "allOf", pointer)?,
            any_of: self.children(map, "anyOf", pointer)?,
            one_of: self.children(map, "oneOf", pointer)?,
            not: self.child(map, "not", pointer)?,
        })
    }

    fn object_rules(&mut self, map: &Map<String, Value>, pointer: &str) -> Result<ObjectRules, CompileError> {
        let mut properties = Properties::default();
        if let Some(Value::Object(named)) = map.get("properties") {
            for (name, schema) in named {
                let id = self.compile(schema, &format!("{pointer}/properties/{}", pointer_token(name)))?;
                properties.insert(name.clone(), id);
            }
        }
        let additional = match map.get("additionalProperties") {
            None => Additional::Unsaid,
            Some(Value::Bool(true)) => Additional::Allowed,
            Some(Value::Bool(false)) => Additional::Forbidden,
            Some(schema) => {
                Additional::Fits(self.compile(schema, &format!("{pointer}/additionalProperties"))?)
            }
        };
        let required = match map.get("required") {
            Some(Value::Array(listed)) => {
                listed.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        Ok(ObjectRules {
            properties,
            required,
            additional,
            minimum_properties: count(map, "minProperties").unwrap_or(0),
            maximum_properties: count(map, "maxProperties"),
        })
    }

    fn string_rules(&mut self, map: &Map<String, Value>, pointer: &str) -> Result<StringRules, CompileError> {
        let pattern = map.get("pattern").and_then(Value::as_str);
        let pattern = pattern.map(|text| self.pattern(text)).transpose().map_err(|error| CompileError {
            pointer: format!("{pointer}/pattern"),
            reason: format!("is no regular expression this platform can run: {error}"),
        })?;
        Ok(StringRules {
            minimum_length: count(map, "minLength").unwrap_or(0),
            maximum_length: count(map, "maxLength"),
            pattern,
            format: map.get("format").and_then(Value::as_str).and_then(Format::named),
        })
    }

    fn pattern(&mut self, text: &str) -> Result<Pattern, fancy_regex::Error> {
        if let Some(known) = self.patterns.get(text) {
            return Ok(known.clone());
        }
        let pattern = Pattern::new(text)?;
        self.patterns.insert(text.to_owned(), pattern.clone());
        Ok(pattern)
    }

    fn child(
        &mut self,
        map: &Map<String, Value>,
        keyword: &str,
        pointer: &str,
    ) -> Result<Option<NodeId>, CompileError> {
        map.get(keyword).map(|schema| self.compile(schema, &format!("{pointer}/{keyword}"))).transpose()
    }

    fn children(
        &mut self,
        map: &Map<String, Value>,
        keyword: &str,
        pointer: &str,
    ) -> Result<Vec<NodeId>, CompileError> {
        match map.get(keyword) {
            Some(Value::Array(schemas)) => schemas
                .iter()
                .enumerate()
                .map(|(at, schema)| self.compile(schema, &format!("{pointer}/{keyword}/{at}")))
                .collect(),
            _ => Ok(Vec::new()),
        }
    }
}

/// Escapes one token of a JSON Pointer (RFC 6901 §3).
#[must_use]
pub fn pointer_token(token: &str) -> Cow<'_, str> {
    if token.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
        token.replace('~', "~0").replace('/', "~1").into()
    } else {
        token.into()
    }
}

fn types(map: &Map<String, Value>, pointer: &str) -> Result<Types, CompileError> {
    let fail = |name: &str| CompileError {
        pointer: format!("{pointer}/type"),
        reason: format!("{name:?} is no JSON type"),
    };
    let named = |name: &str| match name {
        "null" => Ok(Types::NULL),
        "boolean" => Ok(Types::BOOLEAN),
        "integer" => Ok(Types::INTEGER),
        "number" => Ok(Types::NUMBER),
        "string" => Ok(Types::STRING),
        "array" => Ok(Types::ARRAY),
        "object" => Ok(Types::OBJECT),
        other => Err(fail(other)),
    };
    match map.get("type") {
        None => Ok(Types::ANY),
        Some(Value::String(name)) => named(name),
        Some(Value::Array(listed)) => listed
            .iter()
            .try_fold(Types::NONE, |sum, name| Ok(sum.or(named(name.as_str().unwrap_or_default())?))),
        Some(other) => Err(fail(&other.to_string())),
    }
}

/// Both spellings of an exclusive bound: a boolean beside the bound (3.0), a number of its own (3.1).
fn number_rules(map: &Map<String, Value>) -> NumberRules {
    let bound = |inclusive: &str, exclusive: &str| {
        let value = map.get(inclusive).and_then(Value::as_f64);
        match map.get(exclusive) {
            Some(Value::Bool(true)) => value.map(|value| (value, Bound::Exclusive)),
            Some(Value::Number(number)) => number.as_f64().map(|value| (value, Bound::Exclusive)),
            _ => value.map(|value| (value, Bound::Inclusive)),
        }
    };
    NumberRules {
        minimum: bound("minimum", "exclusiveMinimum"),
        maximum: bound("maximum", "exclusiveMaximum"),
        multiple_of: map.get("multipleOf").and_then(Value::as_f64),
        integer_range: match map.get("format").and_then(Value::as_str) {
            Some("int32") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
            Some("int64") => Some((i64::MIN, i64::MAX)),
            _ => None,
        },
    }
}

fn count(map: &Map<String, Value>, keyword: &str) -> Option<usize> {
    map.get(keyword).and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok())
}
