//! Arguments of `platform service-account`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use contract::ServiceName;

/// `platform service-account …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ServiceAccountCommand {
    /// Create a service account and its first secret, which is shown once
    #[command(
        after_help = "Writes the secret alone; --output json writes its id and end too. `platform routes` names all scopes.\n\
                            For example: platform service-account create orders --role admin --scope users:read > secret"
    )]
    Create {
        /// Name: a-z, 0-9 and -
        name: ServiceName,
        /// What it is for
        #[arg(long, env = "PLATFORM_SERVICE_ACCOUNT_DESCRIPTION", value_name = "TEXT")]
        description: Option<String>,
        /// What it may do.
        #[command(flatten)]
        rights: Rights,
        /// How long its secret is good, such as 90d [default: until it is revoked]
        #[arg(long, env = "PLATFORM_SERVICE_ACCOUNT_EXPIRES_IN", value_name = "TIME", value_parser = duration)]
        expires_in: Option<Duration>,
    },
    /// List service accounts
    List,
    /// Show a service account and its secrets, without the secrets themselves
    Show {
        /// Name
        name: ServiceName,
    },
    /// Change what a service account may do; what is not given stays, and its tokens end
    Update {
        /// Name
        name: ServiceName,
        /// What it is for
        #[arg(long, env = "PLATFORM_SERVICE_ACCOUNT_DESCRIPTION", value_name = "TEXT")]
        description: Option<String>,
        /// What it may do; each kind given replaces what the account has of it.
        #[command(flatten)]
        rights: Rights,
    },
    /// Give a service account one more secret; those it has go on until they are revoked
    #[command(after_help = "Writes the secret alone. Once its service uses it, revoke the old one:\n\
                            platform service-account revoke-secret NAME ID")]
    Rotate {
        /// Name
        name: ServiceName,
        /// How long the secret is good, such as 90d [default: until it is revoked]
        #[arg(long, env = "PLATFORM_SERVICE_ACCOUNT_EXPIRES_IN", value_name = "TIME", value_parser = duration)]
        expires_in: Option<Duration>,
    },
    /// Revoke one secret; the tokens got with it end at once
    RevokeSecret {
        /// Name
        name: ServiceName,
        /// The secret's id, as `show` tells it
        id: i64,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
    /// Give a service account no more tokens; those it has end at once
    Disable {
        /// Name
        name: ServiceName,
    },
    /// Let a disabled service account get tokens again
    Enable {
        /// Name
        name: ServiceName,
    },
    /// Delete a service account and its secrets; its tokens end at once
    Delete {
        /// Name
        name: ServiceName,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
}

/// What a service account may do.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Rights {
    /// Role; once for each
    #[arg(long = "role", env = "PLATFORM_SERVICE_ACCOUNT_ROLES", value_delimiter = ',', value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// Scope of its tokens, such as users:read; once for each
    #[arg(
        long = "scope",
        env = "PLATFORM_SERVICE_ACCOUNT_SCOPES",
        value_delimiter = ',',
        value_name = "SCOPE"
    )]
    pub(crate) scopes: Vec<String>,
    /// Service that it may call directly, such as users; once for each
    #[arg(
        long = "audience",
        env = "PLATFORM_SERVICE_ACCOUNT_AUDIENCES",
        value_delimiter = ',',
        value_name = "SERVICE"
    )]
    pub(crate) audiences: Vec<String>,
}

/// A service account that proves itself, and where its secret comes from; never from an argument.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServiceAccountLogin {
    /// This service account, by its secret
    #[arg(long, env = "PLATFORM_SERVICE_ACCOUNT", value_name = "NAME")]
    pub(crate) service_account: Option<ServiceName>,
    /// Read the service account's secret from standard input
    #[arg(long = "secret-stdin", id = "from_stdin", env = "PLATFORM_SERVICE_ACCOUNT_SECRET_STDIN")]
    pub(crate) from_stdin: bool,
    /// Read the service account's secret from a file
    #[arg(long, env = "PLATFORM_SERVICE_ACCOUNT_SECRET_FILE", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

/// What the token of a service account is for.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServiceAccountGrant {
    /// Whose it is.
    #[command(flatten)]
    pub(crate) account: ServiceAccountLogin,
    /// Narrow the service account's token to this scope; once for each
    #[arg(
        long = "scope",
        env = "PLATFORM_SCOPE",
        value_delimiter = ',',
        value_name = "SCOPE",
        requires = "service_account"
    )]
    pub(crate) scopes: Vec<String>,
    /// The service that the service account will call with it [default: the gateway]
    #[arg(long, env = "PLATFORM_TOKEN_AUDIENCE", value_name = "SERVICE", requires = "service_account")]
    pub(crate) audience: Option<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    match kit::config::parse_duration(text) {
        Ok(0) => Err("is no time at all".to_owned()),
        Ok(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        Err(reason) => Err(format!("{reason}; write it like 90d or 12h")),
    }
}
