//! Arguments of the commands that run the platform: serve, migrate, config.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use crate::services;

/// The services that there are, as values of an argument.
pub(super) fn service_names() -> PossibleValuesParser {
    PossibleValuesParser::new(std::iter::once(&services::GATEWAY).chain(services::NAMES).copied())
}

/// `platform serve`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Without names every service runs in one process,\n\
                        on embedded databases unless others are configured.\n\
                        For example: platform serve\n             platform serve gateway --listen 0.0.0.0:8001 --migrate")]
pub(crate) struct ServeArguments {
    /// Services to run [default: all, in one process]
    #[arg(value_parser = service_names())]
    pub(crate) services: Vec<String>,
    /// Address of the public API (gateway.listen) [env: PLATFORM__GATEWAY__LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Migrate the databases first; always done when all services run in one process
    #[arg(long, env = "PLATFORM_MIGRATE")]
    pub(crate) migrate: bool,
}

/// `platform migrate …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Apply what is pending
    Up {
        /// On what.
        #[command(flatten)]
        target: MigrateTarget,
    },
    /// Take back the latest (one, unless --steps says otherwise)
    Down {
        /// On what.
        #[command(flatten)]
        target: MigrateTarget,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
    /// Take back the latest and apply it again
    Redo {
        /// On what.
        #[command(flatten)]
        target: MigrateTarget,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
    /// List the migrations and which of them are applied
    Status {
        /// Only this service's database
        #[arg(long, value_parser = service_names(), env = "PLATFORM_MIGRATE_SERVICE")]
        service: Option<String>,
    },
    /// Drop every table and migrate from nothing: all data is lost
    Fresh {
        /// Only this service's database
        #[arg(long, value_parser = service_names(), env = "PLATFORM_MIGRATE_SERVICE")]
        service: Option<String>,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
        /// Also on a server's database (PostgreSQL), not only on embedded ones
        #[arg(long, env = "PLATFORM_FORCE")]
        force: bool,
    },
}

/// What a migration command works on.
#[derive(Debug, Clone, Args)]
pub(crate) struct MigrateTarget {
    /// Only this service's database
    #[arg(long, value_parser = service_names(), env = "PLATFORM_MIGRATE_SERVICE")]
    pub(crate) service: Option<String>,
    /// How many migrations
    #[arg(long, env = "PLATFORM_MIGRATE_STEPS", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) steps: Option<u32>,
    /// Tell what would be done, and do nothing
    #[arg(long, env = "PLATFORM_DRY_RUN")]
    pub(crate) dry_run: bool,
}

/// `platform config …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every setting with its effective value and where it came from; secrets hidden
    Show,
    /// Find everything that is wrong; opens no port and no database
    Check,
    /// Write a commented configuration file
    Init {
        /// File to write; - for standard output
        #[arg(default_value = "platform.toml", env = "PLATFORM_INIT_FILE", value_name = "FILE")]
        file: PathBuf,
        /// Overwrite a file that is there
        #[arg(long, env = "PLATFORM_FORCE")]
        force: bool,
    },
    /// JSON Schema of the configuration file, for editors
    Schema,
}
