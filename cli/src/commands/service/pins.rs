//! Pinned documents: what each declared service's clients were promised, in `contracts/NAME.json` beside the configuration file.

use std::fs;

use contract::compare::{Change, Comparison, compare};
use kit::config::Declared;
use serde_json::{Value, json};

use super::refused_fault;
use crate::failure::{Failure, Outcome};

/// What became of a service's document since it was pinned.
pub(super) struct Compared {
    pub(super) service: String,
    pub(super) comparison: Comparison,
}

/// Pins a document.
pub(super) fn pin(declared: &Declared, document: &Value) -> Outcome {
    let path = declared.pinned_document();
    let failed =
        |error: std::io::Error| Failure::failed(format!("can't write {}", path.display())).caused_by(&error);
    fs::create_dir_all(path.parent().unwrap_or(&declared.folder)).map_err(failed)?;
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Failure::failed("the document can't be written").caused_by(&error))?;
    fs::write(&path, text + "\n").map_err(failed)
}

/// The document that a service has now: what it tells itself, else what the configuration names.
pub(super) async fn current(declared: &Declared) -> Outcome<Value> {
    match gateway::served_contract(declared).await {
        Some(served) => Ok(served),
        None => gateway::document_of(declared).await.map_err(|fault| refused_fault(&fault)),
    }
}

/// Holds what a service has now against what was pinned; nothing where nothing was.
pub(super) async fn compared(declared: &Declared) -> Outcome<Option<Compared>> {
    let service = declared.settings.name.to_string();
    let path = declared.pinned_document();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::failed(format!("can't read {}", path.display())).caused_by(&error));
        }
    };
    let pinned: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::failed(format!("{} is no JSON", path.display()))
            .caused_by(&error)
            .next("Bring it back from git, or pin the document anew by `platform service check --pin`.")
    })?;
    let comparison = compare(&pinned, &current(declared).await?);
    Ok(Some(Compared { service, comparison }))
}

/// A change as a row of data.
pub(super) fn row(service: &str, change: &Change) -> Value {
    json!({
        "service": service,
        "weight": change.weight.to_string(),
        "pointer": change.pointer,
        "change": change.told,
        "operations": change.operations,
    })
}
