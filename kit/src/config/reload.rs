//! Which settings a running process can take anew, and what of a changed configuration it can't.

use super::fault::{Fault, Faults, Origin};
use super::settings::Settings;
use super::table::SETTINGS;

/// Settings that a reload takes, beside every `[[service]]` and `[[compose]]`. All others hold until the next start.
pub const RELOADED: &[&str] = &[
    "log.level",
    "gateway.request_body_limit",
    "gateway.body_timeout",
    "gateway.trusted_proxies",
    "gateway.cors_origins",
    "gateway.rate_limit",
    "gateway.second_factor_roles",
    "gateway.docs",
    "gateway.admin",
    "gateway.tls_certificate",
    "gateway.tls_key",
    "mail.require_verified_address",
];

impl Settings {
    /// Settings whose values differ from those of `other`.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let value =
            |settings: &Self, key| settings.merged.get::<config::Value>(key).ok().map(|value| value.kind);
        let keys = SETTINGS.iter().map(|setting| setting.key);
        keys.filter(|key| value(self, key) != value(other, key)).collect()
    }

    /// Whether these can be put in the place of `running` while it runs.
    ///
    /// # Errors
    /// Every setting that has changed and can't, with where it stands.
    pub fn replaceable(&self, running: &Self) -> Result<(), Faults> {
        let changed = self.differences(running);
        let fault = |origin, key: &str| Fault {
            origin,
            key: Some(key.to_owned()),
            problem: "can't change while the platform runs".to_owned(),
            remedy: Some("change it back, or restart".to_owned()),
        };
        let mut faults: Vec<Fault> = changed
            .into_iter()
            .filter(|key| !RELOADED.contains(key))
            .map(|key| fault(self.origin(key), key))
            .collect();
        let certificate = "gateway.tls_certificate";
        if self.gateway.tls_certificate.is_some() != running.gateway.tls_certificate.is_some() {
            faults.push(fault(self.origin(certificate), certificate));
        }
        if self.issuers != running.issuers {
            let file = self.services.first().map(|service| service.origin.clone());
            faults.push(fault(file.unwrap_or(Origin::Default), "issuer"));
        }
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load, table::find};

    fn settings(flags: &[(&str, &str)]) -> Settings {
        let flags =
            flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned(), format!("--set {key}")));
        load(&Sources { flags: flags.collect(), ..Sources::default() }).unwrap().settings
    }

    /// With a secret beside, which no flag takes.
    fn with_secret(flags: &[(&str, &str)], variable: &str, value: &str) -> Settings {
        let flags =
            flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned(), format!("--set {key}")));
        let environment = [(variable.to_owned(), value.to_owned())].into();
        load(&Sources { flags: flags.collect(), environment, ..Sources::default() }).unwrap().settings
    }

    #[test]
    fn every_setting_that_is_reloaded_is_a_setting() {
        for key in RELOADED {
            assert!(find(key).is_some(), "{key}");
        }
    }

    #[test]
    fn what_can_change_may_and_every_other_change_is_named_with_its_place() {
        let running = settings(&[("gateway.listen", "127.0.0.1:0")]);
        let changed = settings(&[("gateway.listen", "127.0.0.1:0"), ("gateway.rate_limit", "1/s by user")]);
        assert_eq!(changed.differences(&running), ["gateway.rate_limit"]);
        assert!(changed.replaceable(&running).is_ok());
        let secret = "postgres://u:S3NT@h/d";
        let other = with_secret(&[("ops.listen", "127.0.0.1:7")], "PLATFORM__GATEWAY__DATABASE_URL", secret);
        let refused = other.replaceable(&running).unwrap_err();
        let named: Vec<&str> = refused.0.iter().filter_map(|fault| fault.key.as_deref()).collect();
        assert_eq!(named, ["gateway.listen", "gateway.database_url", "ops.listen"]);
        let faults = refused.to_string();
        assert!(!faults.contains("S3NT") && faults.contains("--set ops.listen"), "{faults}");
    }
}
