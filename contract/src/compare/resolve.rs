//! References followed, and schemas brought into one shape: OpenAPI 3.0 and 3.1 say the same thing in two ways.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::schema::EDITORIAL;

/// References that lead to references end here.
const LONGEST_CHAIN: usize = 16;

/// A document whose local references can be followed.
#[derive(Clone, Copy)]
pub(super) struct Document<'a>(pub(super) &'a Value);

/// A part of a document, and where it is.
#[derive(Clone)]
pub(super) struct Found<'a> {
    pub(super) value: &'a Value,
    pub(super) pointer: String,
}

impl<'a> Found<'a> {
    /// A member of it, where it has one of this name.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name)?;
        Some(Self { value, pointer: format!("{}/{}", self.pointer, escaped(name)) })
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name)?.as_str()
    }

    pub(super) fn object(&self) -> Option<&'a Map<String, Value>> {
        self.value.as_object()
    }
}

impl<'a> Document<'a> {
    /// What a part stands for, its references followed as far as they lead.
    pub(super) fn follow(self, part: Found<'a>) -> Found<'a> {
        let mut part = part;
        for _ in 0..LONGEST_CHAIN {
            let Some(target) = part.text("$ref").and_then(|reference| reference.strip_prefix('#')) else {
                break;
            };
            let Some(value) = self.0.pointer(target) else { break };
            part = Found { value, pointer: target.to_owned() };
        }
        part
    }
}

/// A name as a part of a JSON Pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What a schema says, `allOf` taken together and its alternatives apart.
#[derive(Clone)]
pub(super) struct Shape<'a> {
    pub(super) pointer: String,
    /// Keywords that hold in any case.
    pub(super) keywords: Map<String, Value>,
    /// Schemas of `properties`, by name.
    pub(super) properties: Vec<(String, Found<'a>)>,
    pub(super) items: Option<Found<'a>>,
    pub(super) additional: Option<Found<'a>>,
    /// `anyOf` or `oneOf`: one of these holds as well.
    pub(super) alternatives: Vec<Found<'a>>,
    /// No value fits.
    pub(super) nothing: bool,
}

impl<'a> Shape<'a> {
    pub(super) fn of(document: Document<'a>, schema: &Found<'a>) -> Self {
        let mut shape = Self {
            pointer: document.follow(schema.clone()).pointer,
            keywords: Map::new(),
            properties: Vec::new(),
            items: None,
            additional: None,
            alternatives: Vec::new(),
            nothing: false,
        };
        shape.take(document, schema, &mut HashSet::new());
        shape
    }

    fn take(&mut self, document: Document<'a>, schema: &Found<'a>, taken: &mut HashSet<String>) {
        let target = document.follow(schema.clone());
        // In 3.1 what stands beside a reference holds as well.
        if target.pointer != schema.pointer && schema.object().is_some_and(|own| own.len() > 1) {
            self.own(document, schema, taken);
        }
        self.own(document, &target, taken);
    }

    fn own(&mut self, document: Document<'a>, schema: &Found<'a>, taken: &mut HashSet<String>) {
        // What holds once holds: a schema may name itself, and several may name the same.
        if !taken.insert(schema.pointer.clone()) {
            return;
        }
        let Some(own) = schema.object() else {
            self.nothing |= *schema.value == Value::Bool(false);
            return;
        };
        for (name, value) in own {
            match (name.as_str(), value) {
                ("$ref", _) => {}
                ("properties", Value::Object(properties)) => {
                    let all = schema.member("properties");
                    for name in properties.keys() {
                        let known = self.properties.iter().any(|(known, _)| known == name);
                        if let Some(property) = all.as_ref().and_then(|all| all.member(name))
                            && !known
                        {
                            self.properties.push((name.clone(), property));
                        }
                    }
                }
                ("items", _) => self.items = schema.member("items").or(self.items.take()),
                ("additionalProperties", _) => {
                    self.additional = schema.member("additionalProperties").or(self.additional.take());
                }
                ("required", Value::Array(names)) => {
                    let known = self.keywords.entry("required").or_insert_with(|| json!([]));
                    if let Value::Array(known) = known {
                        known.extend(
                            names.iter().filter(|name| !known.contains(name)).cloned().collect::<Vec<_>>(),
                        );
                    }
                }
                ("allOf", Value::Array(parts)) => {
                    for index in 0..parts.len() {
                        let part = schema.member("allOf").and_then(|all| index_of(&all, index));
                        if let Some(part) = part {
                            self.take(document, &part, taken);
                        }
                    }
                }
                ("anyOf" | "oneOf", Value::Array(parts)) if self.alternatives.is_empty() => {
                    let all = schema.member(name);
                    self.alternatives = (0..parts.len())
                        .filter_map(|index| all.as_ref().and_then(|all| index_of(all, index)))
                        .collect();
                }
                _ => {
                    self.keywords.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
    }

    /// Whether it says anything beside its alternatives.
    pub(super) fn holds_more(&self) -> bool {
        let weighs = |name: &String| {
            !EDITORIAL.contains(&name.as_str()) && name != "default" && name != "discriminator"
        };
        self.keywords.keys().any(weighs)
            || !self.properties.is_empty()
            || self.items.is_some()
            || self.additional.is_some()
    }

    pub(super) fn keyword(&self, name: &str) -> Option<&Value> {
        self.keywords.get(name)
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.keywords.get(name)?.as_f64()
    }

    pub(super) fn requires(&self, name: &str) -> bool {
        self.keyword("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|known| known == name))
    }

    /// The JSON types that fit; nothing where all do. A whole number is `integer`, any number both `integer` and `number`.
    pub(super) fn types(&self) -> Option<Vec<String>> {
        let given = match self.keyword("type")? {
            Value::String(name) => vec![name.clone()],
            Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => return None,
        };
        let mut types = given;
        if self.keyword("nullable") == Some(&Value::Bool(true)) {
            types.push("null".to_owned());
        }
        if types.iter().any(|name| name == "number") {
            types.push("integer".to_owned());
        }
        types.sort();
        types.dedup();
        Some(types)
    }

    /// The values that fit, where they are listed.
    pub(super) fn values(&self) -> Option<Vec<Value>> {
        let one = self.keyword("const").map(|value| vec![value.clone()]);
        one.or_else(|| self.keyword("enum").and_then(Value::as_array).cloned())
    }
}

fn index_of<'a>(list: &Found<'a>, index: usize) -> Option<Found<'a>> {
    let value = list.value.get(index)?;
    Some(Found { value, pointer: format!("{}/{index}", list.pointer) })
}
