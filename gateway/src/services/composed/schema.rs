//! What the schemas of a document (OpenAPI 3.0) say of a place in a value: whether it can be there, and what stands there.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::pointer::{Pointer, index};
use crate::services::declared::followed;

/// Schemas that lead into each other are followed no further.
const DEPTH: usize = 32;

/// What a schema says of a place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// This schema holds there.
    Schema(Value),
    /// Nothing is said of it: anything may be there.
    Anything,
    /// Nothing can be there.
    Nothing,
}

/// The schema of an answer of success, by the operation as the document has it; `None` where it answers no JSON.
pub(super) fn of_answer(document: &Value, operation: &Value) -> Option<Value> {
    let responses = operation.get("responses")?.as_object()?;
    let successes = responses.iter().filter(|(status, _)| status.starts_with('2') || *status == "default");
    let mut schemas: Vec<Value> = Vec::new();
    for (_, response) in successes {
        let content = followed(document, response).get("content").and_then(Value::as_object);
        for (name, media) in content.into_iter().flatten() {
            let essence = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if essence != "application/json" && !essence.ends_with("+json")
                || essence == contract::problem::PROBLEM_JSON
            {
                continue;
            }
            let schema = media.get("schema").cloned().unwrap_or_else(|| json!({}));
            if !schemas.contains(&schema) {
                schemas.push(schema);
            }
        }
    }
    one_of(schemas)
}

fn one_of(mut schemas: Vec<Value>) -> Option<Value> {
    match schemas.len() {
        0 => None,
        1 => schemas.pop(),
        _ => Some(json!({ "anyOf": schemas })),
    }
}

/// What holds at a place below `schema`.
pub(super) fn at(document: &Value, schema: &Value, pointer: &Pointer) -> Place {
    pointer.tokens().iter().fold(Place::Schema(schema.clone()), |place, token| match place {
        Place::Schema(schema) => below(document, &schema, token, 0),
        other => other,
    })
}

fn below(document: &Value, schema: &Value, token: &str, depth: usize) -> Place {
    let schema = followed(document, schema);
    let Some(map) = schema.as_object().filter(|_| depth < DEPTH) else { return Place::Anything };
    let mut found = Vec::new();
    let mut can_be_anything = false;
    let mut add = |place: Place| match place {
        Place::Schema(schema) => {
            if !found.contains(&schema) {
                found.push(schema);
            }
            true
        }
        Place::Anything => {
            can_be_anything = true;
            true
        }
        Place::Nothing => false,
    };
    let mut is_said = false;
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for inner in map.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            is_said = true;
            add(below(document, inner, token, depth + 1));
        }
    }
    let kind = map.get("type").and_then(Value::as_str);
    let properties = map.get("properties").and_then(Value::as_object);
    let more = map.get("additionalProperties");
    if kind == Some("object") || properties.is_some() || more.is_some() {
        is_said = true;
        add(match (properties.and_then(|properties| properties.get(token)), more) {
            (Some(schema), _) => Place::Schema(schema.clone()),
            (None, Some(Value::Object(schema))) => Place::Schema(schema.clone().into()),
            (None, Some(Value::Bool(true))) => Place::Anything,
            // What the document does not name is taken for a slip, although JSON Schema would let it be there.
            (None, None) if properties.is_none_or(Map::is_empty) => Place::Anything,
            (None, _) => Place::Nothing,
        });
    }
    if kind == Some("array") {
        is_said = true;
        add(match index(token) {
            Some(_) => map.get("items").map_or(Place::Anything, |items| Place::Schema(items.clone())),
            None => Place::Nothing,
        });
    }
    is_said |= kind.is_some() || map.contains_key("enum");
    match one_of(found) {
        _ if can_be_anything => Place::Anything,
        Some(schema) => Place::Schema(schema),
        None if is_said => Place::Nothing,
        None => Place::Anything,
    }
}

/// Members of an object that can be told apart by their names.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) properties: Map<String, Value>,
    pub(super) required: BTreeSet<String>,
}

/// The members that `schema` names, where it names them all: a closed set that can be merged with others.
pub(super) fn named(document: &Value, schema: &Value) -> Option<Named> {
    let mut all = Named::default();
    collect(document, schema, &mut all, 0)?;
    (!all.properties.is_empty()).then_some(all)
}

fn collect(document: &Value, schema: &Value, all: &mut Named, depth: usize) -> Option<()> {
    let map = followed(document, schema).as_object().filter(|_| depth < DEPTH)?;
    let is_other = map.get("type").is_some_and(|kind| kind != "object");
    let is_open = matches!(map.get("additionalProperties"), Some(Value::Bool(true) | Value::Object(_)));
    if is_other || is_open || map.contains_key("anyOf") || map.contains_key("oneOf") {
        return None;
    }
    for inner in map.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        collect(document, inner, all, depth + 1)?;
    }
    for (name, schema) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
        all.properties.insert(name.clone(), schema.clone());
    }
    let required = map.get("required").and_then(Value::as_array).into_iter().flatten();
    all.required.extend(required.filter_map(Value::as_str).map(str::to_owned));
    Some(())
}

/// Whether a value of this schema can be a parameter: text, a number, true or false.
pub(super) fn can_be_text(document: &Value, schema: &Value) -> bool {
    can_be_text_at(document, schema, 0)
}

fn can_be_text_at(document: &Value, schema: &Value, depth: usize) -> bool {
    let schema = followed(document, schema);
    let Some(map) = schema.as_object().filter(|_| depth < DEPTH) else { return true };
    let is_other = map.get("type").is_some_and(|kind| kind == "object" || kind == "array");
    let each = |keyword: &str| map.get(keyword).and_then(Value::as_array);
    let fits = |inner: &Value| can_be_text_at(document, inner, depth + 1);
    !is_other
        && each("allOf").is_none_or(|inner| inner.iter().all(fits))
        && each("anyOf").is_none_or(|inner| inner.iter().any(fits))
        && each("oneOf").is_none_or(|inner| inner.iter().any(fits))
}

/// The schema with null beside.
pub(super) fn or_null(schema: &Value) -> Value {
    json!({ "nullable": true, "allOf": [schema] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        json!({ "components": { "schemas": {
            "Order": { "type": "object", "required": ["id"], "properties": {
                "id": { "type": "integer" },
                "customer": { "nullable": true, "allOf": [{ "$ref": "#/components/schemas/Customer" }] },
                "lines": { "type": "array", "items": { "$ref": "#/components/schemas/Line" } },
                "more": {}, "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                "self": { "$ref": "#/components/schemas/Order" },
            } },
            "Customer": { "type": "object", "properties": { "id": { "type": "string" } } },
            "Line": { "anyOf": [
                { "type": "object", "properties": { "sku": { "type": "string" } } },
                { "type": "object", "properties": { "sku": { "type": "integer" }, "note": { "type": "string" } } },
            ] },
            "Both": { "allOf": [{ "$ref": "#/components/schemas/Order" }, { "properties": { "own": { "type": "boolean" } } }] },
        } } })
    }

    #[test]
    fn a_place_has_a_schema_may_hold_anything_or_can_t_be_there() {
        let document = document();
        let order = json!({ "$ref": "#/components/schemas/Both" });
        let text = |kind: &str| Place::Schema(json!({ "type": kind }));
        for (pointer, place) in [
            ("/id", text("integer")),
            ("/self/self/own", Place::Nothing),
            ("/own", text("boolean")),
            ("/customer/id", text("string")),
            (
                "/lines/0/sku",
                Place::Schema(json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] })),
            ),
            ("/lines/0/note", text("string")),
            ("/lines/first", Place::Nothing),
            ("/more/at/all", Place::Anything),
            ("/labels/x", text("string")),
            ("/labels/x/y", Place::Nothing),
            ("/id/x", Place::Nothing),
            ("/idd", Place::Nothing),
        ] {
            assert_eq!(at(&document, &order, &pointer.parse().unwrap()), place, "{pointer}");
        }
    }

    #[test]
    fn members_are_named_by_all_parts_of_a_schema_or_not_at_all() {
        let document = document();
        let of = |schema: Value| named(&document, &schema);
        let both = of(json!({ "$ref": "#/components/schemas/Both" })).unwrap();
        assert_eq!(both.properties.len(), 7);
        assert!(both.required.contains("id"));
        for open in [
            json!({}),
            json!({ "type": "array", "items": {} }),
            json!({ "$ref": "#/components/schemas/Line" }),
            json!({ "type": "object", "additionalProperties": true, "properties": { "a": {} } }),
        ] {
            assert!(of(open.clone()).is_none(), "{open}");
        }
        assert!(can_be_text(&document, &json!({ "anyOf": [{ "type": "object" }, { "type": "string" }] })));
        assert!(!can_be_text(&document, &json!({ "$ref": "#/components/schemas/Order" })));
    }
}
