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
    pub(crate) file: PathBuf,
    /// Form of the file [default: by its name, .csv or .jsonl]
    #[arg(long, value_enum, env = "PLATFORM_IMPORT_FORM", value_name = "FORM")]
    pub(crate) form: Option<FileForm>,
    /// Only tell what would become of each row
    #[arg(long, env = "PLATFORM_DRY_RUN")]
    pub(crate) dry_run: bool,
    /// File for the refused rows, with line and reason [default: FILE.refused.csv]
    #[arg(long, env = "PLATFORM_IMPORT_REFUSED", value_name = "FILE")]
    pub(crate) refused: Option<PathBuf>,
    /// Rows a request, 1000 at most
    #[arg(long, env = "PLATFORM_IMPORT_BATCH", value_name = "NUMBER", default_value_t = 200,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) batch: u16,
}
