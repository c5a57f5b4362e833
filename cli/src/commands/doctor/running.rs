//! The platform that runs here: answers, is ready, of this version, of the configuration on disk, known by its public address,
//! told the truth about its clients, with services that live.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::Installation;
use super::finding::Finding;
use crate::body::{self, Unread};
use crate::metrics::Metrics;
use crate::ops::Ops;
use crate::output::{plain, safe};
use crate::run_file::RunFile;
use crate::settings;

/// How long the public address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// From how many requests on their heads tell whether a proxy stands before the gateway.
const ENOUGH: f64 = 10.0;

/// Looks at it, where one runs.
pub(super) async fn examine(of: &Installation) -> Vec<Finding> {
    let Some(run) = &of.running else {
        return vec![Finding::skipped("running", "no platform runs here")];
    };
    let mut findings = vec![version(run), reloaded(run)];
    let Some(address) = run.ops else { return findings };
    let ops = match Ops::new(address) {
        Ok(ops) => ops,
        Err(failure) => return vec![Finding::skipped("running", failure.what)],
    };
    match ops.readiness().await {
        Err(failure) => {
            findings.push(Finding::fault(
                "running",
                format!("process {} runs, and {}", run.pid, failure.what),
                failure.why.unwrap_or_else(|| {
                    "It hangs, was stopped (SIGSTOP), or another holds its address.".to_owned()
                }),
                format!(
                    "Look at its log and at /proc/{}/status; `kill {}` and start it again.",
                    run.pid, run.pid
                ),
            ));
            return findings;
        }
        Ok(readiness) if !readiness.ready => findings.push(Finding::fault(
            "running",
            format!("process {} runs and is not ready", run.pid),
            safe(&readiness.faults.join("; ")),
            "Mend what it names; it comes back by itself.",
        )),
        Ok(_) => findings.push(Finding::good("running", format!("process {} is ready", run.pid))),
    }
    if let Ok(services) = ops.services().await {
        findings.extend(services.iter().flat_map(standing));
    }
    if let Ok(metrics) = ops.metrics().await {
        findings.push(proxy(&metrics));
    }
    findings.extend(public_address(of, run).await);
    findings
}

fn version(run: &RunFile) -> Finding {
    const CHECK: &str = "version";
    let ours = env!("CARGO_PKG_VERSION");
    if run.version == ours {
        return Finding::good(CHECK, format!("version {ours} runs"));
    }
    Finding::fault(
        CHECK,
        format!("version {} runs, and this command is {ours}", safe(&run.version)),
        "The binary was replaced, or another comes first in PATH; the running one goes on as it was.",
        "Restart the platform with this version, or call the other one by its path.",
    )
}

fn reloaded(run: &RunFile) -> Finding {
    const CHECK: &str = "reload";
    match run.reload.as_ref().filter(|reload| !reload.faults.is_empty()) {
        Some(reload) => Finding::fault(
            CHECK,
            "the last reload was refused: the configuration on disk is not the one in force",
            reload.faults.join("; "),
            "Mend it, then `platform reload`; what needs a restart is named there.",
        ),
        None => Finding::good(CHECK, "no reload was refused"),
    }
}

/// A service behind the gateway: its instances and its contract.
fn standing(service: &Value) -> Vec<Finding> {
    let name = safe(&plain(&service["service"]));
    let instances = service["instances"].as_array().map_or(&[][..], Vec::as_slice);
    let down: Vec<String> = instances
        .iter()
        .filter(|instance| instance["healthy"] != true)
        .map(|instance| safe(&plain(&instance["url"])))
        .collect();
    let mut findings = Vec::new();
    if down.is_empty() {
        findings.push(Finding::good(
            "service",
            format!("{name}: {} of {0} instances take calls", instances.len()),
        ));
    } else {
        let all = down.len() == instances.len();
        findings.push(Finding::fault(
            "service",
            format!("{name}: {} of {} instances are down: {}", down.len(), instances.len(), down.join(", ")),
            if all { "Its operations are answered with 503." } else { "The others carry its share." },
            "Start it, or correct its urls; `platform service list` shows how it stands.",
        ));
    }
    for broken in service["breaks"].as_array().into_iter().flatten() {
        findings.push(Finding::fault(
            "service-contract",
            format!("{name}: {}", safe(&plain(&broken["pointer"]))),
            format!("It serves another contract than it was bound by; shut off: {}", safe(&plain(&broken["operations"]))),
            "Deploy the version that fits, or bind the new document: `platform service check --changes`, then `platform reload`.",
        ));
    }
    findings
}

/// Whether most requests come through a proxy that is not believed.
fn proxy(metrics: &Metrics) -> Finding {
    const CHECK: &str = "trusted-proxies";
    let count =
        |name: &str| metrics.sum(name, |sample| sample.label("service") == "gateway").unwrap_or_default();
    let (unbelieved, all) = (count("platform_unbelieved_proxy_total"), count("platform_requests_total"));
    if unbelieved >= ENOUGH && unbelieved * 2.0 > all {
        return Finding::fault(
            CHECK,
            format!(
                "{unbelieved} of {all} requests came through a proxy that gateway.trusted_proxies does not name"
            ),
            "All its clients count as one: they share rate limits and throttles, and sessions are recorded with its address.",
            "Set gateway.trusted_proxies to its network (the `peer` in the access log), then `platform reload`.",
        );
    }
    Finding::good(CHECK, "clients are told apart")
}

/// Whether the public address leads to this platform.
async fn public_address(of: &Installation, run: &RunFile) -> Option<Finding> {
    const CHECK: &str = "public-address";
    const MEND: &str =
        "Correct gateway.public_url, or what leads from there to this machine (DNS, balancer, certificate).";
    let url = of.settings.gateway.public_url.as_ref()?;
    let listen = settings::public_url(&of.settings, run.gateway?);
    let ours = keys(&Url::parse(&listen).ok()?, true).await;
    Some(match (keys(url, false).await, ours) {
        (Err(why), _) => Finding::warning(
            CHECK,
            format!("nothing can be read at gateway.public_url {url} from this machine"),
            format!("{why}. It may still lead here for others."),
            MEND,
        ),
        (Ok(theirs), Ok(ours)) if theirs != ours => Finding::fault(
            CHECK,
            format!("gateway.public_url {url} leads to something else"),
            "What answers there has other signing keys: it is another platform, or an old one.",
            MEND,
        ),
        _ => Finding::good(CHECK, format!("{url} leads here")),
    })
}

/// The public keys that are served there, in their order.
async fn keys(base: &Url, own: bool) -> Result<Vec<String>, String> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // The process of this machine, whatever name its certificate is made out to.
        .tls_danger_accept_invalid_certs(own)
        .timeout(PATIENCE)
        .build()
        .map_err(|error| error.to_string())?;
    let url = format!("{}/.well-known/jwks.json", base.as_str().trim_end_matches('/'));
    let asked = async { client.get(url).send().await?.error_for_status() };
    let answer = asked.await.map_err(|error| innermost(&error))?;
    let bytes = body::read(answer).await.map_err(|error| match error {
        Unread::Broken(error) => innermost(&error),
        Unread::TooLong => Unread::TOO_LONG.to_owned(),
    })?;
    let set: Value = serde_json::from_slice(&bytes).map_err(|_| "what answers is no platform".to_owned())?;
    let keys = set["keys"].as_array().ok_or("what answers is no platform")?;
    let mut names: Vec<String> = keys.iter().map(|key| plain(&key["kid"])).collect();
    names.sort();
    Ok(names)
}

fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
