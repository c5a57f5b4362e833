//! `platform reload`: has the platform of this machine read its configuration again, and tells what came of it.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::arguments::Global;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::run_file::{Reload, RunFile};
use crate::settings;

/// How long a reload may take: documents are read from services.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Has every process of the data folder read its configuration again.
pub(crate) async fn run(context: &mut Context, global: &Global) -> Outcome {
    let settings = settings::load(context, global, &[])?.settings;
    let own = settings.run_file();
    let users = own.with_file_name("platform-users.run");
    let running: Vec<_> = [own.as_path(), users.as_path()]
        .into_iter()
        .filter_map(|path| Some((path, RunFile::of_running(path)?)))
        .collect();
    if running.is_empty() {
        return Err(Failure::new(Exit::Unreachable, "no platform runs here")
            .because(RunFile::absence(&own))
            .next("Say by --data-dir or --config which one is meant; elsewhere send its process SIGHUP and read its log."));
    }
    for (path, run) in running {
        let reload = ask(path, &run).await?;
        for warning in &reload.warnings {
            context.warn(warning);
        }
        if !reload.faults.is_empty() {
            return Err(Failure::failed(
                "the configuration was refused; the platform goes on with the old one",
            )
            .because(reload.faults.join("\n  "))
            .next("Mend it, then `platform reload` again."));
        }
        context.note(&format!("Process {} has read its configuration again.", run.pid));
    }
    Ok(())
}

/// Signals a process and waits until it has told the outcome.
async fn ask(path: &Path, run: &RunFile) -> Outcome<Reload> {
    // One that is under way may have read the files before they were changed: the next one counts.
    let before = run.reload.as_ref().map_or(0, |reload| reload.number);
    let process = i32::try_from(run.pid).ok().and_then(Pid::from_raw);
    let sent = process.map(|process| kill_process(process, Signal::HUP));
    match sent {
        Some(Ok(())) => {}
        Some(Err(rustix::io::Errno::PERM)) => {
            return Err(Failure::new(Exit::NotAllowed, format!("process {} is another user's", run.pid))
                .next("Run this as the user that the platform runs as."));
        }
        _ => return Err(ended(run.pid)),
    }
    let begun = Instant::now();
    loop {
        let Some(now) = RunFile::of_running(path).filter(|now| now.pid == run.pid) else {
            return Err(ended(run.pid));
        };
        if let Some(reload) = now.reload.filter(|reload| reload.done && reload.number > before) {
            return Ok(reload);
        }
        if begun.elapsed() > PATIENCE {
            return Err(Failure::failed(format!("process {} did not tell what came of it", run.pid))
                .because(format!("{} s have passed", PATIENCE.as_secs()))
                .next("Its log does."));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn ended(pid: u32) -> Failure {
    Failure::new(Exit::Unreachable, format!("process {pid} has ended"))
}
