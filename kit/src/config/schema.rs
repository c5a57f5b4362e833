//! A JSON Schema of the configuration file, for editors.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::composed::ComposedSettings;
use super::declared::ServiceSettings;
use super::issuer::IssuerSettings;
use super::kind::Kind;
use super::table::{Fallback, SECTIONS, SETTINGS, Setting};

/// The schema (draft 2020-12) of `platform.toml`.
#[must_use]
pub fn json_schema() -> Value {
    let mut top = Map::new();
    for setting in SETTINGS.iter().filter(|setting| setting.section().is_none()) {
        insert(&mut top, setting);
    }
    for (section, doc) in SECTIONS {
        let mut inside = Map::new();
        for setting in SETTINGS.iter().filter(|setting| setting.section() == Some(section)) {
            insert(&mut inside, setting);
        }
        top.insert(
            (*section).to_owned(),
            json!({"type": "object", "description": doc, "properties": inside, "additionalProperties": false}),
        );
    }
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    top.insert("service".to_owned(), tables::<ServiceSettings>(&mut generator));
    top.insert("issuer".to_owned(), tables::<IssuerSettings>(&mut generator));
    top.insert("compose".to_owned(), tables::<ComposedSettings>(&mut generator));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": generator.take_definitions(true),
        "title": "platform.toml",
        "type": "object",
        "properties": top,
        "additionalProperties": false,
    })
}

/// As many `[[tables]]` of one kind as there are.
fn tables<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    let one = generator.subschema_for::<T>();
    json!({"type": "array", "items": one})
}

fn insert(properties: &mut Map<String, Value>, setting: &Setting) {
    properties.insert(setting.name().to_owned(), property(setting));
    if setting.secret {
        properties.insert(
            format!("{}_file", setting.name()),
            json!({"type": "string", "minLength": 1, "description": format!("File that holds {}.", setting.key)}),
        );
    }
}

fn property(setting: &Setting) -> Value {
    let mut schema = kind(&setting.kind);
    if let Value::Object(map) = &mut schema {
        map.insert("description".to_owned(), json!(format!("{} {}", setting.doc, setting.why)));
        if let Fallback::Value(text) = setting.fallback {
            map.insert("default".to_owned(), default(&setting.kind, text));
        }
    }
    schema
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Text { maximum_length } => {
            json!({"type": "string", "minLength": 1, "maxLength": maximum_length})
        }
        Kind::Path | Kind::Directive => json!({"type": "string", "minLength": 1}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Integer { minimum, maximum, .. } => {
            json!({"type": "integer", "minimum": minimum, "maximum": maximum})
        }
        Kind::Duration { .. } => {
            json!({"type": "string", "pattern": "^(0|( *[0-9]+ *(ms|s|m|min|h|d) *)+)$", "examples": [kind.allowed()]})
        }
        Kind::Bytes { minimum, maximum } => json!({"oneOf": [
            {"type": "string", "pattern": "^ *[0-9]+ *([KkMmGg]?[Ii]?[Bb])? *$"},
            {"type": "integer", "minimum": minimum, "maximum": maximum},
        ]}),
        Kind::Address => {
            json!({"type": "string", "pattern": "^(\\[[0-9a-fA-F:.%]+\\]|[0-9.]+):[0-9]{1,5}$"})
        }
        Kind::Url => json!({"type": "string", "pattern": "^https?://"}),
        Kind::DatabaseUrl => json!({"type": "string", "pattern": "^(sqlite|postgres|postgresql):"}),
        Kind::Choice(words) => json!({"enum": words}),
        Kind::Networks => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Base64Key { .. } => json!({"type": "string", "pattern": "^[A-Za-z0-9+/]+=*$"}),
    }
}

fn default(kind: &Kind, text: &str) -> Value {
    match kind {
        Kind::Bool => json!(text == "true"),
        Kind::Integer { .. } => text.parse::<i64>().map_or(Value::Null, Value::from),
        Kind::Networks => json!([]),
        _ => json!(text),
    }
}
