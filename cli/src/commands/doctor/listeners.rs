//! The addresses to listen on: this machine's, and free, where nothing of ours listens there.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::Installation;
use super::finding::Finding;
use crate::commands::serve::not_bound;

const CHECK: &str = "listeners";

/// Tries each address for a moment, unless the platform runs: then it holds them.
pub(super) async fn examine(of: &Installation) -> Vec<Finding> {
    if let Some(run) = &of.running {
        return vec![Finding::skipped(CHECK, format!("process {} holds its addresses", run.pid))];
    }
    let mut addresses: Vec<(String, SocketAddr)> = Vec::new();
    if of.has_gateway() {
        addresses.push(("gateway.listen".to_owned(), of.settings.gateway.listen));
        addresses.push(("ops.listen".to_owned(), of.settings.ops.listen));
    }
    let own = of.settings.own().into_iter().filter(|own| of.has(own.name));
    addresses.extend(own.map(|own| (format!("{}.listen", own.name), own.listen)));
    let mut findings = Vec::new();
    for (setting, address) in &addresses {
        if let Err(error) = TcpListener::bind(address).await {
            findings.push(told(setting, *address, &error));
        }
    }
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
