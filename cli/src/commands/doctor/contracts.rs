//! The services that the configuration declares: whether their documents can be bound.

use super::Installation;
use super::finding::Finding;

const CHECK: &str = "contracts";

/// Reads every document, as the start of the gateway does.
pub(super) async fn examine(of: &Installation) -> Vec<Finding> {
    let (services, composed) = (&of.settings.services, &of.settings.composed);
    if !of.has_gateway() || (services.is_empty() && composed.is_empty()) {
        return Vec::new();
    }
    match gateway::published(services, composed).await {
        Ok(published) => {
            vec![Finding::good(CHECK, format!("{} operations can be bound", published.operations.len()))]
        }
        Err(gateway::StartError::Services(faults)) => {
            faults.iter().map(|fault| told(&fault.to_string())).collect()
        }
        Err(error) => vec![told(&error.to_string())],
    }
}

fn told(fault: &str) -> Finding {
    Finding::fault(
        CHECK,
        fault.replace('\n', "; "),
        "The gateway does not start with it, and a reload is refused.",
        "Start the service where its document is not there; else mend the document, its [[service]] or the [[compose]]. \
         `platform service check` tells more.",
    )
}
