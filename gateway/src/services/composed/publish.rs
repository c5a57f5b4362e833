//! A composed operation as the one document has it.

use serde_json::{Map, Value, json};

use super::plan::Plan;
use crate::services::declared::followed;
use kit::config::ComposedSettings;

/// The tag of composed operations.
pub(super) const TAG: &str = "composed";

/// The operation; what the gateway itself answers is not among its responses yet.
pub(super) fn operation(settings: &ComposedSettings, plan: &Plan, document: &Value) -> Value {
    let optional: Vec<&str> =
        plan.parts.iter().filter(|part| !part.required).map(|part| part.name.as_str()).collect();
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    let mut headers = json!({
        "Platform-Completed": text("`true`, or `false` where parts are missing"),
    });
    if !optional.is_empty() {
        let names = optional.join("`, `");
        headers["Platform-Missing"] = text(&format!(
            "The parts that are missing, of `{names}`, each with the status that it failed with"
        ));
    }
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "The parts' answers, put together",
            "headers": headers,
            "content": { "application/json": { "schema": plan.schema } },
        }),
    );
    for part in plan.parts.iter().filter(|part| part.required) {
        relayed(document, &part.path, &mut responses);
    }
    let mut operation = json!({
        "operationId": settings.name,
        "summary": settings.summary.clone().unwrap_or_else(|| settings.name.clone()),
        "description": described(settings),
        "tags": [TAG],
        "x-platform-access": plan.access.text(),
        "x-platform-parts": settings.parts.iter().map(|part| format!("{}.{}", part.service, part.operation)).collect::<Vec<_>>(),
        "responses": responses,
    });
    if let [scope] = scopes(document, plan).as_slice() {
        operation["x-platform-scope"] = scope.as_str().into();
    }
    if !plan.parameters.is_empty() {
        operation["parameters"] = plan.parameters.clone().into();
    }
    operation
}

/// Scopes that tokens must be good for, of the required parts. Each part asks for its own, also where there are several.
fn scopes(document: &Value, plan: &Plan) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for part in plan.parts.iter().filter(|part| part.required) {
        let scope = document["paths"][&part.path]["get"]["x-platform-scope"].as_str();
        scopes.extend(scope.filter(|scope| !scopes.iter().any(|known| known == scope)).map(str::to_owned));
    }
    scopes
}

fn described(settings: &ComposedSettings) -> String {
    let of = |required: bool| {
        let parts = settings.parts.iter().filter(|part| part.required == required);
        let names: Vec<String> =
            parts.map(|part| format!("`{}` ({}.{})", part.name, part.service, part.operation)).collect();
        names.join(", ")
    };
    let (required, optional) = (of(true), of(false));
    match (required.is_empty(), optional.is_empty()) {
        (false, true) => format!("Made of {required}."),
        (false, false) => format!("Made of {required}, and of {optional} where they can be had."),
        (true, _) => format!("Made of {optional}, as far as they can be had."),
    }
}

/// Errors that the document declares for a required part are passed on as they are.
fn relayed(document: &Value, path: &str, responses: &mut Map<String, Value>) {
    let declared =
        document.get("paths").and_then(|paths| paths.get(path)?.get("get")?.get("responses")?.as_object());
    for (status, response) in declared.into_iter().flatten() {
        if !status.starts_with(['4', '5', 'd']) {
            continue;
        }
        let response = followed(document, response);
        let Some(known) = responses.get_mut(status) else {
            responses.insert(status.clone(), response.clone());
            continue;
        };
        let more = response.get("content").and_then(Value::as_object);
        for (name, media) in more.into_iter().flatten() {
            let Some(content) =
                known.as_object_mut().map(|known| known.entry("content").or_insert_with(|| json!({})))
            else {
                continue;
            };
            if content.get(name).is_some_and(|known| known != media) {
                let schema = |media: &Value| media.get("schema").cloned().unwrap_or_else(|| json!({}));
                content[name] = json!({ "schema": { "anyOf": [schema(&content[name]), schema(media)] } });
            } else {
                content[name] = media.clone();
            }
        }
    }
}
