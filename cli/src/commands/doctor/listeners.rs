//! The addresses to listen on: this machine's, and free, where nothing of ours listens there.

use std::io;
use std::net::SocketAddr;

use super::Installation;
use super::finding::Finding;
use crate::commands::serve::{addresses::not_free, not_bound};

const CHECK: &str = "listeners";

/// Tries each address for a moment, unless the platform runs: then it holds them.
pub(super) async fn examine(of: &Installation) -> Vec<Finding> {
    if let Some(run) = &of.running {
        return vec![Finding::skipped(CHECK, format!("process {} holds its addresses", run.pid))];
    }
    let not_free = not_free(&of.settings, of.has_gateway(), |name| of.has(name)).await;
    let mut findings: Vec<Finding> =
        not_free.iter().map(|(setting, address, error)| told(setting, *address, error)).collect();
    if findings.is_empty() {
        findings.push(Finding::good(CHECK, "every address to listen on is free"));
    }
    findings
}

fn told(setting: &str, address: SocketAddr, error: &io::Error) -> Finding {
    let failure = not_bound(setting, address, error);
    Finding::fault(
        CHECK,
        failure.what,
        failure.why.unwrap_or_else(|| error.to_string()),
        failure.next.unwrap_or_else(|| format!("Choose another address by {setting}.")),
    )
}
