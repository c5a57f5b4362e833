//! The form of data: tables for people, JSON in the API's own shape, JSON lines, YAML and CSV for machines.

mod escape;
mod formula;
mod rows;
mod table;

use std::io::Write as _;

use clap::ValueEnum;
use serde_json::Value;

use crate::context::Context;
use crate::failure::{Failure, Outcome};

pub(crate) use escape::{safe, safe_lines};
pub(crate) use formula::{guarded, unguarded};
pub(crate) use rows::Rows;

/// The form in which data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Columns for people, that fit the terminal.
    Table,
    // JSON, in the API's own shape.
    Json,
    // One JSON value a line.
    Jsonl,
    // YAML.
    Yaml,
    // Comma-separated values with a heading (RFC 4180).
    Csv,
}

/// One column of a table: its heading, and how a cell is made from a row.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    /// Heading in tables.
    pub(crate) title: &'static str,
    /// Field of the JSON row: the heading in CSV, and the value where `cell` is absent.
    pub(crate) field: &'static str,
    /// How people see it, where that differs from the value.
    pub(crate) cell: Option<fn(&Value) -> String>,
}

impl Column {
    /// A column that shows a field as it is.
    #[must_use]
    pub(crate) const fn new(title: &'static str, field: &'static str) -> Self {
        Self { title, field, cell: None }
    }

    /// A column with a cell made for people from the whole row.
    #[must_use]
    pub(crate) const fn with(title: &'static str, field: &'static str, cell: fn(&Value) -> String) -> Self {
        Self { title, field, cell: Some(cell) }
    }

    fn shown(&self, row: &Value) -> String {
        self.cell.map_or_else(|| plain(&row[self.field]), |cell| cell(row))
    }
}

/// A value as plain text: nothing for null, words of a list separated by commas.
#[must_use]
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A moment as a list shows it: to the second, in UTC, and in two words that a narrow column can break.
#[must_use]
pub(crate) fn moment(value: &Value) -> String {
    let text = plain(value);
    match text.split_once('T') {
        Some((day, time)) if time.len() > 8 && time.is_char_boundary(8) => format!("{day} {}Z", &time[..8]),
        _ => text,
    }
}

/// Writes one thing: a table of two columns, or the value in its form.
pub(crate) fn one(context: &mut Context, columns: &[Column], value: &Value) -> Outcome {
    match context.format {
        Format::Table => {
            let cells =
                columns.iter().map(|column| vec![column.title.to_owned(), column.shown(value)]).collect();
            let text = table::render(context, None, cells);
            write!(context.stdout, "{text}")?;
            Ok(())
        }
        Format::Json => {
            let text = pretty(value)?;
            context.line(&text)
        }
        Format::Yaml => {
            let text = yaml(value)?;
            write!(context.stdout, "{text}")?;
            Ok(())
        }
        Format::Jsonl | Format::Csv => {
            let mut rows = Rows::new(context, columns);
            rows.add(value)?;
            rows.finish()
        }
    }
}

/// Writes a document, which has no columns: as JSON, or as YAML. A table of it would say nothing.
pub(crate) fn whole(context: &mut Context, document: &Value) -> Outcome {
    match context.format {
        Format::Table => context.format = Format::Json,
        Format::Csv => {
            return Err(
                Failure::usage("a document has no rows, and is no CSV").next("Take --output json or yaml.")
            );
        }
        Format::Json | Format::Jsonl | Format::Yaml => {}
    }
    one(context, &[], document)
}

/// Writes many things that are at hand.
pub(crate) fn many(context: &mut Context, columns: &[Column], values: &[Value]) -> Outcome {
    let mut rows = Rows::new(context, columns);
    for value in values {
        rows.add(value)?;
    }
    rows.finish()
}

fn pretty(value: &Value) -> Outcome<String> {
    let text = serde_json::to_string_pretty(value);
    text.map(escape::safe_json).map_err(|error| Failure::failed(format!("can't write JSON: {error}")))
}

/// JSON in one line.
fn compact(value: &Value) -> String {
    escape::safe_json(value.to_string())
}

fn yaml(value: &Value) -> Outcome<String> {
    let text = serde_norway::to_string(value)
        .map_err(|error| Failure::failed(format!("can't write YAML: {error}")))?;
    Ok(match value {
        _ if !escape::needs_json(&text) => text,
        // A row of a list.
        Value::Array(rows) => {
            rows.iter().flat_map(|row| ["- ".to_owned(), compact(row), "\n".to_owned()]).collect()
        }
        value => compact(value) + "\n",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_moment_is_told_to_the_second_and_what_is_none_stays() {
        assert_eq!(moment(&json!("2026-11-25T18:53:32.415491Z")), "2026-11-25 18:53:32Z");
        assert_eq!(moment(&json!("2026-11-25T18:53:32Z")), "2026-11-25 18:53:32Z");
        assert_eq!(moment(&Value::Null), "");
        assert_eq!(moment(&json!("neverT")), "neverT");
    }

    #[test]
    fn every_form_means_the_same_and_has_nothing_in_it_that_a_terminal_obeys() {
        let text = "\u{1b}]0;x\u{7}\u{7f}\u{9b}2J\u{202e}\u{61c}\u{2028}Zoë";
        let row = json!({"email": text, "roles": [text], "is_active": true, "first_name": "Zoë\nMüller"});
        let columns = [Column::new("E-MAIL", "email"), Column::new("ROLES", "roles")];
        for format in [Format::Table, Format::Json, Format::Jsonl, Format::Yaml, Format::Csv] {
            for (single, terminal) in [(true, true), (false, true), (true, false), (false, false)] {
                let written = Written::default();
                let mut context = Context::of_process();
                context.stdout = Box::new(written.clone());
                (context.format, context.stdout_terminal, context.colour) = (format, terminal, false);
                if single {
                    one(&mut context, &columns, &row).unwrap();
                } else {
                    many(&mut context, &columns, &[row.clone(), row.clone()]).unwrap();
                }
                let shown = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
                if format != Format::Csv || terminal {
                    assert_eq!(safe_lines(&shown), shown, "{format:?}");
                } else {
                    assert!(shown.contains(text), "a file of CSV holds what it is");
                }
                let read: Value = match format {
                    Format::Json => serde_json::from_str(&shown).unwrap(),
                    Format::Yaml => serde_norway::from_str(&shown).unwrap(),
                    Format::Jsonl => serde_json::from_str(shown.lines().next().unwrap()).unwrap(),
                    Format::Table | Format::Csv => continue,
                };
                let expected =
                    if single || format == Format::Jsonl { row.clone() } else { json!([row, row]) };
                assert_eq!(read, expected, "{format:?}");
            }
        }
    }

    #[derive(Clone, Default)]
    struct Written(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}
