//! Secrets: strong enough, and for this user's eyes alone.

use std::path::Path;

use kit::config::Origin;
use kit::config::table::SETTINGS;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use zxcvbn::Score;

use super::Installation;
use super::finding::Finding;
use crate::data_folder::is_readable_by_everybody;
use crate::services;

/// Where a container's secrets are mounted, for its one user.
const MOUNTED: &str = "/run/secrets";

/// Looks at all that are set.
pub(super) fn examine(of: &Installation) -> Vec<Finding> {
    let mut findings = files(of);
    findings.extend(passwords(of));
    findings
}

/// Files that hold a secret and can be read by everybody on this machine.
fn files(of: &Installation) -> Vec<Finding> {
    const CHECK: &str = "secret-files";
    let mut open: Vec<Finding> = Vec::new();
    for setting in SETTINGS.iter().filter(|setting| setting.secret) {
        let origin = of.settings.origin(setting.key);
        let path = match &origin {
            Origin::SecretFile { path, .. } | Origin::File { path, .. } => path,
            Origin::Default | Origin::Variable(_) | Origin::Flag(_) => continue,
        };
        if path.starts_with(MOUNTED) || !is_readable_by_everybody(path) {
            continue;
        }
        open.push(Finding::fault(
            CHECK,
            format!("{} holds {} and can be read by everybody on this machine", path.display(), setting.key),
            "Whoever reads it can do what the platform can.",
            format!("chmod 600 {}", shell(path)),
        ));
    }
    if open.is_empty() {
        open.push(Finding::good(CHECK, "no file with a secret is open to everybody"));
    }
    open
}

fn shell(path: &Path) -> String {
    path.display().to_string()
}

/// Passwords that stand in URLs, as far as the platform's own parts use them.
fn passwords(of: &Installation) -> Vec<Finding> {
    const CHECK: &str = "weak-secrets";
    let mut urls: Vec<(String, SecretString)> = of
        .services
        .iter()
        .map(|service| (format!("{service}.database_url"), of.settings.database_url(service)))
        .collect();
    if of.has(services::GATEWAY) {
        let others = [
            ("gateway.valkey_url", &of.settings.gateway.valkey_url),
            ("mail.smtp_url", &of.settings.mail.smtp_url),
        ];
        urls.extend(others.into_iter().filter_map(|(key, url)| Some((key.to_owned(), url.clone()?))));
    }
    let mut findings: Vec<Finding> = urls
        .iter()
        .filter(|(_, url)| is_weak(url))
        .map(|(key, _)| {
            Finding::fault(
                CHECK,
                format!("the password in {key} can be guessed"),
                "Whoever reaches that server gets in.",
                "Set another there and here, such as what `openssl rand -base64 24` writes.",
            )
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::good(CHECK, "no password in the settings can be guessed"));
    }
    findings
}

/// Whether the URL has a password that guessers find.
fn is_weak(url: &SecretString) -> bool {
    let Ok(url) = Url::parse(url.expose_secret()) else { return false };
    let Some(password) = url.password() else { return false };
    let decoded = form_decoded(password);
    let known = [url.username(), url.host_str().unwrap_or_default(), url.path().trim_start_matches('/')];
    zxcvbn::zxcvbn(&decoded, &known).score() < Score::Three
}

/// Without percent-encoding.
fn form_decoded(text: &str) -> String {
    // A plus sign stands for itself in the part of a URL before the host.
    let pair = format!("p={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_guessers_find_is_weak_and_a_random_one_is_not() {
        for (weak, url) in [
            (true, "postgres://platform:password@db/users"),
            (true, "postgres://platform:platform1@db/users"),
            (true, "postgres://platform:users2024@db/users"),
            (true, "redis://:%70assword@cache"),
            (false, "postgres://platform:q7%2BVx0c+3mZpL9sT@db/users"),
            (false, "postgres://platform@db/users"),
            (false, "sqlite:users.db"),
        ] {
            assert_eq!(is_weak(&SecretString::from(url)), weak, "{url}");
        }
    }
}
