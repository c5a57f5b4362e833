//! Arguments of the commands that talk to a running platform: user, token, audit.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exchange::{FileForm, ImportArguments};
use super::listing::ListArguments;
use super::{LoginFiles, ServiceAccountGrant, ServiceAccountLogin};

/// `platform user …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user
    #[command(after_help = "On a terminal what is missing is asked for. Elsewhere the password comes from\n\
                            --password-stdin, --password-file or PLATFORM_USER_PASSWORD.\n\
                            For example: platform user create --email ada@example.com --admin")]
    Create {
        /// E-mail address
        #[arg(long, short, env = "PLATFORM_USER_EMAIL", value_name = "ADDRESS")]
        email: Option<String>,
        /// E-mail address
        #[arg(value_name = "EMAIL")]
        address: Option<String>,
        /// Names and roles.
        #[command(flatten)]
        fields: UserFields,
        /// Make the user an admin
        #[arg(long, env = "PLATFORM_USER_ADMIN")]
        admin: bool,
        /// Tokens only after the user has set another password
        #[arg(long, env = "PLATFORM_USER_MUST_CHANGE")]
        must_change: bool,
        /// Done, not failed, where a user with this address exists; that user stays as it is
        #[arg(long, env = "PLATFORM_IF_NOT_EXISTS")]
        if_not_exists: bool,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// List users, all or those that are asked for
    #[command(after_help = "For example: platform user list --role admin --sort -created_at --limit 20")]
    List(ListArguments),
    /// Create the users of a file, with the password hashes that another system made
    #[command(
        after_help = "CSV with a heading, or one JSON object a line: email, password_hash, first_name, last_name,\n\
                            is_active, roles, must_change_password. A user whose address is there stays as it is, so that\n\
                            a file can be imported again. What is refused goes to a file, with line and reason.\n\
                            For example: platform user import users.csv --dry-run"
    )]
    Import(ImportArguments),
    /// Write all users to standard output, without their passwords
    #[command(after_help = "For example: platform user export > users.csv")]
    Export {
        /// Form of the output
        #[arg(long, value_enum, env = "PLATFORM_EXPORT_FORM", value_name = "FORM", default_value = "csv")]
        form: FileForm,
    },
    /// Show a user
    Show {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
    },
    /// Change a user; what is not given stays
    Update {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
        /// New e-mail address
        #[arg(long, short, env = "PLATFORM_UPDATE_EMAIL", value_name = "ADDRESS")]
        email: Option<String>,
        /// File with your password; only your own address needs it, and on a terminal it is asked for
        #[arg(long, env = "PLATFORM_UPDATE_CURRENT_PASSWORD_FILE", value_name = "FILE")]
        current_password_file: Option<PathBuf>,
        /// Names and roles.
        #[command(flatten)]
        fields: ChangedFields,
        /// Take these away
        #[arg(long, value_enum, env = "PLATFORM_UPDATE_CLEAR", value_delimiter = ',', value_name = "FIELD")]
        clear: Vec<Clearable>,
    },
    /// Stop a user from signing in; all their tokens end at once
    Disable {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
    },
    /// Let a disabled user sign in again
    Enable {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
    },
    /// Forget failed attempts to sign in to a user's account: the next one need not wait
    Unlock {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
    },
    /// Take away the second factor of a user who has lost it; all their sessions end
    ResetSecondFactor {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
    /// Set a user's password; all their sessions end
    #[command(
        after_help = "Two people know a password that somebody else has set: unless --no-must-change says\n\
                            otherwise, its user must set another one before the next sign-in."
    )]
    SetPassword {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
        /// File with the password until now; only one's own password needs it, and on a terminal it is asked for
        #[arg(long, env = "PLATFORM_USER_CURRENT_PASSWORD_FILE", value_name = "FILE")]
        current_password_file: Option<PathBuf>,
        /// The user must set another password before the next sign-in [default for everyone but oneself]
        #[arg(long, env = "PLATFORM_USER_MUST_CHANGE", conflicts_with = "no_must_change")]
        must_change: bool,
        /// The user keeps this password
        #[arg(long, env = "PLATFORM_USER_NO_MUST_CHANGE")]
        no_must_change: bool,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArguments,
    },
    /// Have a user set a new password by a link: sent to their address, or printed where no mail is sent
    Reset {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
        /// Print the link, and send no mail
        #[arg(long, env = "PLATFORM_PRINT_LINK")]
        print_link: bool,
    },
    /// Create a user who sets the password by a link: sent to their address, or printed where no mail is sent
    Invite {
        /// E-mail address
        #[arg(value_name = "EMAIL")]
        email: String,
        /// Names and roles.
        #[command(flatten)]
        fields: UserFields,
        /// Print the link, and send no mail
        #[arg(long, env = "PLATFORM_PRINT_LINK")]
        print_link: bool,
    },
    /// Delete a user
    Delete {
        /// Id or e-mail address
        #[arg(value_parser = id_or_address)]
        user: String,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
}

/// Refuses what is neither, before anything is asked of anybody.
pub(super) fn id_or_address(text: &str) -> Result<String, String> {
    if text.parse::<contract::UserId>().is_ok() || text.parse::<contract::Email>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("neither an id nor an e-mail address".to_owned())
    }
}

/// Names and roles of a user.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct UserFields {
    /// First name
    #[arg(long, env = "PLATFORM_USER_FIRST_NAME", value_name = "NAME")]
    pub(crate) first_name: Option<String>,
    /// Last name
    #[arg(long, env = "PLATFORM_USER_LAST_NAME", value_name = "NAME")]
    pub(crate) last_name: Option<String>,
    /// Role; once for each
    #[arg(long = "role", env = "PLATFORM_USER_ROLES", value_delimiter = ',', value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
}

/// New names and roles of a user. Their variables are not those of `create`: what is set for one must not change another.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ChangedFields {
    /// First name
    #[arg(long, env = "PLATFORM_UPDATE_FIRST_NAME", value_name = "NAME")]
    pub(crate) first_name: Option<String>,
    /// Last name
    #[arg(long, env = "PLATFORM_UPDATE_LAST_NAME", value_name = "NAME")]
    pub(crate) last_name: Option<String>,
    /// Role; once for each, they replace those the user has
    #[arg(long = "role", env = "PLATFORM_UPDATE_ROLES", value_delimiter = ',', value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
}

/// A field that may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Clearable {
    // The first name
    FirstName,
    // The last name
    LastName,
}

impl Clearable {
    /// The field's name in the API.
    #[must_use]
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
        }
    }
}

/// Where a password comes from; never from an argument.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PasswordArguments {
    /// Read the password from standard input, without the line break at its end
    #[arg(long, env = "PLATFORM_PASSWORD_STDIN")]
    pub(crate) password_stdin: bool,
    /// Read the password from a file, without the line break at its end
    #[arg(long, env = "PLATFORM_USER_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// `platform token …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TokenCommand {
    /// Get an access token: by password, as the operator of this machine, or for a service account
    #[command(after_help = "Writes the access token alone; --output json writes the refresh token too.\n\
                            For example: PLATFORM_TOKEN=$(platform token issue --email ada@example.com)")]
    Issue {
        /// Sign in as this user
        #[arg(
            long,
            short,
            env = "PLATFORM_USER_EMAIL",
            value_name = "ADDRESS",
            conflicts_with = "service_account"
        )]
        email: Option<String>,
        /// A token of five minutes for the operator of this machine, from the platform's own keys
        #[arg(long, env = "PLATFORM_OPERATOR", conflicts_with = "service_account")]
        operator: bool,
        /// What a sign-in may ask for.
        #[command(flatten)]
        files: LoginFiles,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordArguments,
        /// Or which service account it is for.
        #[command(flatten)]
        grant: ServiceAccountGrant,
    },
    /// Explain every claim of a token, without checking its signature
    #[command(
        after_help = "The token comes from --token-file, from standard input, or from PLATFORM_TOKEN.\n\
                            For example: platform token issue --operator | platform token inspect"
    )]
    Inspect {
        /// Where the token comes from.
        #[command(flatten)]
        token: TokenArguments,
    },
    /// End a token at once: a user's with its session, a service account's alone, by its own secret
    Revoke {
        /// Where the token comes from.
        #[command(flatten)]
        token: TokenArguments,
        /// Whose token it is, where it is a service account's.
        #[command(flatten)]
        account: ServiceAccountLogin,
    },
    /// Check a token against the platform's public keys; exit code 1 where it is not good
    Verify {
        /// Where the token comes from.
        #[command(flatten)]
        token: TokenArguments,
        /// Audience that the token must have [default: gateway.audience]
        #[arg(long, env = "PLATFORM_AUDIENCE", value_name = "WORD")]
        audience: Option<String>,
    },
}

/// Where a token comes from; never from an argument.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TokenArguments {
    /// Read the token from a file; - for standard input
    #[arg(long, env = "PLATFORM_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// `platform audit …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what happened, newest first
    List {
        /// Which entries.
        #[command(flatten)]
        filter: AuditFilter,
        /// At most this many [default: all]
        #[arg(long, env = "PLATFORM_LIMIT", value_name = "NUMBER")]
        limit: Option<u64>,
        /// Tell each new entry as it is written, oldest first, until Ctrl-C; begins with the last 10, or --limit
        #[arg(long, short, env = "PLATFORM_FOLLOW")]
        follow: bool,
    },
    /// Write the whole log as JSON lines, newest first
    Export {
        /// Which entries.
        #[command(flatten)]
        filter: AuditFilter,
    },
    /// Recompute the chain of hashes: was any entry changed, put in or taken out?
    Verify,
}

/// Which entries of the audit log.
#[derive(Debug, Clone, Args)]
pub(crate) struct AuditFilter {
    /// Only what this actor did: a user's id, operator, service:NAME or anonymous
    #[arg(long, env = "PLATFORM_AUDIT_ACTOR", value_name = "ACTOR")]
    pub(crate) actor: Option<String>,
    /// Only this action, an operation's id, such as patch_user
    #[arg(long, env = "PLATFORM_AUDIT_ACTION", value_name = "ACTION")]
    pub(crate) action: Option<String>,
    /// Only what was done to this, such as users/7
    #[arg(long, env = "PLATFORM_AUDIT_TARGET", value_name = "TARGET")]
    pub(crate) target: Option<String>,
    /// Only what happened since this moment, such as 2026-11-25T08:30:00Z
    #[arg(long, env = "PLATFORM_AUDIT_SINCE", value_name = "TIME")]
    pub(crate) since: Option<String>,
}
