//! `platform completions`: a script by which a shell asks this command what may follow.

use clap_complete::Shell;

use crate::completion;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Writes the script.
pub(crate) fn run(context: &mut Context, shell: Shell) -> Outcome {
    // Into memory first: a reader that goes away is no failure.
    let script = completion::script(&shell.to_string())
        .map_err(|error| Failure::failed("the script can't be made").caused_by(&error))?;
    context.stdout.write_all(&script)?;
    Ok(())
}
