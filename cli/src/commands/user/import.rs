//! `platform user import`: a file of users, sent in batches as it is read, so that no file is too long. What was imported stays
//! as it is when the command runs again: it goes on where it was stopped.

mod file;
mod refused;

use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};

use self::file::{Line, Lines};
use self::refused::Refused;
use super::USERS;
use crate::api::Api;
use crate::arguments::{FileForm, ImportArguments};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, one, plain};

/// The most bytes of one request, below what the gateway takes by default.
const MOST_BYTES: usize = 512 * 1024;

/// A note on the way after so many rows.
const TOLD_EVERY: u64 = 10_000;

const REPORT: &[Column] = &[
    Column::new("Created", "created"),
    Column::new("There already", "exists"),
    Column::new("Refused", "refused"),
];

/// What became of the rows so far.
#[derive(Debug, Default)]
struct Counts {
    created: u64,
    exists: u64,
    refused: u64,
}

impl Counts {
    fn rows(&self) -> u64 {
        self.created + self.exists + self.refused
    }
}

/// Imports the file.
pub(super) async fn import(
    context: &mut Context,
    connection: &Connection,
    arguments: ImportArguments,
) -> Outcome {
    let form = arguments.form.or_else(|| by_name(&arguments.file)).ok_or_else(|| {
        Failure::usage("the file's name tells no form").next("Add --form csv or --form jsonl.")
    })?;
    let lines = Lines::open(&context.folder.join(&arguments.file), form)?;
    let api = connection.signed_in(context).await?;
    let refused = arguments.refused.clone().unwrap_or_else(|| {
        let mut name = arguments.file.clone().into_os_string();
        name.push(".refused.csv");
        PathBuf::from(name)
    });
    let mut import = Import {
        api: &api,
        path: format!("{USERS}/import?dry_run={}", arguments.dry_run),
        refused: Refused::at(context.folder.join(&refused)),
        counts: Counts::default(),
        imported_to: 0,
    };
    let (begun, mut told) = (Instant::now(), 0);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for line in lines {
        let line = line?;
        let size = line.size();
        if batch.len() >= usize::from(arguments.batch) || (bytes + size > MOST_BYTES && !batch.is_empty()) {
            import.send(std::mem::take(&mut batch)).await?;
            bytes = 0;
            if import.counts.rows() / TOLD_EVERY > told {
                told = import.counts.rows() / TOLD_EVERY;
                let rows = import.counts.rows();
                let rate = u128::from(rows) * 1000 / begun.elapsed().as_millis().max(1);
                context.note(&format!("{rows} rows, {rate} a second"));
            }
        }
        bytes += size;
        batch.push(line);
    }
    import.send(batch).await?;
    let Import { refused: file, counts, .. } = import;
    file.finish()?;
    one(
        context,
        REPORT,
        &json!({"created": counts.created, "exists": counts.exists, "refused": counts.refused}),
    )?;
    if arguments.dry_run {
        context.note("Nothing was changed: this was a dry run.");
    }
    if counts.refused > 0 {
        return Err(Failure::failed(format!("{} of {} rows are refused", counts.refused, counts.rows()))
            .because(format!("{} has the line and the reason of each", refused.display()))
            .next("Mend them and import the file again: what is there stays as it is."));
    }
    Ok(())
}

fn by_name(file: &std::path::Path) -> Option<FileForm> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(FileForm::Csv),
        "jsonl" | "ndjson" => Some(FileForm::Jsonl),
        _ => None,
    }
}

struct Import<'a> {
    api: &'a Api,
    path: String,
    refused: Refused,
    counts: Counts,
    /// The last line that was dealt with.
    imported_to: u64,
}

impl Import<'_> {
    /// Sends the rows that can be read, and notes what became of each, in the order of the file.
    async fn send(&mut self, batch: Vec<Line>) -> Outcome {
        let Some(last) = batch.last().map(|line| line.number) else { return Ok(()) };
        let rows: Vec<&Value> = batch.iter().filter_map(|line| line.row.as_ref().ok()).collect();
        let mut outcomes = Vec::new().into_iter();
        if !rows.is_empty() {
            let answer = self.api.post(&self.path, &json!(rows)).await.map_err(|failure| {
                let done = match self.imported_to {
                    0 => "Nothing is imported yet.".to_owned(),
                    line => {
                        format!("The file is imported up to line {line}: run the command again to go on.")
                    }
                };
                if failure.next.is_none() { failure.next(done) } else { failure.because(done) }
            })?;
            outcomes = answer.body["rows"].as_array().cloned().unwrap_or_default().into_iter();
        }
        for line in batch {
            match line.row {
                Err(reason) => self.refuse(line.number, "", &reason)?,
                Ok(row) => {
                    let outcome = outcomes.next().unwrap_or_default();
                    match outcome["outcome"].as_str() {
                        Some("created") => self.counts.created += 1,
                        Some("exists") => self.counts.exists += 1,
                        _ => self.refuse(line.number, &plain(&row["email"]), &plain(&outcome["reason"]))?,
                    }
                }
            }
        }
        self.imported_to = last;
        Ok(())
    }

    fn refuse(&mut self, line: u64, email: &str, reason: &str) -> Outcome {
        self.counts.refused += 1;
        self.refused.add(line, email, reason)
    }
}
