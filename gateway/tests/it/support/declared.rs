//! Declared services for tests: a document in a folder of its own, and the settings that name it.

use std::path::Path;

use kit::config::{Composed, ComposedSettings, Declared, Origin, ServiceSettings};

/// A service called `echo` at `url`, bound by `document`, with more settings as TOML.
pub(crate) fn declared(folder: &Path, url: &str, document: &serde_json::Value, more: &str) -> Declared {
    named("echo", folder, url, document, more)
}

/// A service of another name.
pub(crate) fn named(
    name: &str,
    folder: &Path,
    url: &str,
    document: &serde_json::Value,
    more: &str,
) -> Declared {
    std::fs::write(folder.join(format!("{name}.json")), document.to_string()).unwrap();
    let text = format!("name = \"{name}\"\nopenapi = \"{name}.json\"\nurls = [\"{url}\"]\n{more}");
    let settings: ServiceSettings = toml_edit::de::from_str(&text).unwrap();
    let origin = Origin::File { path: "platform.toml".into(), line: 1 };
    Declared { settings, origin, folder: folder.to_owned() }
}

/// An operation that is composed as this TOML says.
pub(crate) fn composed(text: &str) -> Composed {
    let settings: ComposedSettings = toml_edit::de::from_str(text).unwrap();
    let at = |line| Origin::File { path: "platform.toml".into(), line };
    let parts = (0..settings.parts.len()).map(|part| at(10 + part)).collect();
    Composed { settings, origin: at(1), parts }
}
