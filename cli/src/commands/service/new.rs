//! `platform service new`: writes a working service in Rust into this repository, and binds it everywhere it has to be known.

mod checkout;
mod edits;
mod names;
mod templates;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::checkout::Checkout;
use self::names::Names;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, many};

/// One file of the new service, or one that changes for it.
struct Written {
    path: PathBuf,
    text: String,
    /// Lines that are new in it.
    lines: usize,
    /// Whether the file is new.
    new: bool,
}

/// Writes it, or tells what would be written. Nothing is written before everything is known to fit.
pub(super) fn run(
    context: &mut Context,
    name: &str,
    item: Option<&str>,
    dry_run: bool,
    allow_dirty: bool,
) -> Outcome {
    let names = Names::new(name, item)?;
    let checkout = Checkout::around(&context.folder)?;
    checkout.refuse_taken(&names)?;
    let today = (context.now)().date();
    let day = format!("{:04}{:02}{:02}", today.year(), u8::from(today.month()), today.day());
    let written = plan(&checkout, &names, &day)?;
    if dry_run {
        return tell(context, &checkout.root, &written);
    }
    if !allow_dirty {
        let paths: Vec<&Path> = written.iter().map(|file| file.path.as_path()).collect();
        checkout.refuse_dirty(&paths)?;
    }
    for file in &written {
        write(file)?;
    }
    tell(context, &checkout.root, &written)?;
    checkout.finish(context);
    context.note(&format!(
        "The {name} service is written. Next: `cargo test -p {name}`, then `platform serve`: it is at /api_v1/{name} and in /docs.",
    ));
    Ok(())
}

fn plan(checkout: &Checkout, names: &Names, day: &str) -> Outcome<Vec<Written>> {
    let numbers = checkout.numbers()?;
    let filled = |text: &str| {
        names
            .put_into(text)
            .replace("m20261125_", &format!("m{day}_"))
            .replace("PORT", &numbers.port.to_string())
            .replace("LOCK", &numbers.lock.to_string())
    };
    let mut written = Vec::new();
    for (path, template) in templates::FILES {
        let text = filled(template);
        let path = checkout.root.join(filled(path));
        written.push(Written { path, lines: text.lines().count(), text, new: true });
    }
    for edit in edits::all() {
        let path = checkout.root.join(edit.path);
        let before = checkout.read(edit.path)?;
        let after = edit.made(&before, &filled)?;
        let lines = after.lines().count().saturating_sub(before.lines().count()).max(1);
        written.push(Written { path, text: after, lines, new: false });
    }
    Ok(written)
}

fn write(file: &Written) -> Outcome {
    let failed = |error: std::io::Error| {
        Failure::failed(format!("can't write {}", file.path.display())).caused_by(&error)
    };
    if let Some(folder) = file.path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(&file.path, &file.text).map_err(failed)
}

fn tell(context: &mut Context, root: &Path, written: &[Written]) -> Outcome {
    const COLUMNS: &[Column] =
        &[Column::new("FILE", "file"), Column::new("WHAT", "what"), Column::new("NEW LINES", "lines")];
    let rows: Vec<Value> = written
        .iter()
        .map(|file| {
            json!({
                "file": file.path.strip_prefix(root).unwrap_or(&file.path).display().to_string(),
                "what": if file.new { "new" } else { "changed" },
                "lines": file.lines,
            })
        })
        .collect();
    many(context, COLUMNS, &rows)
}
