//! The `platform` command: arguments in, tables out. No business rule lives here.
//!
//! [`arguments`] is what clap sees, [`commands`] has one function a command, which takes plain values and a [`Context`].

mod api;
mod arguments;
mod body;
mod commands;
mod completion;
mod connection;
mod context;
mod contexts;
mod data_folder;
mod failure;
mod metrics;
mod ops;
mod output;
mod prompt;
mod run_file;
mod services;
mod settings;
mod telemetry;
mod token;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::FromArgMatches as _;

use arguments::{Arguments, command};
use failure::{Exit, Failure, Outcome};

pub use context::Context;

/// The whole tree of commands and arguments, as clap types: what the reference, the man pages and the completions are made of.
#[must_use]
pub fn tree() -> clap::Command {
    command()
}

/// Answers a shell that asks for completions, by the words after this process's own; false where none asks.
#[must_use]
pub fn completed(arguments: impl IntoIterator<Item = OsString>) -> bool {
    completion::asked_by_a_shell().is_some_and(|shell| {
        completion::answer(&shell, arguments.into_iter().collect(), &mut std::io::stdout())
    })
}

/// Runs one command and tells how it ended.
pub fn run(arguments: impl IntoIterator<Item = OsString>, mut context: Context) -> ExitCode {
    let outcome = parsed(arguments, &mut context);
    let outcome = outcome.and_then(|arguments| match arguments {
        Some(arguments) => commands::run(arguments, &mut context),
        None => Ok(()),
    });
    // What is still in the buffer must reach the reader before the command may count as done.
    let outcome = outcome.and_then(|()| context.stdout.flush().map_err(Failure::from));
    let exit = match outcome {
        Ok(()) => Exit::Done,
        Err(failure) => {
            // What was written before the failure is still data.
            let _ = context.stdout.flush();
            if !failure.silent {
                context.error(&failure.text(context.verbose));
            }
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}

/// The arguments; nothing where clap has answered already (`--help`, `--version`).
fn parsed(
    arguments: impl IntoIterator<Item = OsString>,
    context: &mut Context,
) -> Outcome<Option<Arguments>> {
    let matched =
        command().try_get_matches_from(arguments).and_then(|matches| Arguments::from_arg_matches(&matches));
    match matched {
        Ok(arguments) => {
            context.format = arguments.global.output;
            context.quiet = arguments.global.quiet;
            context.verbose = arguments.global.verbose;
            Ok(Some(arguments))
        }
        Err(error) if error.use_stderr() => {
            context.error(&format!("{}\n", in_three_lines(&error.render().to_string())));
            let mut failure = Failure::new(Exit::Usage, "");
            failure.silent = true;
            Err(failure)
        }
        Err(error) => {
            let text = error.render();
            if context.colour {
                write!(context.stdout, "{}", text.ansi())?;
            } else {
                write!(context.stdout, "{text}")?;
            }
            Ok(None)
        }
    }
}

/// A usage error as clap tells it, without blank lines, and without the usage line where that makes a fourth.
fn in_three_lines(told: &str) -> String {
    let mut lines: Vec<&str> = told.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() > 3 {
        lines.retain(|line| !line.starts_with("Usage:"));
    }
    if lines.len() > 3 {
        lines.drain(2..lines.len() - 1);
    }
    lines.join("\n")
}
