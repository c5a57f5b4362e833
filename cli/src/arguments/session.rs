//! Arguments of `platform session`.

use clap::Subcommand;
use contract::SessionId;

use super::administration::id_or_address;

/// `platform session …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SessionCommand {
    /// List sessions, the last used first: one's own, or a user's
    List {
        /// Whose: id or e-mail address [default: one's own]
        #[arg(long, env = "PLATFORM_SESSION_USER", value_name = "USER", value_parser = id_or_address)]
        user: Option<String>,
    },
    /// End a session, or all of a user; its tokens stop working at once
    #[command(after_help = "For example: platform session revoke --user ada@example.com --yes")]
    Revoke {
        /// The session's id, as `list` tells it [default: all sessions of --user]
        #[arg(required_unless_present = "user")]
        session: Option<SessionId>,
        /// Whose it is: id or e-mail address [default: one's own]
        #[arg(long, env = "PLATFORM_SESSION_USER", value_name = "USER", value_parser = id_or_address)]
        user: Option<String>,
        /// Don't ask before all sessions of a user are ended
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
}
