//! `platform openapi`: the gateway's document, without a running server.

use std::path::Path;

use super::service;
use crate::arguments::Global;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::whole;
use crate::settings;

/// Writes the document, to standard output or to a file.
pub(crate) async fn run(context: &mut Context, global: &Global, file: Option<&Path>) -> Outcome {
    let settings = settings::load(context, global, &[])?.settings;
    let published = gateway::published(&settings.services, &settings.composed).await;
    let document = published.map_err(|error| service::refused(&error))?.document;
    let Some(path) = file else { return whole(context, &document) };
    let mut text = serde_json::to_string_pretty(&document)
        .map_err(|error| Failure::failed("the document can't be written").caused_by(&error))?;
    text.push('\n');
    let written = std::fs::write(context.folder.join(path), text);
    written.map_err(|error| Failure::failed(format!("can't write {}", path.display())).caused_by(&error))?;
    context.note(&format!("Wrote {}.", path.display()));
    Ok(())
}
