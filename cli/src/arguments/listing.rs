//! Arguments of `platform user list`.

use clap::Args;

/// Which users, and in which order.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ListArguments {
    /// Only those whose address or name holds this text, without regard to case
    #[arg(long, short, env = "PLATFORM_USER_SEARCH", value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Only the one with this address
    #[arg(long, short, env = "PLATFORM_USER_EMAIL", value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// Only those with this role
    #[arg(long, env = "PLATFORM_USER_ROLE", value_name = "ROLE")]
    pub(crate) role: Option<String>,
    /// Only those who may sign in
    #[arg(long, env = "PLATFORM_USER_ACTIVE", conflicts_with = "inactive")]
    pub(crate) active: bool,
    /// Only those who are disabled
    #[arg(long, env = "PLATFORM_USER_INACTIVE")]
    pub(crate) inactive: bool,
    /// Only those created after this moment, such as 2026-11-25T08:30:00Z
    #[arg(long, env = "PLATFORM_USER_CREATED_AFTER", value_name = "TIME")]
    pub(crate) created_after: Option<String>,
    /// Order: id, email, created_at or updated_at, - before one for descending, such as -created_at,email
    #[arg(
        long,
        env = "PLATFORM_USER_SORT",
        value_name = "FIELDS",
        allow_hyphen_values = true,
        default_value = "id"
    )]
    pub(crate) sort: String,
    /// At most this many [default: all]
    #[arg(long, short = 'n', env = "PLATFORM_LIMIT", value_name = "NUMBER")]
    pub(crate) limit: Option<u64>,
    /// Pass over this many
    #[arg(long, env = "PLATFORM_SKIP", value_name = "NUMBER", default_value_t = 0)]
    pub(crate) skip: u64,
}
