//! `platform audit list --follow`: entries as they are written, until whoever reads them goes away or presses Ctrl-C.

use std::time::Duration;

use serde_json::Value;

use super::{AUDIT, LISTED, PAGE, query};
use crate::api::Api;
use crate::arguments::AuditFilter;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Format, Rows, plain, safe};

/// How long between two questions for what is new.
const PAUSE: Duration = Duration::from_secs(1);

/// Entries told before the first new one.
const BEFORE: u64 = 10;

/// Tells the last entries, then each new one.
pub(super) async fn follow(
    context: &mut Context,
    api: &Api,
    filter: &AuditFilter,
    limit: Option<u64>,
) -> Outcome {
    if context.format == Format::Json {
        return Err(Failure::usage("a list that does not end is no JSON").next("Take --output jsonl."));
    }
    tokio::select! {
        outcome = told(context, api, filter, limit.unwrap_or(BEFORE)) => outcome,
        signal = tokio::signal::ctrl_c() => {
            signal?;
            let mut ended = Failure::new(Exit::Interrupted, "interrupted");
            ended.silent = true;
            Err(ended)
        }
    }
}

async fn told(context: &mut Context, api: &Api, filter: &AuditFilter, limit: u64) -> Outcome {
    let newest = api.get(&format!("{AUDIT}?limit=1")).await?.body;
    let mut last = newest[0]["id"].as_i64().unwrap_or_default();
    let mut entries = match limit {
        0 => Vec::new(),
        limit => page(api, &format!("{AUDIT}?{}", query(filter, limit.min(PAGE)))).await?.0,
    };
    entries.retain(|entry| entry["id"].as_i64().is_some_and(|id| id <= last));
    let mut stream = Stream::new(context);
    loop {
        for entry in entries.iter().rev() {
            last = last.max(entry["id"].as_i64().unwrap_or_default());
            stream.tell(entry)?;
        }
        stream.flush()?;
        tokio::time::sleep(PAUSE).await;
        entries = since(api, filter, last).await?;
    }
}

/// All entries above an id, newest first.
async fn since(api: &Api, filter: &AuditFilter, last: i64) -> Outcome<Vec<Value>> {
    let mut next = Some(format!("{AUDIT}?{}&after={last}", query(filter, PAGE)));
    let mut entries = Vec::new();
    while let Some(path) = next {
        let (found, following) = page(api, &path).await?;
        next = following.filter(|_| !found.is_empty());
        entries.extend(found);
    }
    Ok(entries)
}

async fn page(api: &Api, path: &str) -> Outcome<(Vec<Value>, Option<String>)> {
    let answer = api.get(path).await?;
    Ok((answer.body.as_array().cloned().unwrap_or_default(), answer.next_page()))
}

/// Entries on their way out: a table would wait for its last row, so people get a line for each.
enum Stream<'c> {
    Lines(&'c mut Context),
    Rows(Rows<'c>),
}

impl<'c> Stream<'c> {
    fn new(context: &'c mut Context) -> Self {
        match context.format {
            Format::Table => Self::Lines(context),
            _ => Self::Rows(Rows::new(context, LISTED)),
        }
    }

    fn tell(&mut self, entry: &Value) -> Outcome {
        match self {
            Self::Rows(rows) => rows.add(entry),
            Self::Lines(context) => {
                let cells = ["at", "actor", "action", "target", "outcome", "address", "detail"];
                let cells: Vec<String> = cells
                    .iter()
                    .map(|name| safe(&plain(&entry[*name])))
                    .map(|cell| if cell.is_empty() { "-".to_owned() } else { cell })
                    .collect();
                context.line(&cells.join("  "))
            }
        }
    }

    fn flush(&mut self) -> Outcome {
        match self {
            Self::Rows(rows) => rows.flush(),
            Self::Lines(context) => Ok(context.stdout.flush()?),
        }
    }
}
