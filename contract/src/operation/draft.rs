//! Reads one operation of an OpenAPI document.

use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use serde_json::Value;

use super::{Access, Content, Operation, Parameter, Style};
use crate::{
    problem::Place,
    schema::{CompileError, Compiler, Schema},
};

/// An operation whose schemas are not finished yet.
pub(super) struct Draft(Operation);

impl Draft {
    pub(super) fn read(
        compiler: &mut Compiler<'_>,
        document: &Value,
        path: &str,
        method: Method,
        item: &Value,
        operation: &Value,
    ) -> Result<Self, CompileError> {
        let at = format!(
            "/paths/{}/{}",
            path.replace('~', "~0").replace('/', "~1"),
            method.as_str().to_ascii_lowercase()
        );
        let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut parameters = Vec::new();
        let listed = [item, operation].into_iter().filter_map(|value| value.get("parameters")?.as_array());
        for (index, declared) in listed.flatten().enumerate() {
            let pointer = format!("{at}/parameters/{index}");
            parameters.extend(parameter(compiler, resolve(document, declared), &pointer)?);
        }
        let request = match operation.get("requestBody") {
            Some(body) => Some(content(compiler, resolve(document, body), &format!("{at}/requestBody"))?),
            None => None,
        };
        let mut responses = BTreeMap::new();
        for (status, response) in operation.get("responses").and_then(Value::as_object).into_iter().flatten()
        {
            let declared =
                content(compiler, resolve(document, response), &format!("{at}/responses/{status}"))?;
            responses.insert(status.to_ascii_uppercase().replace("DEFAULT", "default"), declared);
        }
        Ok(Self(Operation {
            id: text("operationId"),
            method,
            path: path.to_owned(),
            summary: text("summary"),
            access: access(document, operation),
            recent: operation.get("x-platform-recent") == Some(&Value::Bool(true)),
            oauth: operation.get("x-platform-problems").and_then(Value::as_str) == Some("oauth"),
            scope: operation
                .get("x-platform-scope")
                .and_then(Value::as_str)
                .and_then(|name| name.parse().ok()),
            parameters,
            request,
            responses,
            schema: Arc::default(),
        }))
    }

    pub(super) fn finish(mut self, schema: &Arc<Schema>) -> Operation {
        self.0.schema = Arc::clone(schema);
        for parameter in &mut self.0.parameters {
            parameter.is_list = schema.is_list(parameter.schema);
        }
        self.0
    }
}

/// Follows one `$ref` to a component that is no schema.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn parameter(
    compiler: &mut Compiler<'_>,
    declared: &Value,
    pointer: &str,
) -> Result<Option<Parameter>, CompileError> {
    let place = match declared.get("in").and_then(Value::as_str) {
        Some("path") => Place::Path,
        Some("query") => Place::Query,
        Some("header") => Place::Header,
        _ => return Ok(None),
    };
    let (Some(name), Some(schema)) = (declared.get("name").and_then(Value::as_str), declared.get("schema"))
    else {
        return Ok(None);
    };
    Ok(Some(Parameter {
        name: name.to_owned(),
        place,
        required: declared.get("required") == Some(&Value::Bool(true)),
        style: style(declared, place),
        schema: compiler.compile(schema, &format!("{pointer}/schema"))?,
        // Known once all is compiled.
        is_list: false,
    }))
}

fn content(compiler: &mut Compiler<'_>, declared: &Value, pointer: &str) -> Result<Content, CompileError> {
    let mut media = Vec::new();
    for (name, media_type) in declared.get("content").and_then(Value::as_object).into_iter().flatten() {
        let schema = media_type.get("schema").unwrap_or(&Value::Bool(true));
        media.push((name.clone(), compiler.compile(schema, &format!("{pointer}/content/{name}/schema"))?));
    }
    Ok(Content { required: declared.get("required") == Some(&Value::Bool(true)), media })
}

/// Who may call: as `x-platform-access` says, else by the `security` that the operation or the document asks for.
fn access(document: &Value, operation: &Value) -> Access {
    if let Some(access) =
        operation.get("x-platform-access").and_then(Value::as_str).and_then(|text| text.parse().ok())
    {
        return access;
    }
    match operation.get("security").or_else(|| document.get("security")).and_then(Value::as_array) {
        Some(schemes) if !schemes.is_empty() => {
            let open = schemes.iter().any(|scheme| scheme.as_object().is_some_and(serde_json::Map::is_empty));
            if open { Access::Optional } else { Access::SignedIn }
        }
        _ => Access::Public,
    }
}

/// How a list of values stands in the text (OpenAPI 3.1 §4.8.12.2). Objects spread over several keys are the service's to read.
fn style(declared: &Value, place: Place) -> Style {
    let named = declared.get("style").and_then(Value::as_str);
    let explode = declared.get("explode").and_then(Value::as_bool);
    match (place, named) {
        (Place::Query, Some("deepObject")) | (Place::Path, Some("label" | "matrix")) => Style::Unread,
        (Place::Query, Some("spaceDelimited")) if explode != Some(true) => Style::Separated(' '),
        (Place::Query, Some("pipeDelimited")) if explode != Some(true) => Style::Separated('|'),
        (Place::Query, _) if explode != Some(false) => Style::Repeated,
        _ => Style::Separated(','),
    }
}
