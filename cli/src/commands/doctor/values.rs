//! The configuration: what is wrong in it, what nobody reads, and values that are each right and do no good together.

use kit::config::{Faults, Loaded};

use super::Installation;
use super::finding::Finding;
use crate::settings;

/// Every fault of a configuration that can't be loaded.
pub(super) fn faults(faults: &Faults) -> Vec<Finding> {
    faults
        .0
        .iter()
        .map(|fault| {
            let key = fault.key.as_deref().map(|key| format!("{key} ")).unwrap_or_default();
            let remedy = fault.remedy.as_ref().map_or_else(
                || "Correct it there; `platform config init -` shows every setting.".to_owned(),
                |remedy| format!("{remedy}, at {}", fault.origin),
            );
            Finding::fault(
                "configuration",
                format!("{}: {key}{}", fault.origin, fault.problem),
                "Nothing starts with it, and nothing else can be looked at.",
                remedy,
            )
        })
        .collect()
}

/// Variables that no setting has.
pub(super) fn variables(loaded: &Loaded) -> Vec<Finding> {
    let mut findings: Vec<Finding> = loaded
        .warnings
        .iter()
        .map(|warning| {
            Finding::fault(
                "variables",
                warning.origin.to_string(),
                "No setting has this variable, so that what it says is not in force.",
                warning
                    .remedy
                    .clone()
                    .unwrap_or_else(|| "Remove it; `platform config show` lists the settings.".to_owned()),
            )
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::good("variables", "every PLATFORM_… variable is known"));
    }
    findings
}

/// What the settings say together.
pub(super) fn examine(of: &Installation) -> Vec<Finding> {
    let mut findings = vec![taken(of)];
    if of.has_gateway() {
        findings.push(public_url(of));
        findings.push(verification(of));
    }
    findings
}

/// Whether the services would take their settings.
fn taken(of: &Installation) -> Finding {
    // The master key is looked at elsewhere.
    let urls = settings::service_urls(&of.settings, &[]);
    let refused = match gateway::MasterKey::generate() {
        Ok(key) if of.has_gateway() => settings::checked_gateway(&of.settings, key, urls).err(),
        _ => None,
    };
    if let Some(refused) = refused {
        return Finding::fault(
            "configuration",
            refused.to_string().replace('\n', "; "),
            "The gateway does not start with it.",
            "Correct it there; `platform config init -` tells what each setting takes.",
        );
    }
    match settings::users(&of.settings) {
        Err(failure) if of.has("users") => Finding::fault(
            "configuration",
            failure.what,
            "The users service does not start with it.",
            "Correct it; `platform config show` tells where it was set.",
        ),
        _ => Finding::good("configuration", "every setting is right"),
    }
}

/// The issuer in tokens, and what links lead to.
fn public_url(of: &Installation) -> Finding {
    const CHECK: &str = "public-url";
    let gateway = &of.settings.gateway;
    let Some(url) = &gateway.public_url else {
        if gateway.listen.ip().is_loopback() {
            return Finding::good(CHECK, "the API is for this machine, by its own address");
        }
        return Finding::fault(
            CHECK,
            format!("the API listens on {} and gateway.public_url is not set", gateway.listen),
            "Tokens name that address as their issuer, and links in letters lead to it: neither means anything elsewhere.",
            "Set gateway.public_url to the address that clients use, such as https://api.example.com.",
        );
    };
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if here && !gateway.listen.ip().is_loopback() && !gateway.listen.ip().is_unspecified() {
        return Finding::fault(
            CHECK,
            format!("gateway.public_url is {url}, and the API listens on {} alone", gateway.listen),
            "Whoever follows it finds nothing.",
            format!("Set gateway.public_url to what leads to {}.", gateway.listen),
        );
    }
    if url.scheme() == "http" && !here {
        return Finding::fault(
            CHECK,
            format!("gateway.public_url is {url}: not encrypted, and not for this machine alone"),
            "Passwords and tokens go over the network in clear.",
            "End TLS in the gateway (gateway.tls_certificate, gateway.tls_key) or before it, and write https://.",
        );
    }
    Finding::good(CHECK, format!("clients reach the API at {url}"))
}

/// Who must prove an address needs a letter.
fn verification(of: &Installation) -> Finding {
    let mail = &of.settings.mail;
    if mail.require_verified_address && mail.smtp_url.is_none() {
        return Finding::fault(
            "address-verification",
            "mail.require_verified_address is on, and no letter can be sent",
            "Who registers can never sign in: the proof of the address comes by letter.",
            "Set mail.smtp_url and mail.from, or turn mail.require_verified_address off.",
        );
    }
    Finding::good("address-verification", "whoever must prove an address can")
}
