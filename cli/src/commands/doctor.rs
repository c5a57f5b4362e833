//! `platform doctor`: what is wrong with this installation, why, and how to mend it. It changes nothing, and looks at whatever
//! can be looked at: a fault found early hides no other that does not follow from it.

mod contracts;
mod databases;
mod finding;
mod folder;
mod listeners;
mod machine;
mod outside;
mod running;
mod secrets;
mod tls;
mod values;

use std::io::Write as _;

use kit::config::{self, Loaded, Settings};
use serde_json::Value;

use crate::arguments::Global;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Column, Format, many};
use crate::run_file::RunFile;
use crate::services;
use crate::settings;
use finding::{Finding, Verdict};

pub(super) use machine::limit_of as open_files_limit;

const COLUMNS: &[Column] = &[
    Column::new("CHECK", "check"),
    Column::new("VERDICT", "verdict"),
    Column::new("WHAT", "what"),
    Column::new("WHY", "why"),
    Column::new("MEND", "mend"),
];

/// What is looked at.
struct Installation {
    settings: Settings,
    /// The services that run on this machine, or are to.
    services: Vec<&'static str>,
    /// What the process that runs here says of itself, if one runs.
    running: Option<RunFile>,
    /// Seconds since 1970.
    now: i64,
    /// Bytes that should be free in the data folder.
    free_bytes: u64,
}

impl Installation {
    fn has(&self, service: &str) -> bool {
        self.services.contains(&service)
    }

    fn has_gateway(&self) -> bool {
        self.has(services::GATEWAY)
    }
}

/// Looks at everything and tells.
pub(crate) async fn run(context: &mut Context, global: &Global, named: &[String], free_mib: u64) -> Outcome {
    let free_bytes = free_mib.saturating_mul(1024 * 1024);
    let findings = match config::load(&settings::sources(context, global, &[])) {
        Ok(loaded) => {
            let mut findings = values::variables(&loaded);
            findings.extend(Box::pin(examine(installation(context, loaded, named, free_bytes))).await);
            findings
        }
        Err(faults) => values::faults(&faults),
    };
    tell(context, &findings)?;
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (faults, warnings) = (count(Verdict::Fault), count(Verdict::Warning));
    let looked_at = findings.len() - count(Verdict::Skipped);
    if faults == 0 {
        let warned = if warnings == 0 { String::new() } else { format!(", {warnings} warning(s)") };
        context.note(&format!("{looked_at} checks, no fault{warned}."));
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("{faults} fault(s) in {looked_at} checks")))
}

fn installation(context: &Context, loaded: Loaded, named: &[String], free_bytes: u64) -> Installation {
    let settings = loaded.settings;
    let running = RunFile::of_running(&settings.run_file());
    let all = std::iter::once(services::GATEWAY).chain(services::NAMES.iter().copied());
    let runs = |service: &str| {
        running.as_ref().is_none_or(|run| {
            if service == services::GATEWAY {
                run.gateway.is_some()
            } else {
                run.services.contains_key(service)
            }
        })
    };
    let wanted = |service: &&str| {
        if named.is_empty() { runs(service) } else { named.iter().any(|name| name == service) }
    };
    let services = all.filter(wanted).collect();
    Installation { settings, services, running, now: (context.now)().unix_timestamp(), free_bytes }
}

async fn examine(installation: Installation) -> Vec<Finding> {
    let of = &installation;
    let mut findings = values::examine(of);
    findings.extend(secrets::examine(of));
    findings.extend(folder::examine(of).await);
    findings.extend(machine::examine(of));
    findings.extend(tls::examine(of));
    let (databases, listeners, outside, running, bound) = tokio::join!(
        databases::examine(of),
        listeners::examine(of),
        outside::examine(of),
        running::examine(of),
        contracts::examine(of)
    );
    for more in [databases, listeners, outside, running, bound] {
        findings.extend(more);
    }
    findings
}

/// People see what is not as it should be, all of it with `--verbose`; programs see every check.
fn tell(context: &mut Context, findings: &[Finding]) -> Outcome {
    if context.format != Format::Table {
        let rows: Vec<Value> = findings.iter().map(Finding::row).collect();
        return many(context, COLUMNS, &rows);
    }
    let shown =
        |finding: &&Finding| context.verbose || matches!(finding.verdict, Verdict::Fault | Verdict::Warning);
    let text: String = findings.iter().filter(shown).map(|finding| finding.text(context.width)).collect();
    context.stdout.write_all(text.as_bytes())?;
    Ok(())
}
