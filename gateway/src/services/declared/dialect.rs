//! From OpenAPI 3.1 to 3.0, for the one document that is published: the same values fit, as far as 3.0 can say it. What it
//! can't say (`if`, `prefixItems`, `patternProperties` and the like) is left out there; requests and answers are held to the original.

use serde_json::{Map, Value, json};

use super::prepare::EXAMPLES;

/// Keywords of JSON Schema 2020-12 that OpenAPI 3.0 does not have.
const UNKNOWN: [&str; 24] = [
    "$schema",
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$comment",
    "$vocabulary",
    "if",
    "then",
    "else",
    "prefixItems",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "dependentRequired",
    "dependentSchemas",
    "contains",
    "minContains",
    "maxContains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "$defs",
];

/// Rewrites every schema of a 3.1 document.
pub(super) fn to_3_0(document: &mut Value) {
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.remove("pathItems");
        for schema in
            components.get_mut("schemas").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
        {
            rewrite(schema);
        }
    }
    below(document);
}

/// Finds schemas below what is none.
fn below(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                match key.as_str() {
                    "schema" => rewrite(inner),
                    "schemas" => {}
                    key if EXAMPLES.contains(&key) => {}
                    _ => below(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(below),
        _ => {}
    }
}

fn rewrite(schema: &mut Value) {
    match schema {
        Value::Bool(true) => *schema = json!({}),
        Value::Bool(false) => *schema = json!({ "not": {} }),
        Value::Object(map) => object(map),
        _ => {}
    }
}

fn object(map: &mut Map<String, Value>) {
    if map.get("contentMediaType").is_some()
        && map.get("format").is_none()
        && map.get("contentEncoding").is_none()
    {
        map.insert("format".to_owned(), "binary".into());
    }
    for keyword in UNKNOWN {
        map.remove(keyword);
    }
    if let Some(value) = map.remove("const") {
        map.insert("enum".to_owned(), json!([value]));
    }
    if let Some(Value::Array(examples)) = map.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        map.entry("example").or_insert(first);
    }
    exclusive(map, "exclusiveMinimum", "minimum");
    exclusive(map, "exclusiveMaximum", "maximum");
    types(map);
    for keyword in ["items", "not", "additionalProperties"] {
        match map.get_mut(keyword) {
            Some(Value::Bool(_)) if keyword == "additionalProperties" => {}
            Some(inner) => rewrite(inner),
            None => {}
        }
    }
    if map.get("type") == Some(&json!("array")) {
        map.entry("items").or_insert_with(|| json!({}));
    }
    for inner in
        map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
    {
        rewrite(inner);
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        unions(map, keyword);
    }
    reference(map);
}

/// A number of its own (3.1) becomes a boolean beside the bound (3.0).
fn exclusive(map: &mut Map<String, Value>, exclusive: &str, inclusive: &str) {
    if let Some(bound @ Value::Number(_)) = map.remove(exclusive) {
        map.insert(inclusive.to_owned(), bound);
        map.insert(exclusive.to_owned(), true.into());
    }
}

/// A list of types, of which `null` may be one.
fn types(map: &mut Map<String, Value>) {
    let mut names = match map.remove("type") {
        Some(Value::Array(names)) => names,
        Some(name) => vec![name],
        None => return,
    };
    let before = names.len();
    names.retain(|name| name != "null");
    let nullable = names.len() < before;
    match names.as_slice() {
        [] => {
            map.insert("enum".to_owned(), json!([null]));
            map.insert("nullable".to_owned(), true.into());
            return;
        }
        [one] => {
            map.insert("type".to_owned(), one.clone());
        }
        several => {
            let each: Vec<Value> = several.iter().map(|name| json!({ "type": name })).collect();
            let mut union = each;
            if nullable {
                for one in &mut union {
                    one["nullable"] = true.into();
                }
            }
            let other = map.remove("anyOf");
            map.insert("anyOf".to_owned(), union.into());
            if let Some(other) = other {
                map.insert("allOf".to_owned(), json!([{ "anyOf": other }]));
            }
            return;
        }
    }
    if nullable {
        map.insert("nullable".to_owned(), true.into());
    }
}

/// `anyOf: [X, null]` becomes X that is nullable.
fn unions(map: &mut Map<String, Value>, keyword: &str) {
    let Some(Value::Array(mut schemas)) = map.remove(keyword) else { return };
    let before = schemas.len();
    if keyword != "allOf" {
        schemas.retain(|schema| schema.get("type") != Some(&json!("null")));
    }
    let nullable = schemas.len() < before;
    schemas.iter_mut().for_each(rewrite);
    if !nullable {
        map.insert(keyword.to_owned(), schemas.into());
        return;
    }
    map.insert("nullable".to_owned(), true.into());
    if schemas.len() == 1
        && let Some(Value::Object(only)) = schemas.pop()
    {
        if only.contains_key("$ref") {
            map.insert("allOf".to_owned(), json!([only]));
        } else {
            for (key, value) in only {
                map.entry(key).or_insert(value);
            }
        }
        return;
    }
    for schema in
        schemas.iter_mut().filter_map(Value::as_object_mut).filter(|schema| schema.contains_key("type"))
    {
        schema.insert("nullable".to_owned(), true.into());
    }
    map.insert(keyword.to_owned(), schemas.into());
}

/// 3.0 reads nothing beside a `$ref`.
fn reference(map: &mut Map<String, Value>) {
    if map.len() > 1
        && let Some(target) = map.remove("$ref")
    {
        let mut all = vec![json!({ "$ref": target })];
        if let Some(Value::Array(others)) = map.remove("allOf") {
            all.extend(others);
        }
        map.insert("allOf".to_owned(), all.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_3_1_to_say_a_thing_becomes_that_of_3_0() {
        for (new, old) in [
            (json!({ "type": ["string", "null"] }), json!({ "type": "string", "nullable": true })),
            (
                json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }], "title": "N" }),
                json!({ "title": "N", "nullable": true, "type": "integer" }),
            ),
            (
                json!({ "anyOf": [{ "$ref": "#/a" }, { "type": "null" }] }),
                json!({ "nullable": true, "allOf": [{ "$ref": "#/a" }] }),
            ),
            (json!({ "const": 1 }), json!({ "enum": [1] })),
            (
                json!({ "exclusiveMinimum": 0, "type": "number" }),
                json!({ "minimum": 0, "exclusiveMinimum": true, "type": "number" }),
            ),
            (
                json!({ "$ref": "#/a", "description": "d" }),
                json!({ "description": "d", "allOf": [{ "$ref": "#/a" }] }),
            ),
            (
                json!({ "type": "string", "examples": ["a", "b"] }),
                json!({ "example": "a", "type": "string" }),
            ),
            (
                json!({ "type": "string", "contentMediaType": "application/octet-stream" }),
                json!({ "format": "binary", "type": "string" }),
            ),
            (
                json!({ "type": ["string", "integer"] }),
                json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }),
            ),
            (
                json!({ "type": "array", "prefixItems": [{ "type": "string" }] }),
                json!({ "type": "array", "items": {} }),
            ),
            (
                json!({ "properties": { "a": true, "const": { "const": null } } }),
                json!({ "properties": { "a": {}, "const": { "enum": [null] } } }),
            ),
        ] {
            let mut document = json!({ "paths": { "/a": { "get": { "parameters": [{ "schema": new }] } } } });
            to_3_0(&mut document);
            assert_eq!(document["paths"]["/a"]["get"]["parameters"][0]["schema"], old);
        }
    }
}
