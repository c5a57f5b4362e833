//! `platform user import`: users of a file or of another system's table, sent in batches as they are read, so that no source is
//! too long. What was imported stays as it is when the command runs again, and one that was stopped goes on where it was.

mod batch;
mod file;
mod progress;
mod refused;
mod source;
mod stopped;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::batch::Batch;
use self::file::Lines;
use self::progress::Progress;
use self::refused::Refused;
use self::source::{Place, Source, stamp};
use self::stopped::Stopped;
use self::table::Table;
use super::USERS;
use crate::api::{Answer, Api};
use crate::arguments::{FileForm, ImportArguments};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Column, one, plain};

/// How often a batch is sent again to a platform that can't be reached, after one, two, four… seconds.
const TRIES: u32 = 5;

const REPORT: &[Column] = &[
    Column::new("Created", "created"),
    Column::new("There already", "exists"),
    Column::new("Refused", "refused"),
];

/// What became of the rows so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Imports the users.
pub(super) async fn import(
    context: &mut Context,
    connection: &Connection,
    arguments: ImportArguments,
) -> Outcome {
    let (mut source, file, base) = open(context, &arguments).await?;
    let api = connection.signed_in(context).await?;
    let beside = |ending: &str| PathBuf::from(format!("{}.{ending}", base.display()));
    let shown = arguments.refused.clone().unwrap_or_else(|| beside("refused.csv"));
    let mut refused = Refused::at(context.folder.join(&shown));
    if let Source::Table(table) = &mut source {
        refuse_shared(table, &mut refused, &shown, arguments.take_first).await?;
        refused = Refused::at(context.folder.join(&shown));
    }
    let of = match &source {
        Source::File(_) => file.as_deref().map(stamp).unwrap_or_default(),
        Source::Table(table) => table.address().to_owned(),
    };
    let stopped =
        Stopped::at(context.folder.join(beside("progress.json")), format!("{of} to {}", connection.url));
    let mut import = Import {
        connection,
        api,
        path: format!("{USERS}/import?dry_run={}", arguments.dry_run),
        refused,
        counts: Counts::default(),
        place: None,
    };
    // A dry run leaves no trace, and looks at everything.
    let stopped = (!arguments.dry_run).then_some(stopped);
    if let Some(found) = stopped.as_ref().filter(|_| !arguments.from_start).and_then(Stopped::read)
        && source.go_to(&found.place)?
    {
        import.refused.go_on(found.refused_bytes)?;
        import.counts = found.counts;
        context.note(&format!(
            "Going on after {}, where this import was stopped; --from-start begins anew.",
            found.place.told()
        ));
        import.place = Some(found.place);
    }
    let mut progress = Progress::begin(context, source.length(file.as_deref()).await?, source.done());
    let run = import.run(context, &mut source, arguments.batch, stopped.as_ref(), &mut progress).await;
    progress.finish();
    run?;
    import.refused.flush()?;
    if let Some(stopped) = &stopped {
        stopped.forget();
    }
    report(context, import.counts, arguments.dry_run, &shown)
}

/// The source, its path where it is a file, and what files beside it are named after.
async fn open(context: &Context, arguments: &ImportArguments) -> Outcome<(Source, Option<PathBuf>, PathBuf)> {
    let Some(file) = &arguments.file else {
        let table = Table::open(context, arguments).await?;
        let base = PathBuf::from(table.file_name());
        return Ok((Source::Table(Box::new(table)), None, base));
    };
    let form = arguments.form.or_else(|| by_name(file)).ok_or_else(|| {
        Failure::usage("the file's name tells no form").next("Add --form csv or --form jsonl.")
    })?;
    let path = context.folder.join(file);
    let lines = Lines::open(&path, form)?;
    Ok((Source::File(lines), Some(path), file.clone()))
}

fn by_name(file: &Path) -> Option<FileForm> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(FileForm::Csv),
        "jsonl" | "ndjson" => Some(FileForm::Jsonl),
        _ => None,
    }
}

/// Who of those that share an address is the person is for somebody who knows them to say: before anything is sent.
async fn refuse_shared(table: &mut Table, refused: &mut Refused, shown: &Path, take_first: bool) -> Outcome {
    let shared = table.shared().await?;
    if shared.is_empty() || take_first {
        return Ok(());
    }
    for user in &shared {
        refused.add(&user.key, &user.email, &user.reason)?;
    }
    refused.flush()?;
    Err(Failure::failed(format!(
        "{} users of the table have an address that another one has too, in other letters",
        shared.len()
    ))
    .because(format!("nothing was imported; {} names them", shown.display()))
    .next("Mend them there, or take the first of each address: --take-first"))
}

fn report(context: &mut Context, counts: Counts, dry_run: bool, shown: &Path) -> Outcome {
    one(
        context,
        REPORT,
        &json!({"created": counts.created, "exists": counts.exists, "refused": counts.refused}),
    )?;
    if dry_run {
        context.note("Nothing was changed: this was a dry run.");
    }
    if counts.refused > 0 {
        return Err(Failure::failed(format!("{} of {} rows are refused", counts.refused, counts.rows()))
            .because(format!("{} has the place and the reason of each", shown.display()))
            .next("Mend them and import again: who is there stays as they are."));
    }
    Ok(())
}

struct Import<'a> {
    connection: &'a Connection,
    api: Api,
    path: String,
    refused: Refused,
    counts: Counts,
    /// How far all is dealt with.
    place: Option<Place>,
}

impl Import<'_> {
    async fn run(
        &mut self,
        context: &mut Context,
        source: &mut Source,
        rows: u16,
        stopped: Option<&Stopped>,
        progress: &mut Progress,
    ) -> Outcome {
        let mut next = Batch::read(source, rows).await?;
        while let Some(batch) = next {
            // The next is read while this one is written.
            let (answer, read) = tokio::join!(self.send(context, &batch), Batch::read(source, rows));
            let (answer, api) = answer.map_err(|failure| self.told(failure))?;
            if let Some(api) = api {
                self.api = api;
            }
            let (place, done, count) = (batch.end.clone(), batch.done, batch.lines.len() as u64);
            self.note(batch, answer.as_ref())?;
            let refused_bytes = self.refused.flush()?;
            if let (Some(stopped), Some(place)) = (stopped, &place) {
                stopped.write(place.clone(), self.counts, refused_bytes)?;
            }
            self.place = place;
            progress.more(context, count, done);
            next = read?;
        }
        Ok(())
    }

    /// Sends the rows that can be read. A token that has expired meanwhile is followed by another one.
    async fn send(&self, context: &Context, batch: &Batch) -> Outcome<(Option<Answer>, Option<Api>)> {
        let Some(body) = &batch.body else { return Ok((None, None)) };
        let mut renewed: Option<Api> = None;
        let mut tries = 0;
        loop {
            let api = renewed.as_ref().unwrap_or(&self.api);
            match api.post_text(&self.path, body.clone()).await {
                Ok(answer) => return Ok((Some(answer), renewed)),
                Err(failure) if self.place.is_none() => return Err(failure),
                Err(failure) if failure.exit == Exit::NotAllowed && renewed.is_none() => {
                    renewed = Some(self.connection.signed_in(context).await?);
                }
                Err(failure) if failure.exit == Exit::Unreachable && tries < TRIES => {
                    tokio::time::sleep(Duration::from_secs(1 << tries)).await;
                    tries += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    fn told(&self, failure: Failure) -> Failure {
        let done = match &self.place {
            None => "Nothing is imported yet.".to_owned(),
            Some(place) => {
                format!("All is imported up to {}: run the command again to go on.", place.told())
            }
        };
        if failure.next.is_none() { failure.next(done) } else { failure.because(done) }
    }

    /// Notes what became of each row, in the order of the source.
    fn note(&mut self, batch: Batch, answer: Option<&Answer>) -> Outcome {
        let outcomes = answer.and_then(|answer| answer.body["rows"].as_array());
        let mut outcomes = outcomes.into_iter().flatten();
        for line in batch.lines {
            match line.row {
                Err(reason) => self.refuse(&line.name, "", &reason)?,
                Ok(row) => {
                    let outcome = outcomes.next().unwrap_or(&Value::Null);
                    match outcome["outcome"].as_str() {
                        Some("created") => self.counts.created += 1,
                        Some("exists") => self.counts.exists += 1,
                        _ => self.refuse(&line.name, &plain(&row["email"]), &plain(&outcome["reason"]))?,
                    }
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, place: &str, email: &str, reason: &str) -> Outcome {
        self.counts.refused += 1;
        self.refused.add(place, email, reason)
    }
}
