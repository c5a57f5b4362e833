//! Adds a declared service to the one public document: its paths, tags and components, renamed where names clash, with the
//! problems that the gateway itself can answer and the access it asks for.

use std::collections::BTreeMap;

use contract::{
    document::{
        problems::{self, Takes},
        security,
    },
    operation::Access,
    schema::pointer_token,
};
use http::Method;
use serde_json::{Map, Value, json};

use super::{
    dialect,
    prepare::{EXAMPLES, followed},
};

const PROBLEM_JSON: &str = "application/problem+json";

/// Where components stand.
const COMPONENTS: &str = "#/components/";

/// Adds `prepared`, the document of `service`, to `public`.
pub(crate) fn add(public: &mut Value, service: &str, prepared: &Value) {
    let mut own = prepared.clone();
    if own.get("openapi").and_then(Value::as_str).is_some_and(|version| version.starts_with("3.1")) {
        dialect::to_3_0(&mut own);
    }
    if let Some(components) = own.get_mut("components").and_then(Value::as_object_mut) {
        components.remove("securitySchemes");
        components.remove("callbacks");
        components.remove("links");
    }
    complete(&mut own);
    let renamed = clashes(public, service, &own);
    rename(&mut own, &renamed);
    merge(public, service, own, &renamed);
}

/// Says of an operation that the gateway changes its JSON answers: the service's schemas are not what clients get.
pub(crate) fn changed(document: &mut Value, path: &str, method: &Method) {
    let whole = document.clone();
    let pointer =
        format!("/paths/{}/{}/responses", pointer_token(path), method.as_str().to_ascii_lowercase());
    let responses = document.pointer_mut(&pointer).and_then(Value::as_object_mut);
    for response in responses.into_iter().flat_map(Map::values_mut) {
        *response = followed(&whole, response).clone();
        let content = response.get_mut("content").and_then(Value::as_object_mut);
        for (_, media) in content.into_iter().flatten().filter(|(name, _)| name.contains("json")) {
            media["schema"] = json!({ "description": "Changed by the gateway as its configuration says" });
        }
    }
}

/// Adds what the gateway answers itself to every operation.
fn complete(document: &mut Value) {
    let whole = document.clone();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for item in paths.into_iter().flat_map(Map::values_mut) {
        let shared = item.get("parameters").is_some();
        let Some(item) = item.as_object_mut() else { continue };
        for (_, operation) in item.iter_mut().filter(|(name, _)| *name != "parameters") {
            complete_operation(&whole, operation, shared);
        }
    }
}

/// The same for one operation.
pub(crate) fn complete_operation(document: &Value, operation: &mut Value, shared_parameters: bool) {
    let access = operation
        .get("x-platform-access")
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok())
        .unwrap_or(Access::SignedIn);
    let body = operation.get("requestBody").is_some();
    let takes = Takes { body, values: body || shared_parameters || operation.get("parameters").is_some() };
    let is_websocket = operation.get("x-platform-websocket").is_some();
    let Some(map) = operation.as_object_mut() else { return };
    map.insert("security".to_owned(), security(&access, None));
    let responses = map.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    for response in responses.values_mut() {
        *response = followed(document, response).clone();
        if let Some(response) = response.as_object_mut() {
            response.remove("links");
        }
    }
    let own: &[u16] = if is_websocket { &[426] } else { &[] };
    for status in problems::statuses(&access, false, takes, own) {
        let problem = problems::response(status, false);
        match responses.get_mut(&status.to_string()) {
            None => {
                responses.insert(status.to_string(), problem);
            }
            Some(declared) => {
                let content = declared
                    .as_object_mut()
                    .map(|declared| declared.entry("content").or_insert_with(|| json!({})));
                if let Some(content) = content.and_then(Value::as_object_mut) {
                    content.entry(PROBLEM_JSON).or_insert_with(|| problem["content"][PROBLEM_JSON].clone());
                }
            }
        }
    }
    let sorted: BTreeMap<String, Value> = std::mem::take(responses).into_iter().collect();
    responses.extend(sorted);
}

/// The new names of components, by kind and name.
type Renamed = BTreeMap<(String, String), String>;

/// Which components need another name: those whose name somebody else has for something else, and those whose name is none
/// that OpenAPI allows. What is equal is shared. A component that refers to a renamed one differs by that.
fn clashes(public: &Value, service: &str, own: &Value) -> Renamed {
    let mut renamed = Renamed::new();
    loop {
        let mut seen = own.clone();
        rename(&mut seen, &renamed);
        let mut found = Vec::new();
        for (kind, named) in components(&seen) {
            for (name, value) in named {
                if renamed.contains_key(&(kind.clone(), name.clone())) {
                    continue;
                }
                let other = public.pointer(&format!("/components/{kind}/{}", pointer_token(name)));
                if !is_name(name) || other.is_some_and(|other| other != value) {
                    found.push((kind.clone(), name.clone()));
                }
            }
        }
        if found.is_empty() {
            return renamed;
        }
        for (kind, name) in found {
            let plain: String =
                name.chars().map(|letter| if is_letter(letter) { letter } else { '_' }).collect();
            let is_free = |candidate: &str| {
                let pointer = format!("/components/{kind}/{candidate}");
                public.pointer(&pointer).is_none()
                    && own.pointer(&pointer).is_none()
                    && !renamed.iter().any(|((of, _), taken)| *of == kind && taken == candidate)
            };
            let candidates = std::iter::once(format!("{service}_{plain}"))
                .chain((2..).map(|number| format!("{service}_{plain}_{number}")));
            if let Some(free) = candidates.into_iter().find(|candidate| is_free(candidate)) {
                renamed.insert((kind, name), free);
            }
        }
    }
}

fn components(document: &Value) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    let kinds = document.get("components").and_then(Value::as_object);
    kinds.into_iter().flatten().filter_map(|(kind, named)| Some((kind, named.as_object()?)))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_letter)
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-')
}

/// Follows the new names in every `$ref` and discriminator.
fn rename(value: &mut Value, renamed: &Renamed) {
    if renamed.is_empty() {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                match inner {
                    Value::String(target) if key == "$ref" => rename_target(target, renamed),
                    Value::Object(mapping) if key == "mapping" => {
                        for target in mapping.values_mut() {
                            if let Value::String(target) = target {
                                rename_mapping(target, renamed);
                            }
                        }
                    }
                    _ if EXAMPLES.contains(&key.as_str()) => {}
                    inner => rename(inner, renamed),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, renamed)),
        _ => {}
    }
}

fn rename_target(target: &mut String, renamed: &Renamed) {
    let Some((kind, rest)) = target.strip_prefix(COMPONENTS).and_then(|inner| inner.split_once('/')) else {
        return;
    };
    let (token, below) = rest.split_once('/').map_or((rest, None), |(token, below)| (token, Some(below)));
    let decoded = percent_encoding::percent_decode_str(token).decode_utf8_lossy();
    let name = decoded.replace("~1", "/").replace("~0", "~");
    if let Some(new) = renamed.get(&(kind.to_owned(), name)) {
        let below = below.map_or_else(String::new, |below| format!("/{below}"));
        *target = format!("{COMPONENTS}{kind}/{new}{below}");
    }
}

/// A discriminator names a schema by its reference or by its bare name.
fn rename_mapping(target: &mut String, renamed: &Renamed) {
    if target.starts_with('#') {
        rename_target(target, renamed);
    } else if let Some(new) = renamed.get(&("schemas".to_owned(), target.clone())) {
        target.clone_from(new);
    }
}

fn merge(public: &mut Value, service: &str, mut own: Value, renamed: &Renamed) {
    let taken = |own: &mut Value, key: &str| match own.get_mut(key).map(Value::take) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let paths = taken(&mut own, "paths");
    let components = taken(&mut own, "components");
    let tags = own.get_mut("tags").map(Value::take);
    let Some(public) = public.as_object_mut() else { return };
    if let Some(known) = public.get_mut("paths").and_then(Value::as_object_mut) {
        known.extend(paths);
    }
    if let Some(known) = public.get_mut("tags").and_then(Value::as_array_mut) {
        let named = |tag: &Value| tag.get("name").cloned();
        let own = tags.and_then(|tags| tags.as_array().cloned()).unwrap_or_default();
        for tag in own.into_iter().chain([json!({ "name": service })]) {
            if !known.iter().any(|other| named(other) == named(&tag)) {
                known.push(tag);
            }
        }
    }
    if let Some(all) = public.get_mut("components").and_then(Value::as_object_mut) {
        for (kind, named) in components {
            let Value::Object(named) = named else { continue };
            let known = all.entry(kind.clone()).or_insert_with(|| json!({}));
            let Some(known) = known.as_object_mut() else { continue };
            for (name, value) in named {
                let name = renamed.get(&(kind.clone(), name.clone())).cloned().unwrap_or(name);
                known.entry(name).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public() -> Value {
        json!({
            "openapi": "3.0.3",
            "paths": {},
            "tags": [],
            "components": { "schemas": {
                "User": { "type": "object", "properties": { "id": { "type": "integer" } } },
                "Same": { "type": "string" },
                "Problem": { "type": "object" },
            } },
        })
    }

    fn service() -> Value {
        json!({
            "openapi": "3.1.0",
            "paths": { "/api/orders/o": { "get": {
                "operationId": "o", "x-platform-access": "signed-in",
                "responses": { "200": { "$ref": "#/components/responses/Page<User>" }, "422": { "description": "no",
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Same" } } } } },
            } } },
            "components": {
                "responses": { "Page<User>": { "description": "", "content": { "application/json": { "schema": {
                    "type": "array", "items": { "$ref": "#/components/schemas/Wrap" } } } } } },
                "schemas": {
                    "User": { "type": "object", "properties": { "name": { "type": ["string", "null"] } } },
                    "Wrap": { "oneOf": [{ "$ref": "#/components/schemas/User" }], "discriminator": { "propertyName": "k",
                        "mapping": { "a": "User", "b": "#/components/schemas/User" } } },
                    "Same": { "type": "string" },
                },
                "securitySchemes": { "own": { "type": "http", "scheme": "basic" } },
            },
        })
    }

    #[test]
    fn names_that_clash_are_renamed_with_all_that_refers_to_them_and_equal_ones_are_shared() {
        let mut document = public();
        add(&mut document, "orders", &service());
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let names: Vec<&str> = schemas.keys().map(String::as_str).collect();
        assert_eq!(names, ["User", "Same", "Problem", "orders_User", "Wrap"]);
        assert_eq!(schemas["User"]["properties"]["id"]["type"], "integer");
        assert_eq!(
            schemas["orders_User"]["properties"]["name"],
            json!({ "type": "string", "nullable": true })
        );
        assert_eq!(schemas["Wrap"]["oneOf"][0]["$ref"], "#/components/schemas/orders_User");
        assert_eq!(
            schemas["Wrap"]["discriminator"]["mapping"],
            json!({ "a": "orders_User", "b": "#/components/schemas/orders_User" })
        );
        assert!(document["components"].get("securitySchemes").is_none());
    }

    #[test]
    fn what_the_gateway_answers_stands_beside_what_the_service_declares() {
        let mut document = public();
        add(&mut document, "orders", &service());
        let responses = &document["paths"]["/api/orders/o"]["get"]["responses"];
        assert!(responses["502"]["content"][PROBLEM_JSON].is_object());
        assert!(responses["422"]["content"]["application/json"].is_object());
        assert!(responses["401"]["headers"]["WWW-Authenticate"].is_object());
        assert_eq!(document["tags"], json!([{ "name": "orders" }]));
    }

    #[test]
    fn a_component_differs_if_one_it_refers_to_does() {
        let mut document = public();
        document["components"]["schemas"]["Wrap"] = service()["components"]["schemas"]["Wrap"].clone();
        add(&mut document, "orders", &service());
        assert!(document["components"]["schemas"]["orders_Wrap"].is_object());
    }
}
