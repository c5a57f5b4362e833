//! `platform routes`: every public route, who may use it, and which service answers.

use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, many};

/// Lists the routes, in the document's order.
pub(crate) fn run(context: &mut Context) -> Outcome {
    const COLUMNS: &[Column] = &[
        Column::new("METHOD", "method"),
        Column::new("PATH", "path"),
        Column::new("WHO", "access"),
        Column::new("SCOPE", "scope"),
        Column::new("SERVICE", "service"),
        Column::new("OPERATION", "operation"),
    ];
    let operations = gateway::operations()
        .map_err(|error| Failure::failed("the routes can't be listed").caused_by(&error))?;
    let rows: Vec<Value> = operations
        .iter()
        .map(|(service, operation)| {
            json!({
                "method": operation.method.as_str(),
                "path": operation.path,
                "access": operation.access.text(),
                "scope": operation.scope.as_ref().map(contract::Scope::as_str),
                "service": service,
                "operation": operation.id,
                "summary": operation.summary,
            })
        })
        .collect();
    many(context, COLUMNS, &rows)
}
