//! Arguments of `platform service`.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use clap::Subcommand;

/// `platform service …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List the services behind the gateway, and how their instances stand where a platform runs here
    List,
    /// Read the documents of declared services, tell what is bound and what would be refused, and what has changed since they were
    /// pinned; needs no running server
    #[command(after_help = "Documents are pinned in the folder contracts, beside the configuration file.\n\
                            The exit code is 1 where a change breaks clients of the pinned one.")]
    Check {
        /// The service [default: all]
        service: Option<String>,
        /// List the changes since the document was pinned, instead of the operations
        #[arg(long, env = "PLATFORM_SERVICE_CHANGES")]
        changes: bool,
        /// Pin the documents as they are now
        #[arg(long, env = "PLATFORM_SERVICE_PIN")]
        pin: bool,
    },
    /// Declare a service in the configuration file, once its document is found to be right, and pin that
    #[command(
        after_help = "For example: platform service add orders --openapi orders.yaml --at http://127.0.0.1:9000"
    )]
    Add {
        /// What it is called: in paths, tokens and metrics
        name: String,
        /// Its OpenAPI document: a file, or an address that is read at each start
        #[arg(long, value_name = "FILE|URL", env = "PLATFORM_SERVICE_OPENAPI")]
        openapi: String,
        /// Where an instance is; once for each
        #[arg(
            long = "at",
            value_name = "URL",
            required = true,
            env = "PLATFORM_SERVICE_URLS",
            value_delimiter = ','
        )]
        urls: Vec<String>,
        /// What its paths start with [default: /api/NAME]
        #[arg(long, value_name = "PATH", env = "PLATFORM_SERVICE_PREFIX")]
        prefix: Option<String>,
        /// Who may call: public, optional, signed-in or role:NAME [default: signed-in]
        #[arg(long, value_name = "WHO", env = "PLATFORM_SERVICE_ACCESS")]
        access: Option<String>,
        /// How answers are held to the document: enforce, report or off [default: enforce]
        #[arg(long, value_name = "MODE", env = "PLATFORM_SERVICE_CONTRACT")]
        contract: Option<String>,
        /// A path that tells whether an instance is well
        #[arg(long, value_name = "PATH", env = "PLATFORM_SERVICE_HEALTH")]
        health: Option<String>,
        /// Show the lines, and write nothing
        #[arg(long, env = "PLATFORM_DRY_RUN")]
        dry_run: bool,
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
