//! Arguments of `platform service`.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use clap::Subcommand;

/// `platform service …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List the services behind the gateway, and how their instances stand where a platform runs here
    List,
    /// Read the documents of declared services, and tell what is bound and what would be refused; needs no running server
    Check {
        /// The service [default: all]
        service: Option<String>,
    },
    /// Write a working service in Rust into this checkout of the platform's source: contract, crate, tables, settings, container,
    /// tests, and its place in every list
    #[command(after_help = "For example: platform service new orders")]
    New {
        /// What it is called, in the plural: crate, module, section of settings and path
        name: String,
        /// What one of them is called [default: the name without its plural ending]
        #[arg(long, value_name = "NAME", env = "PLATFORM_SERVICE_ITEM")]
        item: Option<String>,
        /// Tell what would be written, and write nothing
        #[arg(long, env = "PLATFORM_DRY_RUN")]
        dry_run: bool,
        /// Also where the checkout has changes that are not committed
        #[arg(long, env = "PLATFORM_ALLOW_DIRTY")]
        allow_dirty: bool,
    },
}
