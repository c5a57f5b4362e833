//! Cells that a spreadsheet would run (CWE-1236): guarded by an apostrophe where CSV is written, and read without it.

/// How a formula begins, also in the wide letters of East Asian scripts, and what a spreadsheet skips before one.
const BEGINNINGS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// The cell of a text.
#[must_use]
pub(crate) fn guarded(text: String) -> String {
    if is_formula(&text) { format!("'{text}") } else { text }
}

/// The text of a cell.
#[must_use]
pub(crate) fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_formula(text)).unwrap_or(cell)
}

/// Apostrophes before it are told apart from the guard's by one more.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(BEGINNINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_text_is_read_as_it_was() {
        for text in [
            "", "x", "'", "'x", "O'Hara", "=1", "'=1", "''=1", "+1", "-x", "@x", "\t=1", "\r=1", "\n=1",
            "＝1", "'＠x",
        ] {
            let cell = guarded(text.to_owned());
            assert!(!cell.starts_with(BEGINNINGS), "{cell:?}");
            assert_eq!(unguarded(&cell), text);
        }
        assert_eq!(guarded("=1".to_owned()), "'=1");
    }
}
