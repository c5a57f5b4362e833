//! What a terminal would obey, or turn around, is shown instead: texts come from servers, files and whoever registered.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a terminal does something else with it than to show it: control characters (C0, DEL, C1), marks that turn the direction
/// of what follows (UAX #9), and separators of lines and paragraphs.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line of text, safe for a terminal.
#[must_use]
pub(crate) fn safe(text: &str) -> String {
    shown(text, is_dangerous).into_owned()
}

/// Lines of text, safe for a terminal: they stay lines, with their tabs.
#[must_use]
pub(crate) fn safe_lines(text: &str) -> Cow<'_, str> {
    shown(text, |c| is_dangerous(c) && !matches!(c, '\n' | '\t'))
}

fn shown(text: &str, is_dangerous: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_dangerous) {
        return Cow::Borrowed(text);
    }
    let one = |c: char| if is_dangerous(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(one).collect())
}

/// Whether YAML has to be written as JSON, which it is a superset of: only there everything can be escaped.
#[must_use]
pub(super) fn needs_json(yaml: &str) -> bool {
    yaml.chars().any(|c| is_dangerous(c) && c != '\n')
}

/// The same JSON in other words: what is dangerous stands in strings alone, and is written as `\u…`. It means the same to a program.
#[must_use]
pub(super) fn safe_json(json: String) -> String {
    // Between strings a line break is none of the text's.
    let is_dangerous = |c: char| is_dangerous(c) && c != '\n';
    if !json.chars().any(is_dangerous) {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_dangerous(c) {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that a terminal obeys.
    const ALL: &str = "\0\u{7}\u{8}\t\n\r\u{1b}[2J\u{7f}\u{85}\u{9b}2J\u{9d}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}";

    #[test]
    fn nothing_that_a_terminal_obeys_is_left_and_what_it_shows_is_as_it_was() {
        assert_eq!(safe("Zoë \\ 日本 🦀 a=b"), "Zoë \\ 日本 🦀 a=b");
        for text in [safe(ALL), safe_lines(ALL).replace(['\n', '\t'], "")] {
            assert!(!text.chars().any(is_dangerous), "{text}");
        }
        assert_eq!(safe_lines("a\n\tb\u{9b}"), "a\n\tb\\u{9b}");
        assert_eq!(safe(&safe(ALL)), safe(ALL));
    }

    #[test]
    fn json_means_the_same_and_holds_nothing_that_a_terminal_obeys() {
        let value = serde_json::json!({ALL: [ALL, "Zoë", 1, null]});
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let safe = safe_json(text);
            assert!(!safe.chars().any(|c| is_dangerous(c) && c != '\n'), "{safe}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }
}
