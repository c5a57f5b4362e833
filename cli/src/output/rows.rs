//! Rows written as they come, so that a long list needs no memory; only a table waits for its last row.

use std::io::{self, Write};

use serde_json::Value;

use super::{Column, Format, compact, guarded, plain, pretty, safe, table, yaml};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// A list that is being written.
pub(crate) struct Rows<'a> {
    context: &'a mut Context,
    columns: &'a [Column],
    cells: Vec<Vec<String>>,
    count: usize,
}

impl<'a> Rows<'a> {
    /// Starts a list.
    pub(crate) fn new(context: &'a mut Context, columns: &'a [Column]) -> Self {
        Self { context, columns, cells: Vec::new(), count: 0 }
    }

    /// How many rows there were.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, row: &Value) -> Outcome {
        match self.context.format {
            Format::Table => self.cells.push(self.columns.iter().map(|column| column.shown(row)).collect()),
            Format::Json => {
                let text = pretty(row)?.replace('\n', "\n  ");
                let before = if self.count == 0 { "[" } else { "," };
                write!(self.context.stdout, "{before}\n  {text}")?;
            }
            Format::Jsonl => {
                let text = compact(row);
                self.context.line(&text)?;
            }
            Format::Yaml => {
                let text = yaml(&Value::Array(vec![row.clone()]))?;
                write!(self.context.stdout, "{text}")?;
            }
            Format::Csv => {
                if self.count == 0 {
                    self.record(self.columns.iter().map(|column| column.field.to_owned()).collect())?;
                }
                self.record(self.columns.iter().map(|column| guarded(plain(&row[column.field]))).collect())?;
            }
        }
        self.count += 1;
        Ok(())
    }

    /// Brings what was added to its reader.
    pub(crate) fn flush(&mut self) -> Outcome {
        Ok(self.context.stdout.flush()?)
    }

    /// Ends the list.
    pub(crate) fn finish(self) -> Outcome {
        match self.context.format {
            Format::Table => {
                let heading = self.columns.iter().map(|column| column.title.to_owned()).collect();
                let text = table::render(self.context, Some(heading), self.cells);
                write!(self.context.stdout, "{text}")?;
            }
            Format::Json => {
                let end = if self.count == 0 { "[]\n" } else { "\n]\n" };
                write!(self.context.stdout, "{end}")?;
            }
            Format::Yaml if self.count == 0 => writeln!(self.context.stdout, "[]")?,
            Format::Csv if self.count == 0 => {
                let mut rows = self;
                rows.record(rows.columns.iter().map(|column| column.field.to_owned()).collect())?;
            }
            Format::Jsonl | Format::Yaml | Format::Csv => {}
        }
        Ok(())
    }

    fn record(&mut self, mut fields: Vec<String>) -> Outcome {
        // A file holds what there is; a terminal shows what it would obey.
        if self.context.stdout_terminal {
            for field in &mut fields {
                *field = safe(field);
            }
        }
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        let written = writer.write_record(fields).map_err(io::Error::other);
        written.map_err(|error| Failure::failed(format!("can't write CSV: {error}")))?;
        let bytes =
            writer.into_inner().map_err(|error| Failure::failed(format!("can't write CSV: {error}")))?;
        self.context.stdout.write_all(&bytes)?;
        Ok(())
    }
}
