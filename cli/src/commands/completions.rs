//! `platform completions`: a script for a shell.

use clap_complete::{Shell, generate};

use crate::arguments::command;
use crate::context::Context;
use crate::failure::Outcome;

/// Writes the script.
pub(crate) fn run(context: &mut Context, shell: Shell) -> Outcome {
    // `generate` panics on a write error: into memory first.
    let mut script = Vec::new();
    generate(shell, &mut command(), "platform", &mut script);
    context.stdout.write_all(&script)?;
    Ok(())
}
