//! Tables without borders that fit the terminal; on a pipe a row is one line, however long.

use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Table, presets};

use super::safe;
use crate::context::Context;

/// Renders rows below an optional heading. Without one the first column is the heading of its row.
pub(super) fn render(context: &Context, heading: Option<Vec<String>>, rows: Vec<Vec<String>>) -> String {
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
        table.add_row(row.into_iter().enumerate().map(|(index, text)| {
            let text = safe(&text);
            if bare && index == 0 { strong(text) } else { Cell::new(text) }
        }));
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
