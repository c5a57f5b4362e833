//! `platform routes`: every public route, who may use it, and which service answers.

pub(crate) mod explain;

use serde_json::{Value, json};

use super::service;
use crate::arguments::Global;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Column, many};
use crate::settings;

/// Lists the routes, in the document's order.
pub(crate) async fn run(context: &mut Context, global: &Global) -> Outcome {
    const COLUMNS: &[Column] = &[
        Column::new("METHOD", "method"),
        Column::new("PATH", "path"),
        Column::new("WHO", "access"),
        Column::new("SCOPE", "scope"),
        Column::new("SERVICE", "service"),
        Column::new("OPERATION", "operation"),
    ];
    let settings = settings::load(context, global, &[])?.settings;
    let published = gateway::published(&settings.services, &settings.composed).await;
    let published = published.map_err(|error| service::refused(&error))?;
    let rows: Vec<Value> = published
        .operations
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
