//! A file of users, read line by line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::source::{FilePlace, Line};
use crate::arguments::FileForm;
use crate::failure::{Failure, Outcome};
use crate::output::unguarded;

/// What a row may hold.
const FIELDS: [&str; 7] =
    ["email", "password_hash", "first_name", "last_name", "is_active", "roles", "must_change_password"];

/// What an export holds beside: the platform says these itself.
const PASSED_OVER: [&str; 4] = ["id", "created_at", "updated_at", "email_verified"];

/// The longest line.
const LONGEST_LINE: usize = 64 * 1024;

/// The lines of a file.
pub(super) enum Lines {
    Csv { headings: Vec<String>, reader: csv::Reader<File>, record: csv::StringRecord },
    Jsonl { reader: BufReader<File>, byte: u64, line: u64 },
}

impl Lines {
    pub(super) fn open(path: &Path, form: FileForm) -> Outcome<Self> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("can't read {}: {error}", path.display()))
        };
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        match form {
            FileForm::Jsonl => Ok(Self::Jsonl { reader: BufReader::new(file), byte: 0, line: 0 }),
            FileForm::Csv => {
                let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
                let headings = reader.headers().map_err(|error| unreadable(&error))?;
                let headings: Vec<String> = headings
                    .iter()
                    .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
                    .collect();
                if let Some(strange) = headings.iter().find(|name| !is_known(name)) {
                    return Err(Failure::usage(format!(
                        "the file has a column that users have not: {strange:?}"
                    ))
                    .next(format!("Columns are: {}.", FIELDS.join(", "))));
                }
                if !headings.iter().any(|name| name == "email") {
                    return Err(Failure::usage("the file has no column email")
                        .because("its first line must name the columns"));
                }
                Ok(Self::Csv { headings, reader, record: csv::StringRecord::new() })
            }
        }
    }

    /// Where the next line begins.
    pub(super) fn place(&self) -> FilePlace {
        match self {
            Self::Csv { reader, .. } => {
                FilePlace { byte: reader.position().byte(), line: reader.position().line() }
            }
            Self::Jsonl { byte, line, .. } => FilePlace { byte: *byte, line: line + 1 },
        }
    }

    /// Goes on where a line begins.
    pub(super) fn go_to(&mut self, place: FilePlace) -> Outcome {
        let gone = match self {
            Self::Csv { reader, .. } => {
                let mut position = csv::Position::new();
                position.set_byte(place.byte).set_line(place.line);
                reader.seek(position).map_err(|error| error.to_string())
            }
            Self::Jsonl { reader, byte, line } => {
                (*byte, *line) = (place.byte, place.line.saturating_sub(1));
                reader.seek(SeekFrom::Start(place.byte)).map(|_| ()).map_err(|error| error.to_string())
            }
        };
        gone.map_err(|error| Failure::failed(format!("can't go on in the file: {error}")))
    }

    /// The next line.
    pub(super) fn next(&mut self) -> Outcome<Option<Line>> {
        let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("can't read the file: {error}"));
        match self {
            Self::Csv { headings, reader, record } => {
                let read = reader.read_record(record);
                let position =
                    record.position().map_or_else(|| reader.position().line(), csv::Position::line);
                match read {
                    Ok(false) => Ok(None),
                    Ok(true) => Ok(Some(Line::new(position.to_string(), of_record(headings, record)))),
                    Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                        let number = error.position().map_or(position, csv::Position::line);
                        Ok(Some(Line::new(number.to_string(), Err("is not UTF-8".to_owned()))))
                    }
                    Err(error) => Err(failed(&error)),
                }
            }
            Self::Jsonl { reader, byte, line } => loop {
                let mut bytes = Vec::new();
                let read = reader.read_until(b'\n', &mut bytes).map_err(|error| failed(&error))?;
                if read == 0 {
                    return Ok(None);
                }
                *byte += read as u64;
                *line += 1;
                if !bytes.iter().all(u8::is_ascii_whitespace) {
                    return Ok(Some(Line::new(line.to_string(), of_json(&bytes))));
                }
            },
        }
    }
}

fn is_known(name: &str) -> bool {
    FIELDS.contains(&name) || PASSED_OVER.contains(&name)
}

fn of_record(headings: &[String], record: &csv::StringRecord) -> Result<Value, String> {
    if record.as_slice().len() > LONGEST_LINE {
        return Err(format!("has more than {LONGEST_LINE} bytes"));
    }
    if record.len() != headings.len() {
        return Err(format!("has {} fields, and the heading {}", record.len(), headings.len()));
    }
    let mut row = Map::new();
    for (name, text) in headings.iter().zip(record) {
        // An empty cell is no value. What guards a formula in an exported cell is no part of it.
        let text = unguarded(text);
        if text.is_empty() || PASSED_OVER.contains(&name.as_str()) {
            continue;
        }
        let value = match name.as_str() {
            "is_active" | "must_change_password" => {
                json!(truth(text).ok_or_else(|| format!("{name} is neither true nor false"))?)
            }
            "roles" => {
                json!(text.split([',', ';', ' ']).filter(|role| !role.is_empty()).collect::<Vec<_>>())
            }
            _ => json!(text),
        };
        row.insert(name.clone(), value);
    }
    Ok(Value::Object(row))
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "1" => Some(true),
        "false" | "f" | "no" | "0" => Some(false),
        _ => None,
    }
}

pub(super) fn of_json(bytes: &[u8]) -> Result<Value, String> {
    if bytes.len() > LONGEST_LINE {
        return Err(format!("has more than {LONGEST_LINE} bytes"));
    }
    // Nothing of the line is repeated: it may hold a hash.
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("is no JSON, at column {}", error.column()))?;
    let Value::Object(members) = value else { return Err("is no JSON object".to_owned()) };
    let mut row = Map::new();
    for (name, value) in members {
        if !is_known(&name) {
            return Err(format!("has a member that users have not: {name:?}"));
        }
        if value.is_null() || PASSED_OVER.contains(&name.as_str()) {
            continue;
        }
        let fits = match name.as_str() {
            "is_active" | "must_change_password" => value.is_boolean(),
            "roles" => value.as_array().is_some_and(|roles| roles.iter().all(Value::is_string)),
            _ => value.is_string(),
        };
        if !fits {
            return Err(format!("{name} is not of the right type"));
        }
        row.insert(name, value);
    }
    Ok(Value::Object(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_read_as_its_column_says() {
        let headings: Vec<String> =
            ["id", "email", "is_active", "roles", "first_name"].map(str::to_owned).into();
        let row =
            of_record(&headings, &vec!["7", "a@example.com", "No", "editor; user", "'=1+1"].into()).unwrap();
        assert_eq!(
            row,
            json!({"email": "a@example.com", "is_active": false, "roles": ["editor", "user"], "first_name": "=1+1"})
        );
        assert_eq!(
            of_record(&headings, &vec!["7", "a@example.com", "maybe", "", ""].into()).unwrap_err(),
            "is_active is neither true nor false"
        );
        assert!(of_record(&headings, &vec!["7"].into()).is_err());
    }

    #[test]
    fn a_line_of_json_that_does_not_fit_says_why_and_repeats_nothing() {
        assert_eq!(
            of_json(br#"{"email": "a@example.com", "id": 7, "first_name": null}"#).unwrap(),
            json!({"email": "a@example.com"})
        );
        for bad in [
            &br#"{"email": "a", "password_hash": "S3NT""#[..],
            br#"["S3NT"]"#,
            br#"{"email": 5}"#,
            br#"{"password": "S3NT"}"#,
            b"\xff",
        ] {
            let reason = of_json(bad).unwrap_err();
            assert!(!reason.contains("S3NT"), "{reason}");
        }
    }
}
