//! The JSON checker: any schema and any text, read from bytes and from a value alike.
#![no_main]

use contract::schema::Compiler;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    // A schema, a NUL, a text.
    let Some(cut) = data.iter().position(|byte| *byte == 0) else { return };
    let (schema, text) = (&data[..cut], &data[cut + 1..]);
    let Ok(schema) = serde_json::from_slice::<Value>(schema) else { return };
    let document = json!({ "components": { "schemas": { "It": schema } } });
    let mut compiler = Compiler::new(&document);
    let Ok(node) = compiler.compile(&json!({ "$ref": "#/components/schemas/It" }), "") else { return };
    let compiled = compiler.finish();
    let checked = compiled.check(node, text);
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return };
    if let Ok(checked) = &checked {
        let again = compiled.check_value(node, &value);
        assert_eq!(checked.violations.is_empty(), again.violations.is_empty(), "{document} {value}");
        let mut pruned = value.clone();
        compiled.prune(node, &mut pruned);
    }
    if let Some(text) = value.as_str() {
        let _ = compiled.check_parameter(node, text);
        let _ = compiled.check_parameter_list(node, &[text, "", "1"]);
    }
});
