//! What a person sees when the platform runs: where everything is, and the next command to type.

use std::fmt::Write as _;
use std::io::Write as _;

use kit::config::Settings;

use crate::arguments::Global;
use crate::context::Context;
use crate::output::Format;
use crate::run_file::RunFile;
use crate::settings::{local_url, public_url};

/// Writes it to standard output; a reader that is gone changes nothing.
pub(super) fn print(context: &mut Context, global: &Global, settings: &Settings, run: &RunFile, fresh: bool) {
    let [gateway, ops] = [run.gateway, run.ops].map(|address| address.map(tracing::field::display));
    tracing::info!(pid = run.pid, gateway, ops, "serving");
    for (service, address) in &run.services {
        tracing::info!(service, %address, "serving");
    }
    if context.quiet {
        return;
    }
    let text = match context.format {
        Format::Table => text(global, settings, run, fresh),
        _ => serde_json::to_string(run).map(|json| format!("{json}\n")).unwrap_or_default(),
    };
    let _ = context.stdout.write_all(text.as_bytes()).and_then(|()| context.stdout.flush());
}

fn text(global: &Global, settings: &Settings, run: &RunFile, fresh: bool) -> String {
    let mut text = format!("platform {} is running (process {})\n\n", run.version, run.pid);
    let widest = run.services.keys().map(String::len).max().unwrap_or_default().max(6) + 2;
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<widest$}{value}");
    };
    if let Some(address) = run.gateway {
        let url = public_url(settings, address);
        line("API", &format!("{url}/api_v1"));
        if settings.gateway.docs {
            line("Docs", &format!("{url}/docs"));
        }
        if settings.gateway.admin {
            line("Admin", &format!("{url}/admin"));
        }
        line("Health", &format!("{url}/healthz"));
    }
    if let Some(address) = run.ops {
        line("Ready", &format!("{}/readyz", local_url(address)));
    }
    for (name, address) in &run.services {
        let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
        line(&format!("{}{rest}", first.to_uppercase()), &format!("{} (internal)", local_url(*address)));
    }
    line("Data", &settings.data_dir.display().to_string());
    if run.gateway.is_some() {
        let verb = if fresh { "user create --admin" } else { "user list" };
        let _ = write!(text, "\nNext: platform {}{verb}\n", global.flags());
    }
    text.push_str("Stop: Ctrl-C\n");
    text
}
