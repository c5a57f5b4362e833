//! Arguments of `platform role`.

use clap::Subcommand;

use super::administration::id_or_address;

/// `platform role …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RoleCommand {
    /// List the roles
    List,
    /// Create a role; what it allows is for services to say
    Create {
        /// 1 to 64 of a-z, 0-9, _ and -, starting with a letter
        #[arg(value_parser = role_name)]
        role: String,
        /// What it is for, for people
        #[arg(long, env = "PLATFORM_ROLE_DESCRIPTION", value_name = "TEXT")]
        description: Option<String>,
        /// Done, not failed, where the role exists
        #[arg(long, env = "PLATFORM_IF_NOT_EXISTS")]
        if_not_exists: bool,
    },
    /// Delete a role that nobody has
    Delete {
        /// The role
        #[arg(value_parser = role_name)]
        role: String,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
    /// Give a user a role
    Grant {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
        /// The role
        #[arg(value_parser = role_name)]
        role: String,
    },
    /// Take a role from a user; their access tokens end
    Revoke {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
        /// The role
        #[arg(value_parser = role_name)]
        role: String,
    },
}

/// Refuses what can be no role, before anything is asked of anybody.
fn role_name(text: &str) -> Result<String, String> {
    text.parse::<contract::Role>().map(|role| role.to_string()).map_err(|error| error.to_string())
}
