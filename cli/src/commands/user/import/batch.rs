//! The rows of one request.

use super::source::{Line, Place, Source};
use crate::failure::Outcome;

/// A request ends with the row that passes this. With the longest row it is still below what the gateway takes by default.
const ENOUGH_BYTES: usize = 448 * 1024;

/// Rows that are sent together.
pub(super) struct Batch {
    pub(super) lines: Vec<Line>,
    /// Those of them that can be sent, as JSON.
    pub(super) body: Option<String>,
    /// Where the next batch begins.
    pub(super) end: Option<Place>,
    /// How much was read of the source.
    pub(super) done: u64,
}

impl Batch {
    /// Reads the next rows; none at the end.
    pub(super) async fn read(source: &mut Source, rows: u16) -> Outcome<Option<Self>> {
        let mut lines = Vec::with_capacity(usize::from(rows));
        let mut body = String::new();
        while lines.len() < usize::from(rows) && body.len() < ENOUGH_BYTES {
            let Some(line) = source.next().await? else { break };
            if let Ok(row) = &line.row {
                body.push(if body.is_empty() { '[' } else { ',' });
                body.push_str(&row.to_string());
            }
            lines.push(line);
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let body = (!body.is_empty()).then(|| body + "]");
        Ok(Some(Self { lines, body, end: source.place(), done: source.done() }))
    }
}
