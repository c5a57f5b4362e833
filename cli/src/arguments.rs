//! The command line, as clap types. Commands take plain values made from these and never see clap.
//!
//! Every flag has an environment variable. The value of a variable is never printed: [`command`] sees to it for the whole
//! tree. No flag takes a password or a token as its value: arguments are seen by every user of the machine.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts, shown as they are")]

mod administration;
mod context;
mod exchange;
mod global;
mod keys;
mod listing;
mod operation;
mod role;
mod routes;
mod service;
mod service_account;
mod session;

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{FalseyValueParser, Resettable};
use clap::{ArgAction, Args, Command, CommandFactory, Parser, Subcommand};

use crate::contexts::ContextName;
use crate::output::Format;

pub(crate) use administration::{
    AuditCommand, AuditFilter, ChangedFields, Clearable, PasswordArguments, TokenArguments, TokenCommand,
    UserCommand, UserFields,
};
pub(crate) use context::{ContextCommand, LoginArguments, LoginFiles};
pub(crate) use exchange::{FileForm, ImportArguments};
pub(crate) use keys::{Algorithm as KeyAlgorithm, KeyCommand, Purpose as KeyPurpose};
pub(crate) use listing::ListArguments;
pub(crate) use operation::{ConfigCommand, MigrateCommand, MigrateTarget, ServeArguments};
pub(crate) use role::RoleCommand;
pub(crate) use routes::RoutesCommand;
pub(crate) use service::ServiceCommand;
pub(crate) use service_account::{Rights, ServiceAccountCommand, ServiceAccountGrant, ServiceAccountLogin};
pub(crate) use session::SessionCommand;

/// Run and administer the platform: a gateway, the services behind it, their databases and users.
#[derive(Debug, Parser)]
#[command(
    name = "platform",
    version,
    arg_required_else_help = true,
    infer_long_args = false,
    max_term_width = 100,
    after_help = "Start with `platform serve`, then `platform user create --admin`.\n\
                  Exit codes: 0 done, 1 refused or failed, 2 usage, 3 not found,\n\
                  4 not signed in or not allowed, 5 the platform can't be reached."
)]
pub(crate) struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// The command.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Form of the data on standard output
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Table, env = "PLATFORM_OUTPUT", value_name = "FORM")]
    pub(crate) output: Format,
    /// Only data and errors
    #[arg(long, short, global = true, env = "PLATFORM_QUIET")]
    pub(crate) quiet: bool,
    /// Tell the whole chain of causes with an error
    #[arg(long, short, global = true, env = "PLATFORM_VERBOSE")]
    pub(crate) verbose: bool,
    /// The gateway that client commands talk to [default: that of the context, else the one running here]
    #[arg(long, global = true, env = "PLATFORM_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The platform of this name [default: the current context]
    #[arg(long, global = true, env = "PLATFORM_CONTEXT", value_name = "NAME")]
    pub(crate) context: Option<ContextName>,
    /// Configuration file [default: platform.toml, if there]
    #[arg(long, global = true, env = "PLATFORM_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of the embedded databases and keys [env: PLATFORM__DATA_DIR]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Set any setting, such as gateway.listen=127.0.0.1:0 [env: PLATFORM__SECTION__KEY]
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Unknown PLATFORM_… variables are errors, not warnings
    #[arg(long, global = true, env = "PLATFORM_STRICT")]
    pub(crate) strict: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the services, all in one process or those named
    Serve(ServeArguments),
    /// Have the platform that runs here read its configuration again, without losing a request
    #[command(
        after_help = "A configuration with a fault, or with a change that needs a restart, is refused whole."
    )]
    Reload,
    /// Bring the databases to this version's schema, or back
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Migrate {
        /// Which way.
        #[command(subcommand)]
        verb: MigrateCommand,
    },
    /// Sign in at a platform; later commands use the session, which is renewed without a word
    #[command(
        after_help = "Tokens are kept in the keyring where there is one, else in a file of mode 0600. A platform gets a\n\
                            name (--context), and commands talk to the one last signed in at: `platform context` changes that.\n\
                            For example: platform login --url https://staging.example.com --context staging"
    )]
    Login(LoginArguments),
    /// End the session that `login` began, there and here
    Logout {
        /// The sessions of all contexts
        #[arg(long, env = "PLATFORM_LOGOUT_ALL")]
        all: bool,
    },
    /// Tell which platform commands talk to, and as whom
    Whoami,
    /// List the platforms that have a name, and choose the one that commands talk to
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Context {
        /// What to do.
        #[command(subcommand)]
        verb: ContextCommand,
    },
    /// Manage users, through the gateway
    #[command(subcommand_required = true, arg_required_else_help = true)]
    User {
        /// What to do.
        #[command(subcommand)]
        verb: UserCommand,
    },
    /// Manage the roles that users can have, and give and take them
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Role {
        /// What to do.
        #[command(subcommand)]
        verb: RoleCommand,
    },
    /// Get, explain and check access tokens
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Token {
        /// What to do.
        #[command(subcommand)]
        verb: TokenCommand,
    },
    /// See where users are signed in, and end that
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Session {
        /// What to do.
        #[command(subcommand)]
        verb: SessionCommand,
    },
    /// Manage the accounts under which services call, and their secrets
    #[command(subcommand_required = true, arg_required_else_help = true)]
    ServiceAccount {
        /// What to do.
        #[command(subcommand)]
        verb: ServiceAccountCommand,
    },
    /// Read the audit log, and check that nobody has changed it
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Audit {
        /// What to do.
        #[command(subcommand)]
        verb: AuditCommand,
    },
    /// List, rotate and retire the keys that tokens are signed with
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Key {
        /// What to do.
        #[command(subcommand)]
        verb: KeyCommand,
    },
    /// See what is behind the gateway, and check the documents by which it is bound
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Service {
        /// What to do.
        #[command(subcommand)]
        verb: ServiceCommand,
    },
    /// Show, check and write the configuration
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Config {
        /// What to do.
        #[command(subcommand)]
        verb: ConfigCommand,
    },
    /// List every public route and who may use it, or explain what would happen to a request
    Routes {
        /// What to do [default: list them].
        #[command(subcommand)]
        verb: Option<RoutesCommand>,
    },
    /// Copy the embedded databases into a folder, also while the platform runs
    #[command(
        after_help = "The master key is left out unless --with-master-key is given: keep a copy of it apart.\n\
                            Databases on PostgreSQL are backed up by pg_dump."
    )]
    Backup {
        /// Folder to make [default: platform-backup-TIME]
        #[arg(env = "PLATFORM_BACKUP_FOLDER")]
        folder: Option<PathBuf>,
        /// Put the master key in it too
        #[arg(long, env = "PLATFORM_BACKUP_WITH_MASTER_KEY")]
        with_master_key: bool,
    },
    /// Put a backup in the place of the embedded databases; what is there is kept beside them
    #[command(after_help = "The platform must not run. Everything is checked before anything is moved.")]
    Restore {
        /// The folder that `platform backup` made
        #[arg(env = "PLATFORM_RESTORE_FOLDER")]
        folder: PathBuf,
        /// Only this service's database
        #[arg(long, value_parser = operation::service_names(), env = "PLATFORM_RESTORE_SERVICE")]
        service: Vec<String>,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
    /// Tell how the platform stands that runs here
    #[command(after_help = "Exit code 1 where it can't serve, 5 where none runs.")]
    Status,
    /// Watch the platform that runs here: rate, errors and latency by operation, services, sessions, cache
    #[command(
        after_help = "Needs a terminal; q ends it. Programs read /metrics, or `platform status -o json`."
    )]
    Top {
        /// How often to look, such as 1s or 500ms
        #[arg(long, env = "PLATFORM_TOP_EVERY", value_name = "TIME", default_value = "1s", value_parser = seconds)]
        every: std::time::Duration,
    },
    /// Find what is wrong with this installation, why, and how to mend it; changes nothing
    #[command(
        after_help = "Tells what is not as it should be; with --verbose, or in another form than a table, every check.\n\
                            Exit code 1 where a fault is found."
    )]
    Doctor {
        /// Services to look at [default: those that run here, else all]
        #[arg(value_parser = operation::service_names())]
        services: Vec<String>,
        /// How much should be free on the disk of the data folder, in MiB
        #[arg(long, env = "PLATFORM_DOCTOR_FREE", value_name = "MIB", default_value_t = 512)]
        free: u64,
    },
    /// Write the OpenAPI document of the gateway; needs no running server
    #[command(name = "openapi")]
    OpenApi {
        /// File to write [default: standard output]
        #[arg(long, value_name = "FILE", env = "PLATFORM_OPENAPI_FILE")]
        file: Option<PathBuf>,
    },
    /// Write a completion script for a shell: commands, flags, users, roles, services and contexts
    #[command(
        after_help = "The script asks this command, so that it completes what the platform in use knows.\n\
                            bash: source <(platform completions bash)          in ~/.bashrc\n\
                            zsh:  source <(platform completions zsh)           in ~/.zshrc, after compinit\n\
                            fish: platform completions fish | source           in ~/.config/fish/config.fish"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages, or the reference of all commands as Markdown
    #[command(
        after_help = "For example: platform man user list | man -l -\n             platform man --folder ~/.local/share/man/man1"
    )]
    Man {
        /// The command [default: platform itself]
        command: Vec<String>,
        /// Write the pages of all commands into this folder
        #[arg(long, env = "PLATFORM_MAN_FOLDER", value_name = "FOLDER", conflicts_with = "command")]
        folder: Option<PathBuf>,
        /// The reference of all commands as Markdown
        #[arg(long, env = "PLATFORM_MAN_MARKDOWN", conflicts_with_all = ["command", "folder"])]
        markdown: bool,
    },
}

/// A time between looks: from a tenth of a second to a minute.
fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let parsed = match text.strip_suffix("ms") {
        Some(number) => number.parse::<u64>().ok(),
        None => text
            .strip_suffix('s')
            .and_then(|number| number.parse::<u64>().ok())
            .map(|number| number.saturating_mul(1000)),
    };
    let found = parsed.filter(|milliseconds| (100..=60_000).contains(milliseconds));
    found.map(std::time::Duration::from_millis).ok_or_else(|| "a time from 100ms to 60s".to_owned())
}

/// The whole command, with the rules that hold for every argument of it.
#[must_use]
pub(crate) fn command() -> Command {
    with_rules(Arguments::command())
}

fn with_rules(command: Command) -> Command {
    command
        .mut_args(|argument| {
            let from_environment = argument.get_env().is_some();
            let switch = matches!(argument.get_action(), ArgAction::SetTrue);
            let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
            // An empty variable is one that is not set: so compose files and systemd units take one back.
            let argument = if argument.get_env().is_some_and(is_empty) {
                argument.env(Resettable::Reset)
            } else {
                argument.hide_env_values(true)
            };
            // A switch is set by 1, yes, on and true alike, and not set by an empty variable.
            if from_environment && switch {
                argument.value_parser(FalseyValueParser::new())
            } else {
                argument
            }
        })
        .mut_subcommands(with_rules)
}

/// Names of the variables that flags read, and of those that commands read by themselves.
#[must_use]
pub(crate) fn known_variables() -> Vec<String> {
    fn collect(command: &Command, names: &mut Vec<String>) {
        for argument in command.get_arguments() {
            names.extend(argument.get_env().and_then(|name| name.to_str()).map(str::to_owned));
        }
        for inner in command.get_subcommands() {
            collect(inner, names);
        }
    }
    let mut names = vec![
        "PLATFORM_TOKEN".to_owned(),
        "PLATFORM_USER_PASSWORD".to_owned(),
        "PLATFORM_SERVICE_ACCOUNT_SECRET".to_owned(),
    ];
    collect(&Arguments::command(), &mut names);
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
