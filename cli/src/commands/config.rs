//! `platform config`: what is set, whether it is right, a file to start from, a schema for editors.

mod declarations;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use kit::config::{commented_file, json_schema};
use serde_json::{Value, json};

use crate::arguments::{ConfigCommand, Global};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, many, whole};
use crate::settings;

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: ConfigCommand) -> Outcome {
    match verb {
        ConfigCommand::Show => show(context, global),
        ConfigCommand::Check => check(context, global).await,
        ConfigCommand::Init { file, force } => init(context, &file, force),
        ConfigCommand::Schema => schema(context),
    }
}

const COLUMNS: &[Column] =
    &[Column::new("SETTING", "key"), Column::new("VALUE", "value"), Column::new("ORIGIN", "origin")];

fn show(context: &mut Context, global: &Global) -> Outcome {
    let loaded = settings::load(context, global, &[])?;
    let rows: Vec<Value> = loaded
        .settings
        .entries()
        .into_iter()
        .map(
            |entry| json!({"key": entry.key, "value": entry.value, "origin": entry.origin, "doc": entry.doc}),
        )
        .collect();
    many(context, COLUMNS, &rows)
}

async fn check(context: &mut Context, global: &Global) -> Outcome {
    let loaded = settings::load(context, global, &[])?;
    let not_checked = declarations::examine(&loaded.settings).await?;
    let file = loaded.file.map_or_else(
        || format!("no configuration file; {} is read if it is there", kit::config::DEFAULT_FILE),
        |file| format!("read from {}", file.display()),
    );
    context.note(&format!("The configuration is right ({file})."));
    for told in not_checked {
        context.warn(&format!("not checked: {told}"));
    }
    Ok(())
}

fn init(context: &mut Context, file: &Path, force: bool) -> Outcome {
    let text = commented_file();
    if file == Path::new("-") {
        context.stdout.write_all(text.as_bytes())?;
        return Ok(());
    }
    let mut options = OpenOptions::new();
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options
        .write(true)
        .open(context.folder.join(file))
        .and_then(|mut out| out.write_all(text.as_bytes()));
    match written {
        Ok(()) => {
            context.note(&format!(
                "Wrote {}. Every line is commented out: uncomment what you want to change.",
                file.display()
            ));
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::failed(format!("{} is there already", file.display()))
                .next("Add --force to overwrite it, or write elsewhere: platform config init -"))
        }
        Err(error) => Err(Failure::failed(format!("can't write {}", file.display())).caused_by(&error)),
    }
}

fn schema(context: &mut Context) -> Outcome {
    whole(context, &json_schema())
}
