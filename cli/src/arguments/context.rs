//! Arguments of `platform login`, `logout` and `context`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::PasswordArguments;
use crate::contexts::ContextName;

/// `platform login`
#[derive(Debug, Clone, Args)]
pub(crate) struct LoginArguments {
    /// Sign in as this user [default: who was signed in there before]
    #[arg(long, short, env = "PLATFORM_USER_EMAIL", value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// What a sign-in may ask for.
    #[command(flatten)]
    pub(crate) files: LoginFiles,
    /// Where the password comes from.
    #[command(flatten)]
    pub(crate) password: PasswordArguments,
    /// Keep the tokens in a file of mode 0600, also where there is a keyring
    #[arg(long, env = "PLATFORM_NO_KEYRING")]
    pub(crate) no_keyring: bool,
}

/// Where to find what a sign-in may ask for beside the password.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LoginFiles {
    /// File with the password to set where the platform asks for a new one; on a terminal it is asked for
    #[arg(long, env = "PLATFORM_USER_NEW_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) new_password_file: Option<PathBuf>,
    /// File with a code of the second factor, or a recovery code, where the user has one; on a terminal it is asked for
    #[arg(long, env = "PLATFORM_USER_CODE_FILE", value_name = "FILE")]
    pub(crate) code_file: Option<PathBuf>,
}

/// `platform context …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ContextCommand {
    /// List the platforms that have a name, and who is signed in there
    List,
    /// Have commands talk to this platform where they are told nothing else
    #[command(after_help = "For example: platform context use staging; platform context use local")]
    Use {
        /// Its name; local is the platform of this machine's configuration
        name: ContextName,
    },
    /// Forget a platform, and sign out there first
    Remove {
        /// Its name
        name: ContextName,
    },
}
