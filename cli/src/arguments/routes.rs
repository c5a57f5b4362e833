//! Arguments of `platform routes`.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use clap::Subcommand;

/// `platform routes …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RoutesCommand {
    /// Tell what would happen to a request, by the code that serves; nothing is sent, and no server needs to run
    #[command(
        after_help = "PLATFORM_TOKEN (or the file that PLATFORM_TOKEN_FILE names) is sent along, if set.\n\
                            For example: platform routes explain GET '/api_v1/users/7?x=1' -H 'If-None-Match: \"1.1\"'"
    )]
    Explain {
        /// The method, such as GET
        method: String,
        /// The path and the query, as they would be sent
        target: String,
        /// A header field, as Name: value; once for each
        #[arg(long = "header", short = 'H', value_name = "FIELD", env = "PLATFORM_EXPLAIN_HEADER")]
        headers: Vec<String>,
        /// A body, or the file that holds it, as @FILE
        #[arg(long, value_name = "TEXT|@FILE", env = "PLATFORM_EXPLAIN_DATA")]
        data: Option<String>,
    },
}
