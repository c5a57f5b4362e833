//! Checks cost what the text is worth, and what is remembered changes no verdict.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Checked,
    walk::{At, Walk},
};
use crate::schema::{Compiler, NodeId, Schema};

fn compiled(document: &Value) -> (Schema, NodeId) {
    let mut compiler = Compiler::new(document);
    let node = compiler.compile(&json!({"$ref": "#/schemas/Root"}), "").unwrap();
    (compiler.finish(), node)
}

/// What a check found, and the steps it took.
fn counted(document: &Value, text: &[u8]) -> (Checked, usize) {
    let (schema, node) = compiled(document);
    let mut walk = Walk::new(&schema, text.len());
    let before = walk.judged.steps_left();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    serde::de::DeserializeSeed::deserialize(At { node: Some(node), walk: &mut walk }, &mut deserializer)
        .unwrap();
    let taken = before - walk.judged.steps_left();
    (walk.found(), taken)
}

/// As frameworks write a union of models that hold the union again.
fn expressions(combination: &str) -> Value {
    let operation = |name: &str| {
        json!({
            "type": "object",
            "properties": {
                "left": {"$ref": "#/schemas/Root"}, "right": {"$ref": "#/schemas/Root"}, "op": {"enum": [name]},
            },
            "required": ["op", "left", "right"],
        })
    };
    json!({"schemas": {
        "Root": {combination: [{"$ref": "#/schemas/Add"}, {"$ref": "#/schemas/Multiply"}, {"type": "number"}]},
        "Add": operation("add"),
        "Multiply": operation("multiply"),
    }})
}

fn nested(depth: usize, innermost: Value) -> Value {
    (0..depth).fold(innermost, |inner, at| {
        let name = if at % 2 == 0 { "add" } else { "multiply" };
        json!({"left": inner.clone(), "right": 1, "op": name})
    })
}

#[test]
fn u_0000_is_refused_in_every_string_whatever_it_was_read_from() {
    let any = json!({"schemas": {"Root": {"type": "string"}}});
    let list = json!({"schemas": {"Root": {"type": "array", "items": {"type": "string"}}}});
    let forms = json!({"schemas": {"Root": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}});
    for document in [&any, &forms] {
        let (schema, node) = compiled(document);
        assert!(!schema.check_parameter(node, "a\0b").is_empty());
        assert!(schema.check_parameter(node, "ab").is_empty());
        assert!(schema.check(node, br#""a\u0000b""#).is_err() && schema.check(node, b"\"a\0b\"").is_err());
    }
    let (schema, node) = compiled(&list);
    assert_eq!(schema.check_parameter_list(node, &["a", "\0"]).len(), 1);
    assert!(schema.check(node, br#"["a", "\u0000"]"#).is_err());
}

#[test]
fn a_union_that_holds_itself_costs_each_value_once() {
    for combination in ["anyOf", "oneOf"] {
        for (innermost, fits) in [(json!(1), true), (json!("x"), false)] {
            let text = nested(100, innermost).to_string();
            let (checked, steps) = counted(&expressions(combination), text.as_bytes());
            assert_eq!(checked.violations.is_empty(), fits, "{combination}: {:?}", checked.violations);
            assert!(steps < 5_000, "{combination}: {steps} steps for {} bytes", text.len());
        }
    }
}

#[test]
fn parts_that_all_hold_and_hold_themselves_are_walked_once() {
    let part = json!({"type": "object", "properties": {"left": {"$ref": "#/schemas/Root"}}});
    let document = json!({"schemas": {"Root": {"allOf": [part, part, part]}}});
    let value = (0..100).fold(json!({"left": 1}), |inner, _| json!({"left": inner}));
    let (checked, steps) = counted(&document, value.to_string().as_bytes());
    assert!(checked.violations[0].pointer.ends_with("/left/left"), "{:?}", checked.violations[0]);
    assert!(steps < 2_000, "{steps}");
}

#[test]
fn a_hundred_thousand_items_are_unique_at_the_cost_of_reading_them() {
    let document = json!({"schemas": {"Root": {"type": "array", "uniqueItems": true}}});
    let items: Vec<Value> = (0..100_000).map(|id| json!({"id": id, "of": "the same"})).collect();
    let (checked, steps) = counted(&document, Value::from(items.clone()).to_string().as_bytes());
    assert_eq!(checked.violations, []);
    assert!(steps < 600_000, "{steps}");

    let twice: Vec<Value> = items.into_iter().chain([json!({"of": "the same", "id": 7.0})]).collect();
    let (checked, _) = counted(&document, Value::from(twice).to_string().as_bytes());
    assert_eq!(checked.violations[0].detail, "the items must differ from each other");
}

#[test]
fn items_are_equal_as_json_schema_says() {
    let document = json!({"schemas": {"Root": {"uniqueItems": true}}});
    for (text, unique) in [
        ("[1, 1.0]", false),
        ("[0, -0.0]", false),
        ("[100, 1e2]", false),
        ("[18446744073709551615, 18446744073709551615]", false),
        ("[9007199254740993, 9007199254740992.0]", true),
        ("[1e300, 1e300]", false),
        ("[1, true, \"1\", [1], {\"1\": 1}, null, 0, false]", true),
        (r#"[{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}]"#, false),
        (r#"[{"a": 1}, {"a": 1, "b": null}]"#, true),
        ("[[1, 2], [2, 1]]", true),
    ] {
        assert_eq!(counted(&document, text.as_bytes()).0.violations.is_empty(), unique, "{text}");
    }
}

#[test]
fn a_schema_that_leads_only_to_itself_is_given_up_and_says_so() {
    for combination in ["anyOf", "oneOf", "allOf"] {
        let document = json!({"schemas": {"Root": {combination: [{"$ref": "#/schemas/Root"}]}}});
        for text in ["1", "{}", r#"[{"a": []}]"#] {
            let (checked, steps) = counted(&document, text.as_bytes());
            assert!(steps < 1_000);
            if combination == "allOf" && text != "1" {
                continue;
            }
            assert!(!checked.violations.is_empty(), "{combination} {text}");
        }
    }
}

#[test]
fn a_check_that_takes_too_many_steps_is_a_fault_of_its_own() {
    // Each level doubles the ways, and what is looked at is no container that could be remembered.
    let mut schemas = json!({"S40": {"type": "string"}});
    for level in 0..40 {
        let next = json!({"$ref": format!("#/schemas/S{}", level + 1)});
        schemas[format!("S{level}")] = json!({"oneOf": [{"not": next}, next, {"not": next}]});
    }
    schemas["Root"] = json!({"type": "object", "properties": {"value": {"$ref": "#/schemas/S0"}, "first": {"type": "string"}}});
    let (checked, _) = counted(&json!({"schemas": schemas}), br#"{"first": 1, "value": 1}"#);
    assert_eq!(checked.violations.len(), 1);
    assert_eq!(checked.violations[0].pointer, "/value");
    assert!(checked.violations[0].detail.contains("too many steps"));
}

#[test]
fn what_is_pruned_of_a_union_that_holds_itself_is_visited_once() {
    let (schema, node) = compiled(&expressions("anyOf"));
    let mut value = nested(100, json!({"op": "add", "left": 1, "right": 2, "secret": 3}));
    schema.prune(node, &mut value);
    assert_eq!(value, nested(100, json!({"op": "add", "left": 1, "right": 2})));
}

#[test]
fn what_one_alternative_declares_is_not_dropped_for_another() {
    let form = |name: &str| json!({"properties": {"kind": {"enum": [name]}, "body": {"properties": {name: {"type": "integer"}}}}});
    let (schema, node) = compiled(&json!({"schemas": {"Root": {"oneOf": [form("a"), form("b")]}}}));
    let mut value = json!({"kind": "b", "body": {"b": 1, "c": 2}, "d": 3});
    schema.prune(node, &mut value);
    assert_eq!(value, json!({"kind": "b", "body": {"b": 1}}));
}

/// The plain meaning of a schema, with nothing remembered and nothing ended early.
fn plainly(document: &Value, schema: &Value, value: &Value) -> bool {
    let each = |name: &str| {
        let listed = schema[name].as_array().cloned().unwrap_or_default();
        listed.iter().map(|inner| plainly(document, inner, value)).collect::<Vec<bool>>()
    };
    if let Some(target) = schema["$ref"].as_str() {
        return plainly(document, document.pointer(&target[1..]).unwrap(), value);
    }
    let typed = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("integer") => value.is_i64(),
        Some("string") => value.is_string(),
        _ => true,
    };
    let properties = value.as_object().into_iter().flatten().map(|(key, inner)| {
        schema["properties"].get(key).is_none_or(|property| plainly(document, property, inner))
    });
    let items = value.as_array().into_iter().flatten();
    let items = items.map(|item| schema.get("items").is_none_or(|items| plainly(document, items, item)));
    let inside: Vec<bool> = properties.chain(items).collect();
    let required = schema["required"].as_array().into_iter().flatten();
    let lacks = value.is_object() && required.filter_map(Value::as_str).any(|name| value.get(name).is_none());
    let alternatives = [each("anyOf"), each("oneOf")];
    typed
        && !lacks
        && inside.iter().all(|fits| *fits)
        && each("allOf").iter().all(|fits| *fits)
        && (alternatives[0].is_empty() || alternatives[0].iter().any(|fits| *fits))
        && (alternatives[1].is_empty() || alternatives[1].iter().filter(|fits| **fits).count() == 1)
        && !schema.get("not").is_some_and(|inner| plainly(document, inner, value))
}

fn values() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![Just(json!(1)), Just(json!("x")), Just(Value::Null)];
    scalar.prop_recursive(4, 24, 3, |inner| {
        let key = prop_oneof![Just("a"), Just("b"), Just("c")];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..3).prop_map(|entries| {
                Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

/// A schema that may hold any other for what is inside a value, and only later ones for the value itself.
fn schemas(at: usize) -> impl Strategy<Value = Value> {
    let anywhere = (0..COUNT).prop_map(|to| json!({"$ref": format!("#/schemas/{}", NAMES[to])}));
    let plain = (
        prop_oneof![Just("object"), Just("array"), Just("integer"), Just("string")],
        anywhere.clone(),
        anywhere.clone(),
        anywhere,
    )
        .prop_map(|(name, a, b, items)| match name {
            "object" => json!({"type": name, "properties": {"a": a, "b": b}, "required": ["a"]}),
            "array" => json!({"type": name, "items": items}),
            name => json!({"type": name}),
        })
        .boxed();
    if at + 1 == COUNT {
        return plain;
    }
    let later = (at + 1..COUNT).prop_map(|to| json!({"$ref": format!("#/schemas/{}", NAMES[to])}));
    let keyword = prop_oneof![Just("anyOf"), Just("oneOf"), Just("allOf"), Just("not")];
    let combined = (
        keyword,
        proptest::collection::vec(prop_oneof![later, plain.clone()], 1..4),
        any::<bool>(),
        plain.clone(),
    )
        .prop_map(|(keyword, inner, beside, mut plain)| {
            let inner = if keyword == "not" { inner[0].clone() } else { Value::from(inner) };
            if beside {
                plain[keyword] = inner;
                plain
            } else {
                json!({keyword: inner})
            }
        });
    prop_oneof![1 => plain, 3 => combined].boxed()
}

const COUNT: usize = 5;
const NAMES: [&str; COUNT] = ["Root", "B", "C", "D", "E"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_remembered_or_ended_early_changes_no_verdict(
        defined in (schemas(0), schemas(1), schemas(2), schemas(3), schemas(4)),
        value in values(),
    ) {
        let (root, b, c, d, e) = defined;
        let document = json!({"schemas": {"Root": root, "B": b, "C": c, "D": d, "E": e}});
        let (checked, _) = counted(&document, value.to_string().as_bytes());
        prop_assert_eq!(
            checked.violations.is_empty(),
            plainly(&document, &json!({"$ref": "#/schemas/Root"}), &value),
            "{} against {}: {:?}", value, document, checked.violations
        );
    }
}
