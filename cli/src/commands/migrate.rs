//! `platform migrate`: every service's database to this version's schema, or back.

use kit::database::DatabaseUrl;
use migration::{MigrationError, Service as Schema};
use serde_json::{Value, json};

use crate::arguments::{Global, MigrateCommand, MigrateTarget};
use crate::context::Context;
use crate::data_folder;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, Format, many};
use crate::prompt::confirmed;
use crate::settings;
use crate::telemetry;

/// A service's schema and where its database is.
type Target = (Schema, DatabaseUrl);

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: MigrateCommand) -> Outcome {
    let settings = settings::load(context, global, &[])?.settings;
    let _logs = telemetry::start(context, &settings, false);
    let service = match &verb {
        MigrateCommand::Up { target }
        | MigrateCommand::Down { target, .. }
        | MigrateCommand::Redo { target, .. } => target.service.as_deref(),
        MigrateCommand::Status { service } | MigrateCommand::Fresh { service, .. } => service.as_deref(),
    };
    let targets = targets(&settings, service)?;
    if targets.iter().any(|(_, url)| url.sqlite_path().is_some()) {
        data_folder::prepare(&settings.data_dir)?;
    }
    match verb {
        MigrateCommand::Up { target } => up(context, targets, &target).await,
        MigrateCommand::Down { target, yes } => down(context, targets, &target, yes).await,
        MigrateCommand::Redo { target, yes } => redo(context, targets, &target, yes).await,
        MigrateCommand::Status { .. } => status(context, targets).await,
        MigrateCommand::Fresh { yes, force, .. } => fresh(context, targets, yes, force).await,
    }
}

/// The databases of the service named, or of all.
fn targets(settings: &kit::config::Settings, only: Option<&str>) -> Outcome<Vec<Target>> {
    let wanted = Schema::ALL.iter().filter(|schema| only.is_none_or(|only| only == schema.name()));
    wanted.map(|schema| Ok((*schema, settings::database(settings, schema.name())?))).collect()
}

/// A migration error as a failure.
pub(crate) fn failed(error: &MigrationError, url: &DatabaseUrl) -> Failure {
    let failure = Failure::failed(error.to_string()).because(format!("database: {url}"));
    match error {
        MigrationError::Failed { .. } => {
            failure.next("The schema is as it was before. Run again with --verbose for the causes.")
        }
        MigrationError::NotUp { .. } => {
            failure.next("Start the database, or mend its address (platform config show).")
        }
        MigrationError::Locked { .. } => {
            failure.next("Another `platform migrate` runs: wait for it, or end it.")
        }
        MigrationError::Database(_) => failure.next("`platform config show` shows which database is used."),
    }
    .caused_by(error)
}

/// What was done, or would be: a line at once for people, whose database may be slow; all rows at the end in the other forms.
#[derive(Default)]
struct Told(Vec<Value>);

impl Told {
    fn tell(
        &mut self,
        context: &mut Context,
        done: &str,
        service: Schema,
        names: &[String],
        nothing: &str,
    ) -> Outcome {
        if names.is_empty() {
            context.note(&format!("{}: {nothing}", service.name()));
        }
        for name in names {
            if context.format == Format::Table {
                context.line(&format!("{}: {done} {name}", service.name()))?;
            } else {
                self.0.push(json!({"service": service.name(), "done": done, "migration": name}));
            }
        }
        Ok(())
    }

    fn finish(self, context: &mut Context) -> Outcome {
        const COLUMNS: &[Column] = &[
            Column::new("SERVICE", "service"),
            Column::new("DONE", "done"),
            Column::new("MIGRATION", "migration"),
        ];
        if context.format == Format::Table { Ok(()) } else { many(context, COLUMNS, &self.0) }
    }
}

async fn up(context: &mut Context, targets: Vec<Target>, target: &MigrateTarget) -> Outcome {
    let mut told = Told::default();
    for (service, url) in targets {
        if target.dry_run {
            let mut names = migration::pending(service, &url).await.map_err(|error| failed(&error, &url))?;
            names.truncate(target.steps.map_or(usize::MAX, |steps| steps as usize));
            told.tell(context, "would apply", service, &names, "nothing is pending")?;
        } else {
            let names =
                migration::up(service, &url, target.steps).await.map_err(|error| failed(&error, &url))?;
            told.tell(context, "applied", service, &names, "nothing was pending")?;
        }
    }
    told.finish(context)
}

/// The newest applied migrations that a step back takes, newest first.
async fn newest(service: Schema, url: &DatabaseUrl, steps: u32) -> Outcome<Vec<String>> {
    let status = migration::status(service, url).await.map_err(|error| failed(&error, url))?;
    let applied = status.into_iter().rev().filter(|migration| migration.applied);
    Ok(applied.take(steps as usize).map(|migration| migration.name).collect())
}

async fn down(context: &mut Context, targets: Vec<Target>, target: &MigrateTarget, yes: bool) -> Outcome {
    let mut told = Told::default();
    let steps = target.steps.unwrap_or(1);
    if target.dry_run {
        for (service, url) in targets {
            let names = newest(service, &url, steps).await?;
            told.tell(context, "would take back", service, &names, "nothing is applied")?;
        }
        return told.finish(context);
    }
    confirmed(
        context,
        yes,
        &format!("Take back {steps} migration(s) of {}? Their data is lost", names(&targets)),
    )?;
    for (service, url) in targets {
        let names =
            migration::down(service, &url, Some(steps)).await.map_err(|error| failed(&error, &url))?;
        told.tell(context, "took back", service, &names, "nothing was applied")?;
    }
    told.finish(context)
}

async fn redo(context: &mut Context, targets: Vec<Target>, target: &MigrateTarget, yes: bool) -> Outcome {
    let mut told = Told::default();
    let steps = target.steps.unwrap_or(1);
    if target.dry_run {
        for (service, url) in targets {
            let names = newest(service, &url, steps).await?;
            told.tell(context, "would take back and apply again", service, &names, "nothing is applied")?;
        }
        return told.finish(context);
    }
    confirmed(
        context,
        yes,
        &format!(
            "Take back {steps} migration(s) of {} and apply them again? Their data is lost",
            names(&targets)
        ),
    )?;
    for (service, url) in targets {
        let back = migration::down(service, &url, Some(steps)).await.map_err(|error| failed(&error, &url))?;
        told.tell(context, "took back", service, &back, "nothing was applied")?;
        let again = u32::try_from(back.len()).unwrap_or(u32::MAX);
        if again > 0 {
            let names =
                migration::up(service, &url, Some(again)).await.map_err(|error| failed(&error, &url))?;
            told.tell(context, "applied", service, &names, "nothing was pending")?;
        }
    }
    told.finish(context)
}

async fn fresh(context: &mut Context, targets: Vec<Target>, yes: bool, force: bool) -> Outcome {
    let mut told = Told::default();
    if let Some((service, url)) = targets.iter().find(|(_, url)| url.sqlite_path().is_none())
        && !force
    {
        return Err(Failure::failed(format!("the {} database is on a server: {url}", service.name()))
            .because("`fresh` drops every table of it, with all data")
            .next("Add --force if that is what you want."));
    }
    confirmed(
        context,
        yes,
        &format!("Drop every table of {} and migrate from nothing? ALL DATA IS LOST", names(&targets)),
    )?;
    for (service, url) in targets {
        let names = migration::fresh(service, &url).await.map_err(|error| failed(&error, &url))?;
        told.tell(context, "applied", service, &names, "nothing to apply")?;
    }
    told.finish(context)
}

fn names(targets: &[Target]) -> String {
    targets
        .iter()
        .map(|(service, url)| format!("{} ({url})", service.name()))
        .collect::<Vec<_>>()
        .join(" and ")
}

async fn status(context: &mut Context, targets: Vec<Target>) -> Outcome {
    const COLUMNS: &[Column] = &[
        Column::new("SERVICE", "service"),
        Column::new("MIGRATION", "migration"),
        Column::with("STATE", "applied", |row| {
            if row["applied"] == Value::Bool(true) { "applied".to_owned() } else { "pending".to_owned() }
        }),
    ];
    let mut rows = Vec::new();
    for (service, url) in targets {
        // A file that does not exist is not made by looking at it.
        let missing = url.sqlite_path().is_some_and(|path| !path.exists());
        let status = if missing {
            let all = service.schema().migrations.iter();
            all.map(|name| migration::Status { name: (*name).to_owned(), applied: false }).collect()
        } else {
            migration::status(service, &url).await.map_err(|error| failed(&error, &url))?
        };
        rows.extend(
            status
                .into_iter()
                .map(|one| json!({"service": service.name(), "migration": one.name, "applied": one.applied})),
        );
    }
    many(context, COLUMNS, &rows)
}
