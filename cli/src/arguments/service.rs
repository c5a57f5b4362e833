//! Arguments of `platform service`.

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
}
