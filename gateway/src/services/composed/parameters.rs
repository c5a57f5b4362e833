//! Parameters: those that a part's operation declares, and those that the composed operation has for them.

use serde_json::{Value, json};

use super::plan::Source;
use crate::services::declared::followed;

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum In {
    Path,
    Query,
    Header,
}

/// A parameter as a document declares it.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) place: In,
    pub(super) required: bool,
    pub(super) schema: Value,
    /// All that the document says of it.
    written: Value,
}

/// The parameters of an operation; its own go before those of its path.
pub(super) fn declared(document: &Value, item: &Value, operation: &Value) -> Vec<Declared> {
    let mut found: Vec<Declared> = Vec::new();
    for listed in [operation, item].into_iter().filter_map(|value| value.get("parameters")?.as_array()) {
        for written in listed.iter().map(|written| followed(document, written)) {
            let text = |key: &str| written.get(key).and_then(Value::as_str);
            let place = match text("in") {
                Some("path") => In::Path,
                Some("query") => In::Query,
                Some("header") => In::Header,
                _ => continue,
            };
            let Some(name) = text("name") else { continue };
            if found.iter().any(|known| known.name == name && known.place == place) {
                continue;
            }
            found.push(Declared {
                name: name.to_owned(),
                place,
                required: place == In::Path || written.get("required") == Some(&Value::Bool(true)),
                schema: written.get("schema").cloned().unwrap_or_else(|| json!({})),
                written: written.clone(),
            });
        }
    }
    found
}

/// The names in a path such as `/a/{b}`.
pub(super) fn names(path: &str) -> Vec<String> {
    let parts = path.split('{').skip(1);
    parts.filter_map(|part| part.split_once('}')).map(|(name, _)| name.to_owned()).collect()
}

/// The parameters of a composed operation, as they are asked for.
pub(super) struct Asked {
    path: Vec<String>,
    found: Vec<Value>,
}

impl Asked {
    pub(super) fn new(path: &[String]) -> Self {
        Self { path: path.to_owned(), found: Vec::new() }
    }

    /// One is filled from the request.
    pub(super) fn fill(&mut self, parameter: &Declared, source: &Source) {
        match source {
            Source::Path(name) => self.add(name, "path", true, parameter),
            Source::Query(name) => self.add(name, "query", parameter.required, parameter),
            Source::Part(..) | Source::Value(_) => {}
        }
    }

    /// Header fields of a request go on to every part: those that one declares are declared here too. No call fails for a field
    /// that an optional part would need.
    pub(super) fn headers(&mut self, parameters: &[Declared], required: bool) {
        for parameter in parameters.iter().filter(|parameter| parameter.place == In::Header) {
            self.add(&parameter.name, "header", required && parameter.required, parameter);
        }
    }

    fn add(&mut self, name: &str, place: &str, required: bool, from: &Declared) {
        let same = |known: &&mut Value| known["name"] == name && known["in"] == place;
        if let Some(known) = self.found.iter_mut().find(same) {
            if required {
                known["required"] = true.into();
            }
            if known["schema"] != from.schema {
                known["schema"] = json!({ "allOf": [known["schema"].take(), from.schema] });
            }
            return;
        }
        let mut parameter = json!({ "name": name, "in": place, "required": required, "schema": from.schema });
        for key in ["description", "style", "explode", "example"] {
            if let Some(value) = from.written.get(key)
                && (key != "style" || from.written["in"] == place)
            {
                parameter[key] = value.clone();
            }
        }
        self.found.push(parameter);
    }

    /// Parameters of the path that nothing is filled from.
    pub(super) fn unused(&self) -> Vec<String> {
        let is_used =
            |name: &str| self.found.iter().any(|known| known["in"] == "path" && known["name"] == name);
        self.path.iter().filter(|name| !is_used(name)).cloned().collect()
    }

    /// All of them: path, query, header fields.
    pub(super) fn finish(mut self) -> Vec<Value> {
        self.found.sort_by_key(|known| match known["in"].as_str() {
            Some("path") => 0,
            Some("query") => 1,
            _ => 2,
        });
        self.found
    }
}
