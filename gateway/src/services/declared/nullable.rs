//! `nullable` of OpenAPI 3.0 says something beside `type` only (3.0.3, Schema Object): wherever it stands alone, in what a service
//! wrote or what was made of a 3.1 document, the type is written beside it, or null as a choice of its own.

use serde_json::{Map, Value, json};

use super::prepare::{EXAMPLES, followed};

/// References that are followed to find a type.
const DEPTH: usize = 8;

/// Completes every schema of a document.
pub(super) fn complete(document: &mut Value) {
    let whole = document.clone();
    walk(&whole, document);
}

fn walk(whole: &Value, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(whole, item)),
        Value::Object(map) => {
            let inner = map.iter_mut().filter(|(name, _)| !EXAMPLES.contains(&name.as_str()));
            inner.for_each(|(_, value)| walk(whole, value));
            if map.get("nullable") == Some(&Value::Bool(true)) && !map.contains_key("type") {
                complete_one(whole, map);
            }
        }
        _ => {}
    }
}

fn complete_one(whole: &Value, map: &mut Map<String, Value>) {
    if let Some(kind) = kind_of(whole, map, 0) {
        map.insert("type".to_owned(), kind.into());
        return;
    }
    let null = json!({ "type": "object", "nullable": true, "enum": [null] });
    map.remove("nullable");
    if map.get("enum") == Some(&json!([null])) {
        map.extend(null.as_object().cloned().unwrap_or_default());
        return;
    }
    let said = ["allOf", "anyOf", "oneOf", "not", "enum", "properties", "items"];
    if said.iter().any(|keyword| map.contains_key(*keyword)) {
        let rest = Value::Object(std::mem::take(map));
        map.insert("anyOf".to_owned(), json!([rest, null]));
    }
    // What says nothing of its value takes null anyway.
}

/// The one type that a schema's values have.
fn kind_of(whole: &Value, map: &Map<String, Value>, depth: usize) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    if let Some(kind) = map.get("type") {
        return kind.as_str().map(ToOwned::to_owned);
    }
    let inner = |value: &Value| kind_of(whole, followed(whole, value).as_object()?, depth + 1);
    if let Some(Value::Array(all)) = map.get("allOf") {
        return all.iter().find_map(inner);
    }
    let choices = map.get("anyOf").or_else(|| map.get("oneOf"))?.as_array()?;
    let mut kinds = choices.iter().map(inner);
    let first = kinds.next()??;
    kinds.all(|kind| kind.as_deref() == Some(&first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_said_where_a_reader_of_3_0_looks_for_it() {
        let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let null = json!({ "type": "object", "nullable": true, "enum": [null] });
        for (before, after) in [
            (json!({ "type": "string", "nullable": true }), json!({ "type": "string", "nullable": true })),
            (
                json!({ "nullable": true, "allOf": [reference("Thing")] }),
                json!({ "type": "object", "nullable": true, "allOf": [reference("Thing")] }),
            ),
            (
                json!({ "nullable": true, "anyOf": [reference("Thing"), { "type": "string" }] }),
                json!({ "anyOf": [{ "anyOf": [reference("Thing"), { "type": "string" }] }, null] }),
            ),
            (json!({ "nullable": true, "enum": [null] }), null.clone()),
            (json!({ "nullable": true, "description": "d" }), json!({ "description": "d" })),
            (
                json!({ "nullable": true, "allOf": [reference("Loop")] }),
                json!({ "anyOf": [{ "allOf": [reference("Loop")] }, null] }),
            ),
            (json!({ "example": { "nullable": true } }), json!({ "example": { "nullable": true } })),
        ] {
            let mut document = json!({ "it": before, "components": { "schemas": {
                "Thing": { "type": "object" }, "Loop": { "allOf": [reference("Loop")] } } } });
            complete(&mut document);
            assert_eq!(document["it"], after);
        }
    }
}
