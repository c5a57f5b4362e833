//! The flags by which a second command finds the same platform as this one.

use std::fmt::Write as _;

use super::Global;

impl Global {
    /// The flags that a second command needs, with a space behind each.
    #[must_use]
    pub(crate) fn flags(&self) -> String {
        let mut flags = String::new();
        for (flag, path) in [("--config", &self.config), ("--data-dir", &self.data_dir)] {
            if let Some(path) = path {
                let _ = write!(flags, "{flag} {} ", quoted(&path.display().to_string()));
            }
        }
        flags
    }
}

fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("/srv/data"), "/srv/data");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
    }
}
