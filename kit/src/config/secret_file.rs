//! Reads one secret from a file, as containers hand secrets over.
//!
//! Exactly one trailing line break is removed, since editors add it; spaces stay. A byte order mark at the start is removed.
//! A message names the file, never what is in it.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use secrecy::SecretString;

/// Longest secret file, in bytes: nobody writes a longer secret, and a wrong path may name a large file.
const LONGEST: u64 = 64 * 1024;

/// Reads a secret; the error is to be read after the name of the setting.
pub fn read_secret_file(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let reason = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("names the file {shown}, which does not exist"),
        io::ErrorKind::PermissionDenied => {
            format!("names the file {shown}, which this user may not read")
        }
        _ => format!("names the file {shown}, which can't be read: {error}"),
    };
    let data = fs::metadata(path).map_err(|error| reason(&error))?;
    if data.is_dir() {
        return Err(format!("names {shown}, which is a folder"));
    }
    let file = fs::File::open(path).map_err(|error| reason(&error))?;
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("names the file {shown}, which is longer than {LONGEST} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("names the file {shown}, which is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = without_line_break(text);
    if text.is_empty() {
        return Err(format!("names the file {shown}, which is empty"));
    }
    if text.contains('\n') {
        return Err(format!("names the file {shown}, which has more than one line"));
    }
    if text.contains('\0') {
        return Err(format!("names the file {shown}, which holds a NUL character"));
    }
    Ok(SecretString::from(text))
}

/// The text without one line break at its end.
#[must_use]
pub fn without_line_break(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn one_trailing_line_break_is_no_part_of_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (content, secret) in [
            ("pw", "pw"),
            ("pw\n", "pw"),
            ("pw\r\n", "pw"),
            ("pw \n", "pw "),
            ("\u{feff}pw\n", "pw"),
            (" p w ", " p w "),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(read_secret_file(&path).unwrap().expose_secret(), secret, "{content:?}");
        }
    }

    #[test]
    fn what_is_no_secret_is_refused_by_the_name_of_the_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (content, reason) in [
            (&b"\n"[..], "is empty"),
            (b"", "is empty"),
            (b"S3NT\nS3NT\n", "more than one line"),
            (b"S3NT\xff", "not UTF-8"),
            (b"S3\0NT", "NUL"),
        ] {
            fs::write(&path, content).unwrap();
            let message = read_secret_file(&path).unwrap_err();
            assert!(
                message.contains(reason) && message.contains("secret") && !message.contains("S3NT"),
                "{message}"
            );
        }
        assert!(read_secret_file(folder.path()).unwrap_err().contains("is a folder"));
        assert!(read_secret_file(&folder.path().join("none")).unwrap_err().contains("does not exist"));
    }
}
