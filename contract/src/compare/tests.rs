//! Differences and their weights, and what holds for all documents.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Weight, compare, key};

/// A document with one operation that takes `request` and answers `answer`.
fn document(request: &Value, answer: &Value) -> Value {
    json!({
        "openapi": "3.0.3",
        "info": { "title": "T", "version": "1" },
        "paths": { "/orders/{id}": { "put": {
            "operationId": "put_order",
            "requestBody": { "required": true, "content": { "application/json": { "schema": request } } },
            "responses": { "200": { "description": "ok", "content": { "application/json": { "schema": answer } } } }
        } } }
    })
}

/// The weight of a change of a schema: in requests, in answers.
fn weights(old: &Value, new: &Value) -> (Option<Weight>, Option<Weight>) {
    let none = json!({});
    (
        compare(&document(old, &none), &document(new, &none)).weight(),
        compare(&document(&none, old), &document(&none, new)).weight(),
    )
}

const BREAKING: Option<Weight> = Some(Weight::Breaking);
const COMPATIBLE: Option<Weight> = Some(Weight::Compatible);
const EDITORIAL: Option<Weight> = Some(Weight::Editorial);

#[test]
fn what_holds_requests_to_more_or_answers_to_less_breaks() {
    let object = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required });
    for (old, new, request, answer) in [
        (json!({ "type": "string" }), json!({ "type": "integer" }), BREAKING, BREAKING),
        (json!({ "type": "integer" }), json!({ "type": "number" }), COMPATIBLE, BREAKING),
        (json!({ "type": "string" }), json!({ "type": "string", "nullable": true }), COMPATIBLE, BREAKING),
        (json!({ "type": "string", "nullable": true }), json!({ "type": ["null", "string"] }), None, None),
        (
            json!({ "type": "string" }),
            json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
            COMPATIBLE,
            BREAKING,
        ),
        (json!({ "enum": ["a", "b"] }), json!({ "enum": ["a", "b", "c"] }), COMPATIBLE, BREAKING),
        (json!({ "enum": ["a", "b"] }), json!({ "enum": ["b"] }), BREAKING, COMPATIBLE),
        (json!({ "enum": ["b"] }), json!({ "const": "b" }), None, None),
        (json!({ "maxLength": 10 }), json!({ "maxLength": 5 }), BREAKING, COMPATIBLE),
        (json!({ "maxLength": 10 }), json!({}), COMPATIBLE, BREAKING),
        (json!({ "minimum": 0, "exclusiveMinimum": true }), json!({ "exclusiveMinimum": 0 }), None, None),
        (json!({ "minimum": 0 }), json!({ "exclusiveMinimum": 0 }), BREAKING, COMPATIBLE),
        (json!({ "pattern": "^a" }), json!({ "pattern": "^b" }), BREAKING, BREAKING),
        (json!({ "format": "int32" }), json!({ "format": "int64" }), COMPATIBLE, BREAKING),
        (json!({ "not": { "const": 1 } }), json!({ "not": { "const": 2 } }), BREAKING, BREAKING),
        (
            json!({ "items": { "type": "string" } }),
            json!({ "items": { "type": "string", "maxLength": 1 } }),
            BREAKING,
            COMPATIBLE,
        ),
        (
            json!({ "additionalProperties": true }),
            json!({ "additionalProperties": false }),
            BREAKING,
            COMPATIBLE,
        ),
        (object(json!({ "a": {} }), &[]), object(json!({ "a": {} }), &["a"]), BREAKING, COMPATIBLE),
        (
            object(json!({ "a": {} }), &["a"]),
            object(json!({ "a": {}, "b": {} }), &["a"]),
            COMPATIBLE,
            COMPATIBLE,
        ),
        (object(json!({}), &[]), object(json!({ "b": {} }), &["b"]), BREAKING, COMPATIBLE),
        (object(json!({ "a": {}, "b": {} }), &[]), object(json!({ "a": {} }), &[]), BREAKING, BREAKING),
        (
            object(json!({ "a": {} }), &["a"]),
            object(json!({ "a": { "readOnly": true } }), &[]),
            BREAKING,
            BREAKING,
        ),
        (object(json!({ "a": { "readOnly": true } }), &[]), object(json!({}), &[]), None, BREAKING),
        (
            json!({ "allOf": [object(json!({ "a": {} }), &["a"]), object(json!({ "b": {} }), &[])] }),
            object(json!({ "a": {}, "b": {} }), &["a"]),
            None,
            None,
        ),
        (
            json!({ "oneOf": [{ "type": "string" }, { "type": "integer" }] }),
            json!({ "oneOf": [{ "type": "string" }] }),
            BREAKING,
            COMPATIBLE,
        ),
        (json!({ "description": "x" }), json!({ "description": "y" }), EDITORIAL, EDITORIAL),
        (json!({ "default": 1 }), json!({ "default": 2 }), COMPATIBLE, COMPATIBLE),
    ] {
        assert_eq!(weights(&old, &new), (request, answer), "{old} to {new}");
    }
}

/// The weight of a change of the operation itself, and where it is.
fn changed(change: impl Fn(&mut Value)) -> Vec<(Weight, String)> {
    let old = document(&json!({ "type": "string" }), &json!({ "type": "string" }));
    let mut new = old.clone();
    change(&mut new["paths"]["/orders/{id}"]);
    let comparison = compare(&old, &new);
    let named = |change: &super::Change| change.operations.contains(&key("put", "/orders/{order}"));
    assert!(comparison.changes.iter().all(|change| named(change) || change.told.contains("is new")));
    comparison.changes.into_iter().map(|change| (change.weight, change.pointer)).collect()
}

#[test]
fn each_change_of_an_operation_is_told_with_its_pointer() {
    let at = |below: &str| format!("/paths/~1orders~1{{id}}/{below}");
    let without = |member: &'static str| {
        changed(move |item| drop(item["put"].as_object_mut().unwrap().shift_remove(member)))
    };
    assert_eq!(without("requestBody"), [(Weight::Breaking, at("put/requestBody"))]);
    assert_eq!(without("responses"), [(Weight::Breaking, at("put/responses"))]);
    let gone = changed(|item| *item = json!({ "get": item["put"] }));
    assert_eq!(gone, [(Weight::Breaking, at("put")), (Weight::Compatible, at("get"))]);
    let status = |status: &'static str| {
        changed(move |item| item["put"]["responses"][status] = json!({ "description": "x" }))
    };
    assert_eq!(status("404"), [(Weight::Compatible, at("put/responses/404"))]);
    assert_eq!(status("202"), [(Weight::Breaking, at("put/responses/202"))]);
    let parameter = |required: bool| {
        changed(move |item| {
            item["parameters"] = json!([{ "in": "query", "name": "q", "required": required, "schema": {} }]);
        })
    };
    assert_eq!(parameter(true), [(Weight::Breaking, at("parameters/0"))]);
    assert_eq!(parameter(false), [(Weight::Compatible, at("parameters/0"))]);
    let secured = changed(|item| item["put"]["security"] = json!([{ "bearer": ["orders:write"] }]));
    assert_eq!(secured, [(Weight::Breaking, at("put/security")), (Weight::Breaking, at("put/security"))]);
    assert_eq!(changed(|item| item["put"]["summary"] = "x".into()), [(Weight::Editorial, at("put/summary"))]);
}

#[test]
fn a_component_that_contains_itself_is_held_against_itself_once() {
    let with = |tree: Value| {
        let mut document = document(&json!({}), &json!({ "$ref": "#/components/schemas/Tree" }));
        document["components"]["schemas"]["Tree"] = tree;
        document
    };
    let tree = |kind: &str| {
        json!({ "type": "object", "properties": {
            "name": { "type": kind },
            "children": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } },
        } })
    };
    let comparison = compare(&with(tree("string")), &with(tree("integer")));
    let found: Vec<&str> = comparison.changes.iter().map(|change| change.pointer.as_str()).collect();
    assert_eq!(found, ["/components/schemas/Tree/properties/name/type"; 2]);
    assert_eq!(compare(&with(tree("string")), &with(tree("string"))).weight(), None);
}

#[test]
fn the_name_of_a_path_parameter_matters_to_nobody() {
    let old = document(&json!({}), &json!({}));
    let mut new = old.clone();
    let item = new["paths"].as_object_mut().unwrap().shift_remove("/orders/{id}").unwrap();
    new["paths"]["/orders/{order_id}"] = item;
    assert_eq!(compare(&old, &new).weight(), None);
}

/// Schemas of objects, lists and plain values, three deep.
fn schema() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(json!({})),
        Just(json!({ "type": "boolean" })),
        (0..9i64, 9..20i64)
            .prop_map(|(low, high)| json!({ "type": "integer", "minimum": low, "maximum": high })),
        (0..9u64).prop_map(|length| json!({ "type": "string", "minLength": length })),
        prop::collection::btree_set("[a-d]", 1..4).prop_map(|values| json!({ "enum": values })),
        Just(json!({ "type": "string", "nullable": true })),
        Just(json!({ "oneOf": [{ "type": "string" }, { "type": "integer" }] })),
    ];
    plain.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| json!({ "type": "array", "items": items })),
            prop::collection::btree_map("[a-e]", (inner, any::<bool>()), 0..4).prop_map(|members| {
                let required: Vec<String> =
                    members.iter().filter(|(_, (_, needed))| *needed).map(|(name, _)| name.clone()).collect();
                let properties: Map<String, Value> =
                    members.into_iter().map(|(name, (schema, _))| (name, schema)).collect();
                json!({ "type": "object", "properties": properties, "required": required })
            }),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    schema().prop_filter("an object", |schema| schema["type"] == "object")
}

#[test]
fn parts_that_hold_themselves_are_taken_once() {
    let itself = json!({ "$ref": "#/components/schemas/Part" });
    let document = |length: u64| {
        let mut document = document(&itself, &itself);
        let part = json!({ "allOf": vec![itself.clone(); 8], "maxLength": length });
        document["components"] = json!({ "schemas": { "Part": part } });
        document
    };
    let found = compare(&document(2), &document(1));
    assert_eq!(found.weight(), BREAKING);
    assert_eq!(found.changes.len(), 2, "{found:?}");
}

proptest! {
    #[test]
    fn a_document_is_equal_to_itself(request in schema(), answer in schema()) {
        let document = document(&request, &answer);
        prop_assert_eq!(compare(&document, &document.clone()).changes, vec![]);
    }

    #[test]
    fn one_more_field_is_compatible_in_answers_and_in_requests_where_it_may_be_left_out(old in object(), field in schema()) {
        let mut new = old.clone();
        new["properties"]["z"] = field;
        prop_assert_eq!(weights(&old, &new), (COMPATIBLE, COMPATIBLE));
        new["required"].as_array_mut().unwrap().push("z".into());
        prop_assert_eq!(weights(&old, &new), (BREAKING, COMPATIBLE));
        // The other way round a field is gone, which breaks whoever reads or sends it.
        prop_assert_eq!(weights(&new, &old), (BREAKING, BREAKING));
    }

    /// Fewer values in a request are as bad as more of them in an answer: each change breaks one of the two directions, at least.
    #[test]
    fn what_breaks_neither_way_does_not_differ(old in schema(), new in schema()) {
        let (request, answer) = weights(&old, &new);
        if request.is_none() && answer.is_none() {
            prop_assert_eq!(weights(&new, &old), (None, None));
        }
        // What a request takes more of, it takes less of on the way back.
        if request == COMPATIBLE && answer == BREAKING {
            prop_assert_eq!(weights(&new, &old).0, BREAKING);
        }
    }
}
