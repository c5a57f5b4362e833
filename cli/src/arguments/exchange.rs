//! Arguments of `platform user import` and `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The form of a file of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileForm {
    // Comma-separated values with a heading.
    Csv,
    // One JSON object a line.
    Jsonl,
}

/// `platform user import`
#[derive(Debug, Clone, Args)]
pub(crate) struct ImportArguments {
    /// File of users
    #[arg(required_unless_present_any = ["from_postgres", "from_postgres_file"])]
    pub(crate) file: Option<PathBuf>,
    /// Form of the file [default: by its name, .csv or .jsonl]
    #[arg(long, value_enum, env = "PLATFORM_IMPORT_FORM", value_name = "FORM")]
    pub(crate) form: Option<FileForm>,
    /// Read a table of users in another system's database, such as postgres://name@host/database; the password comes from
    /// PGPASSWORD or ~/.pgpass, is asked for, or stands in the URL of the variable
    #[arg(long, conflicts_with = "file", env = "PLATFORM_IMPORT_FROM_POSTGRES", value_name = "URL")]
    pub(crate) from_postgres: Option<String>,
    /// The same, by a file that holds the URL
    #[arg(long, conflicts_with_all = ["file", "from_postgres"], env = "PLATFORM_IMPORT_FROM_POSTGRES_FILE", value_name = "FILE")]
    pub(crate) from_postgres_file: Option<PathBuf>,
    /// The table, with its schema where needed [default: users, or user]
    #[arg(long, conflicts_with = "file", env = "PLATFORM_IMPORT_TABLE", value_name = "NAME")]
    pub(crate) table: Option<String>,
    /// A column of another name, such as password_hash=passwd [default: hashed_password, password_hash or password; email,
    /// first_name, last_name, is_active]
    #[arg(
        long = "column",
        conflicts_with = "file",
        env = "PLATFORM_IMPORT_COLUMNS",
        value_delimiter = ',',
        value_name = "FIELD=COLUMN",
        value_parser = column
    )]
    pub(crate) columns: Vec<(String, String)>,
    /// Of users of the table whose addresses differ by case alone, take the one with the least key
    #[arg(long, conflicts_with = "file", env = "PLATFORM_IMPORT_TAKE_FIRST")]
    pub(crate) take_first: bool,
    /// Only tell what would become of each row
    #[arg(long, env = "PLATFORM_DRY_RUN")]
    pub(crate) dry_run: bool,
    /// Begin with the first row also where an import was stopped
    #[arg(long, env = "PLATFORM_IMPORT_FROM_START")]
    pub(crate) from_start: bool,
    /// File for the refused rows, with line and reason [default: FILE.refused.csv]
    #[arg(long, env = "PLATFORM_IMPORT_REFUSED", value_name = "FILE")]
    pub(crate) refused: Option<PathBuf>,
    /// Rows a request, 1000 at most
    #[arg(long, env = "PLATFORM_IMPORT_BATCH", value_name = "NUMBER", default_value_t = 500,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) batch: u16,
}

fn column(text: &str) -> Result<(String, String), String> {
    const FIELDS: [&str; 5] = ["email", "password_hash", "first_name", "last_name", "is_active"];
    match text.split_once('=') {
        Some((field, column)) if FIELDS.contains(&field) && !column.is_empty() => {
            Ok((field.to_owned(), column.to_owned()))
        }
        _ => Err(format!("write FIELD=COLUMN, the field one of {}", FIELDS.join(", "))),
    }
}
