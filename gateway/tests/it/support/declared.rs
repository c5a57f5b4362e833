//! Declared services for tests: a document in a folder of its own, and the settings that name it.

use std::path::Path;

use kit::config::{Declared, Origin, ServiceSettings};

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
