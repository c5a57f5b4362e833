//! The certificate of the public API: readable, of its key, in time, for the name that clients use.

use kit::server::{CertificateFacts, Tls, TlsFiles};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Installation;
use super::finding::Finding;

/// How long before its end a certificate should have been renewed, in seconds.
const SOON: i64 = 14 * 24 * 60 * 60;

const CHECK: &str = "certificate";

/// Looks at it, where there is one.
pub(super) fn examine(of: &Installation) -> Vec<Finding> {
    let gateway = &of.settings.gateway;
    let files = gateway.tls_certificate.clone().zip(gateway.tls_key.clone());
    let Some((certificate, key)) = files.filter(|_| of.has_gateway()) else { return Vec::new() };
    let path = certificate.display().to_string();
    if let Err(fault) = Tls::read(&TlsFiles { certificate: certificate.clone(), key }) {
        return vec![Finding::fault(
            CHECK,
            fault.to_string(),
            "The gateway does not start with it, and a reload is refused.",
            "Name the certificate with its chain and the key that it was made with, both in PEM and readable by this user.",
        )];
    }
    let Some(facts) = CertificateFacts::read(&certificate) else {
        return vec![Finding::skipped(CHECK, format!("{path} can't be looked into"))];
    };
    let mut findings = vec![in_time(of.now, &path, &facts)];
    if let Some(host) = gateway.public_url.as_ref().and_then(|url| url.host_str()) {
        findings.push(named(&path, host, &facts));
    }
    findings
}

fn in_time(now: i64, path: &str, facts: &CertificateFacts) -> Finding {
    const MEND: &str =
        "Have it renewed, put the new one in its place, then `platform reload`: no connection is lost.";
    let until = moment(facts.not_after);
    if facts.not_after < now {
        return Finding::fault(
            CHECK,
            format!("the certificate {path} expired on {until}"),
            "Clients refuse to connect.",
            MEND,
        );
    }
    if facts.not_before > now {
        return Finding::fault(
            CHECK,
            format!("the certificate {path} is good from {} on only", moment(facts.not_before)),
            "Until then clients refuse to connect.",
            "Wait, use another one, or set this machine's clock.",
        );
    }
    if facts.not_after < now + SOON {
        return Finding::warning(
            CHECK,
            format!("the certificate {path} expires on {until}"),
            "From then on clients refuse to connect; whatever renews it should have done so.",
            MEND,
        );
    }
    Finding::good(CHECK, format!("the certificate is good until {until}"))
}

fn named(path: &str, host: &str, facts: &CertificateFacts) -> Finding {
    const CHECK: &str = "certificate-name";
    if facts.names(host) {
        return Finding::good(CHECK, format!("the certificate is made out to {host}"));
    }
    Finding::fault(
        CHECK,
        format!("the certificate {path} is not made out to {host}"),
        "gateway.public_url has that name: clients that check refuse to connect.",
        format!("Have one made out to {host}, or set gateway.public_url to a name that is in it."),
    )
}

fn moment(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}
