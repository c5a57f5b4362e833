//! `platform audit`: who did what, and whether the log is as it was written.

mod follow;

use serde_json::Value;

use crate::arguments::{AuditCommand, AuditFilter, Global};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, Format, Rows, moment, one};

/// Path of the log.
const AUDIT: &str = "/api_v1/audit";

/// Rows a request.
const PAGE: u64 = 1000;

const LISTED: &[Column] = &[
    Column::new("ID", "id"),
    Column::with("AT", "at", |row| moment(&row["at"])),
    Column::new("ACTOR", "actor"),
    Column::new("ACTION", "action"),
    Column::new("TARGET", "target"),
    Column::new("OUTCOME", "outcome"),
    Column::new("ADDRESS", "address"),
    Column::new("DETAIL", "detail"),
];

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: AuditCommand) -> Outcome {
    let connection = Connection::find(context, global)?;
    match verb {
        AuditCommand::List { filter, limit, follow: true } => {
            let api = connection.signed_in(context).await?;
            follow::follow(context, &api, &filter, limit).await
        }
        AuditCommand::List { filter, limit, follow: false } => {
            list(context, &connection, &filter, limit).await
        }
        AuditCommand::Export { filter } => {
            context.format = Format::Jsonl;
            list(context, &connection, &filter, None).await
        }
        AuditCommand::Verify => verify(context, &connection).await,
    }
}

/// Lists `limit` entries, or all, newest first.
async fn list(
    context: &mut Context,
    connection: &Connection,
    filter: &AuditFilter,
    limit: Option<u64>,
) -> Outcome {
    let api = connection.signed_in(context).await?;
    let mut left = limit.unwrap_or(u64::MAX);
    let mut page = (left > 0).then(|| format!("{AUDIT}?{}", query(filter, PAGE.min(left))));
    let mut rows = Rows::new(context, LISTED);
    while let Some(path) = page {
        let answer = api.get(&path).await?;
        let entries = answer.body.as_array().cloned().unwrap_or_default();
        for entry in entries.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            rows.add(entry)?;
        }
        left = left.saturating_sub(entries.len() as u64);
        page = answer.next_page().filter(|_| left > 0 && !entries.is_empty());
    }
    rows.finish()
}

fn query(filter: &AuditFilter, limit: u64) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    let given = [
        ("actor", &filter.actor),
        ("action", &filter.action),
        ("target", &filter.target),
        ("since", &filter.since),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

async fn verify(context: &mut Context, connection: &Connection) -> Outcome {
    let api = connection.signed_in(context).await?;
    let found = api.get(&format!("{AUDIT}/check")).await?.body;
    if context.format != Format::Table {
        const COLUMNS: &[Column] =
            &[Column::new("", "intact"), Column::new("", "entries"), Column::new("", "broken_at")];
        one(context, COLUMNS, &found)?;
    }
    match (&found["intact"], &found["broken_at"]) {
        (Value::Bool(true), _) => {
            let count = found["entries"].as_u64().unwrap_or_default();
            context.note(&format!("The log is intact: {count} entries, each sealed with the one before."));
            Ok(())
        }
        (_, at) => Err(Failure::failed(format!(
            "the audit log was changed: entry {at} does not follow the one before"
        ))
        .next("Compare it with a backup or an earlier export: `platform audit export`.")),
    }
}
