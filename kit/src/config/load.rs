//! Puts the layers together: defaults, file, environment, flags; the later wins. Every value given is checked, also one
//! that a later layer covers, and everything wrong is reported at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use secrecy::ExposeSecret;

use super::fault::{Fault, Faults, Origin, closest};
use super::file::{self, Found, resolve, suggestion};
use super::kind::{Canonical, Raw};
use super::secret_file::read_secret_file;
use super::settings::Settings;
use super::table::{Fallback, SETTINGS, variable};

/// The file that is read where nothing names another, if it is there.
pub const DEFAULT_FILE: &str = "platform.toml";

/// What a configuration is loaded from. Nothing else is looked at, so that tests need no real environment.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The file named by a flag; without one `PLATFORM_CONFIG`, else [`DEFAULT_FILE`].
    pub file: Option<PathBuf>,
    /// The working folder, in which [`DEFAULT_FILE`] is looked for.
    pub folder: PathBuf,
    /// Settings given by flags: full key, value, and the flag as typed.
    pub flags: Vec<(String, String, String)>,
    /// Other variables named `PLATFORM_…` that the caller knows.
    pub known_variables: Vec<String>,
    /// Unknown variables are faults, not warnings.
    pub strict: bool,
}

/// A configuration that holds, and what deserves a look nevertheless.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// Things that were passed over, such as a variable that is close to a setting's.
    pub warnings: Vec<Fault>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// Loads and checks the whole configuration.
pub fn load(sources: &Sources) -> Result<Loaded, Faults> {
    let mut faults = Vec::new();
    let mut warnings = Vec::new();
    let (file, in_file) = from_file(sources, &mut faults);
    let file::Read { found: in_file, services, issuers, composed } = in_file;
    let in_environment = from_environment(sources, if sources.strict { &mut faults } else { &mut warnings });
    let in_flags = from_flags(sources, &mut faults);

    let mut origins: BTreeMap<&'static str, Origin> = BTreeMap::new();
    let mut builder = Config::builder().add_source(defaults());
    for found in [in_file, in_environment, in_flags] {
        builder = builder.add_source(layer(found, &mut origins, &mut faults));
    }
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    let whole = builder
        .build()
        .and_then(|merged| Settings::from_config(merged, origins, services, issuers, composed));
    let settings = whole.map_err(|error| Faults(vec![internal(&error)]))?;
    let crossed = settings.cross_faults();
    if crossed.is_empty() { Ok(Loaded { settings, warnings, file }) } else { Err(Faults(crossed)) }
}

fn internal(error: &ConfigError) -> Fault {
    Fault {
        origin: Origin::Default,
        key: None,
        problem: format!("the table of settings does not hold together: {error}"),
        remedy: None,
    }
}

/// One layer of checked values, as the `config` crate takes it.
#[derive(Clone, Default)]
struct Layer(BTreeMap<&'static str, Canonical>);

// By hand, since a layer holds secrets.
impl std::fmt::Debug for Layer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.iter().map(|(key, value)| ((*key).to_owned(), Value::new(None, kind(value)))).collect())
    }
}

fn kind(value: &Canonical) -> ValueKind {
    match value {
        Canonical::Text(text) => text.as_str().into(),
        Canonical::Number(number) => (*number).into(),
        Canonical::Bool(value) => (*value).into(),
        Canonical::List(items) => items.clone().into(),
    }
}

fn defaults() -> Layer {
    let mut layer = Layer::default();
    for setting in SETTINGS {
        if let Fallback::Value(text) = setting.fallback
            && let Ok(value) = setting.kind.check(&Raw::Text(text.to_owned()), false)
        {
            layer.0.insert(setting.key, value);
        }
    }
    layer
}

fn layer(found: Vec<Found>, origins: &mut BTreeMap<&'static str, Origin>, faults: &mut Vec<Fault>) -> Layer {
    let mut layer = Layer::default();
    let mut given: BTreeMap<&'static str, Origin> = BTreeMap::new();
    for Found { setting, names_file, raw, origin } in found {
        let mut fault = |problem: String, remedy: Option<String>| {
            let key = if names_file { format!("{}_file", setting.key) } else { setting.key.to_owned() };
            faults.push(Fault { origin: origin.clone(), key: Some(key), problem, remedy });
        };
        if let Some(other) = given.get(setting.key) {
            fault(
                format!("is set as well at {other}"),
                Some(format!("set only one of {} and its _file form", setting.key)),
            );
            continue;
        }
        given.insert(setting.key, origin.clone());
        let (raw, origin) = if names_file {
            let Raw::Text(path) = &raw else {
                fault("is no path".to_owned(), None);
                continue;
            };
            if path.is_empty() {
                fault("is empty".to_owned(), Some("it names a file that holds the secret".to_owned()));
                continue;
            }
            let path = PathBuf::from(path);
            match read_secret_file(&path) {
                Ok(secret) => (
                    Raw::Text(secret.expose_secret().to_owned()),
                    Origin::SecretFile { path, named_by: Box::new(origin.clone()) },
                ),
                Err(problem) => {
                    fault(problem, None);
                    continue;
                }
            }
        } else {
            (raw, origin.clone())
        };
        match setting.kind.check(&raw, setting.secret) {
            Ok(value) => {
                layer.0.insert(setting.key, value);
                origins.insert(setting.key, origin);
            }
            Err(problem) => fault(problem, Some(format!("it takes {}", setting.kind.allowed()))),
        }
    }
    layer
}

fn from_file(sources: &Sources, faults: &mut Vec<Fault>) -> (Option<PathBuf>, file::Read) {
    let named = match (&sources.file, sources.environment.get("PLATFORM_CONFIG")) {
        (Some(path), _) => Some((path.clone(), Origin::Flag("--config".to_owned()))),
        (None, Some(path)) if !path.is_empty() => {
            Some((PathBuf::from(path), Origin::Variable("PLATFORM_CONFIG".to_owned())))
        }
        _ => None,
    };
    let (path, named_by) = match named {
        Some((path, origin)) => (path, Some(origin)),
        None => (PathBuf::from(DEFAULT_FILE), None),
    };
    match std::fs::read_to_string(sources.folder.join(&path)) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let folder = sources.folder.join(&path).parent().map(Path::to_owned).unwrap_or_default();
            let read = file::read(&path, &folder, text, faults);
            (Some(path), read)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named_by.is_none() => {
            (None, file::Read::default())
        }
        Err(error) => {
            faults.push(Fault {
                origin: named_by.unwrap_or_else(|| Origin::File { path: path.clone(), line: 1 }),
                key: None,
                problem: format!(
                    "the configuration file {} can't be read: {}",
                    path.display(),
                    reason(&error)
                ),
                remedy: Some("`platform config init` writes one".to_owned())
                    .filter(|_| error.kind() == std::io::ErrorKind::NotFound),
            });
            (Some(path), file::Read::default())
        }
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

fn from_environment(sources: &Sources, unknown: &mut Vec<Fault>) -> Vec<Found> {
    let known: BTreeSet<String> = SETTINGS
        .iter()
        .flat_map(|setting| {
            let name = variable(setting.key);
            let file = setting.secret.then(|| format!("{name}_FILE"));
            std::iter::once(name).chain(file)
        })
        .collect();
    let mut found = Vec::new();
    for (name, value) in &sources.environment {
        let Some(rest) = name.strip_prefix("PLATFORM_") else {
            continue;
        };
        if let Some(path) = rest.strip_prefix('_')
            && known.contains(name)
            && let Some((setting, names_file)) = resolve(&path.replace("__", ".").to_lowercase())
        {
            found.push(Found {
                setting,
                names_file,
                raw: Raw::Text(value.clone()),
                origin: Origin::Variable(name.clone()),
            });
        } else if name != "PLATFORM_CONFIG"
            && !sources.known_variables.contains(name)
            && !made_by_kubernetes(rest, value)
        {
            unknown.push(Fault {
                origin: Origin::Variable(name.clone()),
                key: None,
                problem: "no setting has this variable, so it is passed over".to_owned(),
                remedy: meant(name, &known, &sources.known_variables)
                    .map(|meant| format!("did you mean {meant}?")),
            });
        }
    }
    found
}

/// The variable that was meant: one that differs in underscores only, or the closest.
fn meant<'a>(name: &str, known: &'a BTreeSet<String>, others: &'a [String]) -> Option<&'a str> {
    let flat = |name: &str| name.replace('_', "").to_uppercase();
    known
        .iter()
        .find(|candidate| flat(candidate) == flat(name))
        .map(String::as_str)
        .or_else(|| closest(name, known.iter().chain(others).map(String::as_str)))
}

/// Kubernetes makes variables for every service of a namespace: `PLATFORM_PORT=tcp://…` where one is called `platform`.
fn made_by_kubernetes(rest: &str, value: &str) -> bool {
    let port_of = |tail: &str| {
        let mut parts = tail.split('_');
        parts.next().is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
            && parts.next().is_some_and(|protocol| matches!(protocol, "TCP" | "UDP" | "SCTP"))
    };
    let whole = format!("_{rest}");
    whole.ends_with("_SERVICE_HOST")
        || whole.contains("_SERVICE_PORT")
        || (whole.ends_with("_PORT") && value.contains("://"))
        || whole.rsplit_once("_PORT_").is_some_and(|(_, tail)| port_of(tail) || matches!(tail, "TCP" | "UDP"))
        || whole.split("_PORT_").skip(1).any(port_of)
}

fn from_flags(sources: &Sources, faults: &mut Vec<Fault>) -> Vec<Found> {
    let mut found = Vec::new();
    for (key, value, flag) in &sources.flags {
        let origin = Origin::Flag(flag.clone());
        match resolve(key) {
            Some((setting, false)) if setting.secret => faults.push(Fault {
                origin,
                key: Some(key.clone()),
                problem: "is a secret, and arguments are seen by every user of the machine".to_owned(),
                remedy: Some(format!("use {} or {}_FILE", variable(key), variable(key))),
            }),
            Some((setting, names_file)) => {
                found.push(Found { setting, names_file, raw: Raw::Text(value.clone()), origin });
            }
            None => faults.push(Fault {
                origin,
                key: Some(key.clone()),
                problem: "is not a setting".to_owned(),
                remedy: suggestion(key),
            }),
        }
    }
    // A flag given twice: the last holds.
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, one) in found.iter().enumerate() {
        last.insert(one.setting.key, index);
    }
    let mut index = 0;
    found.retain(|one| {
        index += 1;
        last.get(one.setting.key) == Some(&(index - 1))
    });
    found
}
