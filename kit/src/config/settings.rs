//! The resolved settings as typed values. The fields mirror [`super::table`]; serde refuses to build them where the two differ.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, ConfigError};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::fault::{Fault, Origin};

/// All settings, checked.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `data_dir`
    pub data_dir: PathBuf,
    /// `[log]`
    pub log: LogSettings,
    /// `[gateway]`
    pub gateway: GatewaySettings,
    /// `[users]`
    pub users: UsersSettings,
    /// `[mail]`
    pub mail: MailSettings,
    /// `[database]`
    pub database: DatabaseSettings,
    /// `[compat]`
    pub compat: CompatSettings,
    /// `[telemetry]`
    #[serde(default)]
    pub telemetry: TelemetrySettings,
    /// `[ops]`
    pub ops: OpsSettings,
    /// Every `[[service]]`, in the file's order.
    #[serde(skip)]
    pub services: Vec<super::Declared>,
    /// Every `[[issuer]]`, in the file's order.
    #[serde(skip)]
    pub issuers: Vec<super::IssuerSettings>,
    /// Every `[[compose]]`, in the file's order.
    #[serde(skip)]
    pub composed: Vec<super::Composed>,
    #[serde(skip)]
    pub(super) origins: BTreeMap<&'static str, Origin>,
    #[serde(skip)]
    pub(super) merged: Config,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// A level or a list of directives.
    pub level: String,
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Pretty,
    /// For machines.
    Json,
}

/// `[gateway]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described once, in the table of settings")]
pub struct GatewaySettings {
    pub listen: SocketAddr,
    pub database_url: Option<SecretString>,
    pub public_url: Option<Url>,
    pub audience: String,
    pub master_key: Option<SecretString>,
    #[serde(deserialize_with = "milliseconds")]
    pub access_token_ttl: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pub key_publish_time: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pub refresh_sliding: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pub refresh_absolute: Duration,
    pub login_attempts: u32,
    #[serde(deserialize_with = "milliseconds")]
    pub login_window: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pub revocation_grace: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pub recent_sign_in: Duration,
    pub second_factor_roles: Option<String>,
    pub request_body_limit: usize,
    pub cache_bytes: u64,
    #[serde(deserialize_with = "milliseconds")]
    pub body_timeout: Duration,
    pub head_limit: usize,
    pub max_connections: usize,
    #[serde(deserialize_with = "milliseconds")]
    pub header_timeout: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pub idle_timeout: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pub drain_timeout: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pub drain_delay: Duration,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    #[serde(deserialize_with = "milliseconds")]
    pub upstream_connect_timeout: Duration,
    #[serde(deserialize_with = "milliseconds")]
    pub upstream_timeout: Duration,
    pub trusted_proxies: Vec<String>,
    pub cors_origins: Option<String>,
    pub rate_limit: Option<String>,
    pub valkey_url: Option<SecretString>,
    pub docs: bool,
    pub admin: bool,
}

/// `[users]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described once, in the table of settings")]
pub struct UsersSettings {
    pub listen: SocketAddr,
    pub database_url: Option<SecretString>,
    pub url: Option<Url>,
    pub gateway_url: Option<Url>,
    pub registration: Registration,
    pub visibility: Visibility,
    pub password_policy: PasswordPolicy,
    pub hash_workers: Option<usize>,
    pub hash_queue: usize,
    pub argon2_memory_kib: u32,
    pub argon2_iterations: u32,
    pub argon2_parallelism: u32,
}

/// Who may create users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Everyone.
    Open,
    /// Admins.
    Closed,
}

/// Who may list users and read others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Admins.
    Admins,
    /// Every signed-in user.
    Members,
}

/// The rule for new passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordPolicy {
    /// OWASP ASVS 5.
    Asvs,
    /// NIST SP 800-63B-4, single factor.
    Nist,
}

/// `[mail]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described once, in the table of settings")]
pub struct MailSettings {
    pub smtp_url: Option<SecretString>,
    pub from: Option<String>,
    pub templates: Option<PathBuf>,
    pub link_url: Option<Url>,
    pub require_verified_address: bool,
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described once, in the table of settings")]
pub struct DatabaseSettings {
    pub max_connections: u32,
}

/// `[compat]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described once, in the table of settings")]
pub struct CompatSettings {
    pub fastapi: bool,
}

/// `[telemetry]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described once, in the table of settings")]
pub struct TelemetrySettings {
    pub otlp_endpoint: Option<Url>,
}

/// `[ops]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described once, in the table of settings")]
pub struct OpsSettings {
    pub listen: SocketAddr,
}

// By hand, since `merged` holds secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.entries().into_iter().map(|entry| (entry.key, entry.value))).finish()
    }
}

impl Settings {
    pub(super) fn from_config(
        merged: Config,
        origins: BTreeMap<&'static str, Origin>,
        services: Vec<super::Declared>,
        issuers: Vec<super::IssuerSettings>,
        composed: Vec<super::Composed>,
    ) -> Result<Self, ConfigError> {
        let settings: Self = merged.clone().try_deserialize()?;
        Ok(Self { services, issuers, composed, origins, merged, ..settings })
    }

    /// Where the value of a setting came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Where the master key is kept while no setting holds it.
    #[must_use]
    pub fn master_key_file(&self) -> PathBuf {
        self.data_dir.join("master.key")
    }

    /// Where a running `serve` writes its addresses.
    #[must_use]
    pub fn run_file(&self) -> PathBuf {
        self.data_dir.join("platform.run")
    }

    /// What the public API's URLs start with.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.gateway.tls_certificate.is_some() { "https" } else { "http" }
    }

    /// Threads that hash passwords.
    #[must_use]
    pub fn hash_workers(&self) -> usize {
        self.users
            .hash_workers
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get))
    }

    /// What is wrong between settings that are each right.
    pub(super) fn cross_faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, problem: &str, remedy: &str| {
            faults.push(Fault {
                origin: self.origin(key),
                key: Some(key.to_owned()),
                problem: problem.to_owned(),
                remedy: Some(remedy.to_owned()),
            });
        };
        if self.gateway.refresh_absolute < self.gateway.refresh_sliding {
            fault(
                "gateway.refresh_absolute",
                "is shorter than gateway.refresh_sliding",
                "make it at least as long",
            );
        }
        let mut databases = vec![("gateway", self.gateway.database_url.as_ref())];
        for own in self.own() {
            let shared = own.database_url.and_then(|url| {
                let same = |(_, other): &&(_, Option<&SecretString>)| {
                    other.is_some_and(|other| other.expose_secret() == url.expose_secret())
                };
                databases.iter().find(same).map(|(service, _)| *service)
            });
            if let Some(other) = shared {
                fault(
                    &format!("{}.database_url", own.name),
                    &format!("is the database of {other}"),
                    "each service owns a database: give it another name",
                );
            }
            databases.push((own.name, own.database_url));
        }
        let (certificate, key) = ("gateway.tls_certificate", "gateway.tls_key");
        match (&self.gateway.tls_certificate, &self.gateway.tls_key) {
            (Some(_), None) => fault(certificate, "is set, and gateway.tls_key is not", "set both, or none"),
            (None, Some(_)) => fault(key, "is set, and gateway.tls_certificate is not", "set both, or none"),
            _ => {}
        }
        if self.mail.smtp_url.is_some() && self.mail.from.is_none() {
            fault("mail.smtp_url", "is set, and mail.from is not", "set mail.from to the sender's address");
        }
        let own = self.own().into_iter().map(|own| (format!("{}.listen", own.name), own.listen));
        let mut listens = vec![("gateway.listen".to_owned(), self.gateway.listen)];
        listens.extend(own);
        listens.push(("ops.listen".to_owned(), self.ops.listen));
        for (index, (key, address)) in listens.iter().enumerate() {
            if let Some((other, _)) = listens[..index].iter().find(|(_, earlier)| collide(*earlier, *address))
            {
                fault(key, &format!("is {address}, as {other} is"), "choose another port");
            }
        }
        faults
    }
}

fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// A path as a person would type it from the working folder.
pub(super) fn typed(path: &Path) -> String {
    path.display().to_string()
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}
