//! Tables without borders that fit the terminal; on a pipe a row is one line, however long.

use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Table, presets};

use super::safe;
use crate::context::Context;

/// Narrower than this, or than its longest word, no column can be read.
const READABLE: usize = 8;

/// Columns between two columns.
const GAP: usize = 2;

/// Renders rows below an optional heading. Without one the first column is the heading of its row. Where a terminal is too narrow
/// for the columns, each row becomes a table of its own, one line for each column.
pub(super) fn render(context: &Context, heading: Option<Vec<String>>, mut rows: Vec<Vec<String>>) -> String {
    for cell in rows.iter_mut().flatten() {
        *cell = safe(cell);
    }
    match (heading, context.width) {
        (Some(heading), Some(width)) if narrowest(&heading, &rows) > usize::from(width) => {
            let tables = rows.into_iter().map(|row| {
                let lines = heading.iter().cloned().zip(row).map(|(title, cell)| vec![title, cell]);
                drawn(context, None, lines.collect())
            });
            tables.collect::<Vec<_>>().join("\n")
        }
        (heading, _) => drawn(context, heading, rows),
    }
}

/// The width below which the columns can't be read.
fn narrowest(heading: &[String], rows: &[Vec<String>]) -> usize {
    let longest_word =
        |text: &String| text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or_default();
    let columns = heading.iter().enumerate().map(|(index, title)| {
        let cells = rows.iter().filter_map(|row| row.get(index)).chain([title]);
        let needed = cells.map(longest_word).max().unwrap_or_default();
        // What names a row is not broken.
        if index == 0 { needed } else { needed.min(READABLE) }
    });
    columns.sum::<usize>() + GAP * heading.len().saturating_sub(1)
}

fn drawn(context: &Context, heading: Option<Vec<String>>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    match context.width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if context.colour {
        table.enforce_styling();
    }
    let strong = |text: String| Cell::new(text).add_attribute(Attribute::Bold);
    let bare = heading.is_none();
    if let Some(heading) = heading {
        table.set_header(heading.into_iter().map(strong));
    }
    for row in rows {
        table.add_row(
            row.into_iter().enumerate().map(
                |(index, text)| {
                    if bare && index == 0 { strong(text) } else { Cell::new(text) }
                },
            ),
        );
    }
    let widest = table.column_max_content_widths();
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        // What names a row is not broken, as long as it leaves room for the rest.
        let fits = |width: u16| widest.get(index).is_some_and(|widest| *widest <= width / 2);
        if index == 0 && context.width.is_some_and(fits) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: u16) -> String {
        let mut context = Context::of_process();
        (context.width, context.colour) = (Some(width), false);
        let heading = ["ID", "DEVICE", "ADDRESS", "CREATED"].map(str::to_owned).to_vec();
        let row =
            ["01a2140e-517f-74ab-95f3-312a9dfc3729", "platform/0.1.0", "127.0.0.1", "2026-11-25 18:53:32Z"];
        render(&context, Some(heading), vec![row.map(str::to_owned).to_vec(); 2])
    }

    #[test]
    fn a_table_is_wrapped_while_it_can_be_read_and_put_on_end_where_it_can_t() {
        assert_eq!(shown(100).lines().count(), 3);
        let wrapped = shown(80);
        assert!(wrapped.starts_with("ID ") && wrapped.lines().count() > 3, "{wrapped}");
        let on_end = shown(50);
        assert_eq!(on_end.lines().count(), 9, "{on_end}");
        assert!(on_end.contains("CREATED  2026-11-25 18:53:32Z"), "{on_end}");
        for width in [40, 50, 80, 100] {
            assert!(shown(width).lines().all(|line| line.chars().count() <= usize::from(width)));
        }
    }
}
