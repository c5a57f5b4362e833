//! `[[service]]`: services that the gateway binds by their OpenAPI documents, as the configuration file declares them.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use contract::{
    ServiceName,
    operation::{Access, NotAnAccess},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use super::{
    fault::Origin,
    units::{parse_bytes, parse_duration},
};

/// A declared service, with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// What the file says.
    pub settings: ServiceSettings,
    /// The line.
    pub origin: Origin,
    /// The folder of the file, from which relative paths start.
    pub folder: PathBuf,
}

impl Declared {
    /// Where a copy of its document is pinned: `contracts/NAME.json` beside the file.
    #[must_use]
    pub fn pinned_document(&self) -> PathBuf {
        self.folder.join("contracts").join(format!("{}.json", self.settings.name))
    }
}

/// One `[[service]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "settings that do not exclude each other")]
pub struct ServiceSettings {
    /// Its name: in paths, tokens (`aud`), the document and metrics.
    #[schemars(with = "String")]
    pub name: ServiceName,
    /// Its OpenAPI 3.0 or 3.1 document, JSON or YAML: a file, or an `http://` URL that is read at start.
    pub openapi: String,
    /// Where its instances are, such as `http://127.0.0.1:9000` or `https://orders.internal`.
    #[schemars(with = "Vec<String>")]
    pub urls: Vec<Url>,
    /// A file of certificates in PEM, beside those the system trusts, that an instance's may lead to.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub tls_ca: Option<PathBuf>,
    /// What its paths start with at the gateway; `/api/` and the name by default.
    #[serde(default)]
    pub prefix: Option<String>,
    /// How its answers are held to the document.
    #[serde(default)]
    pub contract: ContractMode,
    /// Who may call its operations; whoever is signed in by default.
    #[serde(default = "signed_in", deserialize_with = "access")]
    #[schemars(with = "String")]
    pub access: Access,
    /// Issuers, of the file's `[[issuer]]`, whose tokens are taken beside the gateway's own.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub issuers: Vec<ServiceName>,
    /// Statuses that its operations may answer beside those its document declares.
    #[serde(default)]
    pub statuses: Vec<u16>,
    /// Bytes of a request body at most; 1 MiB by default.
    #[serde(default, deserialize_with = "bytes")]
    #[schemars(with = "Option<super::written_as::Size>")]
    pub body_limit: Option<usize>,
    /// From sending a request to the last byte of an answer that is held to its schema; the gateway's `upstream_timeout` by default.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub timeout: Option<Duration>,
    /// How long a connection may take.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub connect_timeout: Option<Duration>,
    /// From sending a request to the head of its answer.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub first_byte_timeout: Option<Duration>,
    /// The longest silence in a streamed answer or a tunnel; 60 seconds by default.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub idle_timeout: Option<Duration>,
    /// Requests in flight at most; more are shed with 503. 1,024 by default.
    #[serde(default)]
    pub max_in_flight: Option<usize>,
    /// Tunnels (WebSocket) open at once at most; more are refused with 503. 1,024 by default.
    #[serde(default)]
    pub max_tunnels: Option<usize>,
    /// Paths of tunnels that its document does not tell of, such as `/chat/{room}`.
    #[serde(default)]
    pub websockets: Vec<String>,
    /// Further attempts after the first, where repeating is safe; 2 by default.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Failures in a row (no answer, or 5xx) that shut an instance off for 2 to 30 seconds; 5 by default, 0 for never.
    #[serde(default)]
    pub breaker_failures: Option<u32>,
    /// After so long without an answer a call that may be repeated is sent to another instance as well; unset, it never is.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub hedge: Option<Duration>,
    /// The path that tells whether an instance is well, such as `/readyz`; unset, none is asked.
    #[serde(default)]
    pub health: Option<String>,
    /// How often it is asked; 5 seconds by default.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub health_interval: Option<Duration>,
    /// Whether answers that may be stored are (RFC 9111).
    #[serde(default)]
    pub cache: bool,
    /// For how long past its time a stored answer stands in for a service that is out of order, where the answer itself neither
    /// says that (RFC 5861 §4) nor forbids it; not at all by default.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub stale_if_error: Option<Duration>,
    /// Whether its answers are compressed for clients that take it; they are by default.
    #[serde(default = "yes")]
    pub compress: bool,
    /// Whether a path parameter may hold `%2F`, which the service must then read as part of the value.
    #[serde(default)]
    pub encoded_slash: bool,
    /// Whether its pages (HTML, SVG, XML) share the gateway's origin: they may then do whatever their reader may do at `/admin`.
    #[serde(default)]
    pub trusted_pages: bool,
    /// How often its operations may be called, such as `100/min by user`.
    #[serde(default)]
    pub rate_limit: Option<String>,
    /// What is changed in requests before they are sent.
    #[serde(default)]
    pub request: RequestChanges,
    /// What is changed in answers before they are passed on.
    #[serde(default)]
    pub response: ResponseChanges,
    /// What differs for single operations, by `operationId`.
    #[serde(default)]
    pub operations: BTreeMap<String, OperationSettings>,
}

/// `[service.operations.<operationId>]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OperationSettings {
    /// Who may call it.
    #[serde(deserialize_with = "some_access")]
    #[schemars(with = "Option<String>")]
    pub access: Option<Access>,
    /// Statuses it may answer beside those its document declares.
    pub statuses: Vec<u16>,
    /// How its answers are held to the document.
    pub contract: Option<ContractMode>,
    /// Bytes of a request body at most.
    #[serde(deserialize_with = "bytes")]
    #[schemars(with = "Option<super::written_as::Size>")]
    pub body_limit: Option<usize>,
    /// From sending a request to the last byte of its answer.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub timeout: Option<Duration>,
    /// After so long without an answer another instance is asked as well, if it may be repeated.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<super::written_as::Time>")]
    pub hedge: Option<Duration>,
    /// Whether its answers are stored.
    pub cache: Option<bool>,
    /// Whether its answers are compressed.
    pub compress: Option<bool>,
    /// Whether its path parameters may hold `%2F`.
    pub encoded_slash: Option<bool>,
    /// How often it may be called.
    pub rate_limit: Option<String>,
    /// It is a WebSocket, also if its document has no response 101.
    pub websocket: bool,
    /// Not routed, and not in the document.
    pub hidden: bool,
    /// What is changed in its requests, after the service's own changes.
    pub request: RequestChanges,
    /// What is changed in its answers, after the service's own changes.
    pub response: ResponseChanges,
}

/// How answers are held to the document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContractMode {
    /// An answer that breaks it is 502.
    #[default]
    Enforce,
    /// It is counted, written to the log, and passed on.
    Report,
    /// Bodies are not looked at; a status that is not declared is 502.
    Off,
}

/// `request`: what is changed before a request is sent.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestChanges {
    /// Header fields.
    pub headers: FieldChanges,
    /// Query keys.
    pub query: FieldChanges,
    /// A JSON body.
    pub body: BodyChanges,
}

/// `response`: what is changed before an answer is passed on.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseChanges {
    /// Header fields.
    pub headers: FieldChanges,
    /// A JSON body.
    pub body: BodyChanges,
    /// The member in which a JSON body is wrapped, after all other changes.
    pub envelope: Option<String>,
}

/// Changes of named texts, made in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FieldChanges {
    /// Those that are let through; all where it is unset.
    pub allow: Option<Vec<String>>,
    /// Those that are taken out.
    pub remove: Vec<String>,
    /// Those that get another name.
    pub rename: BTreeMap<String, String>,
    /// Those that are written, whatever was there.
    pub set: BTreeMap<String, String>,
    /// Those that are written where they are not there.
    pub add: BTreeMap<String, String>,
}

/// Changes of a JSON body, made in this order. Fields are JSON Pointers (RFC 6901), in which `*` stands for every item of a list.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BodyChanges {
    /// Members of the body (of each item, where it is a list), by name, that are let through; all where it is unset.
    pub allow: Option<Vec<String>>,
    /// Fields that are taken out.
    pub remove: Vec<String>,
    /// Fields that get another name, which stands without the pointer before it.
    pub rename: BTreeMap<String, String>,
    /// Fields that are written, whatever was there.
    pub set: BTreeMap<String, serde_json::Value>,
    /// Texts from which space at both ends is cut.
    pub trim: Vec<String>,
    /// Texts that are written in lower case.
    pub lowercase: Vec<String>,
    /// E-mail addresses that are written as the platform writes them: trimmed, in lower case, the domain in its ASCII form.
    pub email: Vec<String>,
}

fn yes() -> bool {
    true
}

fn signed_in() -> Access {
    Access::SignedIn
}

fn access<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Access, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.parse() {
        // A service account's secret is looked at by the gateway's own operations only.
        Ok(Access::Client) => Err(D::Error::custom(format!("{text:?} {NotAnAccess}"))),
        Ok(access) => Ok(access),
        Err(error) => Err(D::Error::custom(format!("{text:?} {error}"))),
    }
}

pub(super) fn some_access<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Access>, D::Error> {
    access(deserializer).map(Some)
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match parse_duration(&text) {
        Ok(0) => Err(D::Error::custom("a time of 0 would end every request; leave the setting out")),
        Ok(milliseconds) => Ok(Some(Duration::from_millis(milliseconds))),
        Err(problem) => Err(D::Error::custom(format!("{problem}; it takes a time such as 500ms, 10s or 2m"))),
    }
}

pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Number(usize),
        Text(String),
    }
    match Size::deserialize(deserializer)? {
        Size::Number(number) => Ok(Some(number)),
        Size::Text(text) => parse_bytes(&text)
            .and_then(|bytes| usize::try_from(bytes).map_err(|_| format!("is {text:?}, too large")))
            .map(Some)
            .map_err(|problem| {
                D::Error::custom(format!("{problem}; it takes a size such as 512KiB or 1GiB"))
            }),
    }
}
