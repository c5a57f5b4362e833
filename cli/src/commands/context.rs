//! `platform context`: the platforms that have a name.

use serde_json::{Value, json};

use super::login;
use crate::arguments::{ContextCommand, Global};
use crate::connection::Connection;
use crate::context::Context;
use crate::contexts::{ContextName, Contexts, Entry};
use crate::failure::Outcome;
use crate::output::{Column, many};

const LISTED: &[Column] = &[
    Column::with("CURRENT", "current", |row| if row["current"] == true { "*" } else { "" }.to_owned()),
    Column::new("NAME", "name"),
    Column::new("URL", "url"),
    Column::new("USER", "user"),
    Column::new("TOKENS", "tokens"),
];

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: ContextCommand) -> Outcome {
    match verb {
        ContextCommand::List => list(context, global),
        ContextCommand::Use { name } => make_current(context, &name),
        ContextCommand::Remove { name } => {
            let mut connection = here(context, global)?;
            login::remove(context, &mut connection, &name).await?;
            context.note(&format!("Removed the context {name}."));
            Ok(())
        }
    }
}

/// The platform of this machine, whatever is current: a context whose name is wrong must not be in the way of mending it.
fn here(context: &mut Context, global: &Global) -> Outcome<Connection> {
    Connection::find(context, &Global { url: None, context: Some(ContextName::local()), ..global.clone() })
}

fn list(context: &mut Context, global: &Global) -> Outcome {
    let connection = here(context, global)?;
    let current = connection.contexts.current().cloned().unwrap_or_else(ContextName::local);
    // The platform of this machine has a name from the start.
    let local = (ContextName::local(), Entry { url: connection.url.clone(), user: None, tokens: None });
    let mut all: Vec<(ContextName, Entry)> = Vec::new();
    if connection.contexts.get(&local.0).is_none() {
        all.push(local);
    }
    all.extend(connection.contexts.all().map(|(name, entry)| (name.clone(), entry.clone())));
    let rows: Vec<Value> = all
        .iter()
        .map(|(name, entry)| {
            json!({
                "name": name,
                "url": entry.url,
                "user": entry.user.as_ref().filter(|_| entry.tokens.is_some()),
                "tokens": entry.tokens.map(crate::contexts::Store::as_str),
                "current": *name == current,
            })
        })
        .collect();
    many(context, LISTED, &rows)
}

fn make_current(context: &mut Context, name: &ContextName) -> Outcome {
    let mut contexts = Contexts::load(context)?;
    let known = contexts.get(name).map(|entry| entry.url.clone());
    if known.is_none() && !name.is_local() {
        return Err(Contexts::unknown(name));
    }
    contexts.make_current(Some(name.clone()));
    contexts.save()?;
    match known {
        Some(url) if !name.is_local() => context.note(&format!("Commands talk to {name} now, at {url}.")),
        _ => context.note("Commands talk to the platform of this machine now."),
    }
    Ok(())
}
