//! Reads a configuration file into keys, raw values and lines, and services; finds keys that are no settings.

use std::collections::BTreeSet;
use std::path::Path;

use serde::de::{DeserializeOwned, IntoDeserializer};
use toml_edit::{Document, Item, TableLike, Value};

use super::composed::{Composed, ComposedSettings};
use super::declared::{Declared, ServiceSettings};
use super::fault::{Fault, Origin, closest, did_you_mean};
use super::issuer::IssuerSettings;
use super::kind::Raw;
use super::own::TAKEN;
use super::table::{SECTIONS, SETTINGS, Setting, find};

/// The list of declared services.
const SERVICE: &str = "service";

/// The list of issuers.
const ISSUER: &str = "issuer";

/// The list of composed operations.
const COMPOSE: &str = "compose";

/// One value found in a source.
pub(super) struct Found {
    pub(super) setting: &'static Setting,
    /// It was the `…_file` form: the value names a file that holds the secret.
    pub(super) names_file: bool,
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// Finds the setting a full key means; for `gateway.master_key_file` the secret, and that a file is named.
pub(super) fn resolve(key: &str) -> Option<(&'static Setting, bool)> {
    if let Some(setting) = find(key) {
        return Some((setting, false));
    }
    let setting = find(key.strip_suffix("_file")?)?;
    setting.secret.then_some((setting, true))
}

/// What a file holds.
#[derive(Default)]
pub(super) struct Read {
    pub(super) found: Vec<Found>,
    pub(super) services: Vec<Declared>,
    pub(super) issuers: Vec<IssuerSettings>,
    pub(super) composed: Vec<Composed>,
}

/// Reads the text of a file that stands in `folder`.
pub(super) fn read(path: &Path, folder: &Path, text: &str, faults: &mut Vec<Fault>) -> Read {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            faults.push(Fault {
                origin: Origin::File { path: path.to_owned(), line },
                key: None,
                problem: format!("is not TOML: {}", error.message().replace('\n', ", ")),
                remedy: None,
            });
            return Read::default();
        }
    };
    let mut reader = Reader { path, folder, text, faults, read: Read::default() };
    reader.top(document.as_table());
    reader.across();
    reader.read
}

struct Reader<'a> {
    path: &'a Path,
    folder: &'a Path,
    text: &'a str,
    faults: &'a mut Vec<Fault>,
    read: Read,
}

impl Reader<'_> {
    fn top(&mut self, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let line = self.line(table, name, item);
            if resolve(name).is_some() {
                self.value(name, item, line);
            } else if name == SERVICE {
                self.services(item, line);
            } else if name == ISSUER {
                self.issuers(item, line);
            } else if name == COMPOSE {
                self.composed(item, line);
            } else if SECTIONS.iter().any(|(section, _)| *section == name) {
                match item.as_table_like() {
                    Some(section) => self.section(name, section),
                    None => self.fault(
                        line,
                        name,
                        "is a value, not a section",
                        Some(format!("write [{name}] and its settings below")),
                    ),
                }
            } else {
                self.unknown_at_top(name, item, line);
            }
        }
    }

    fn section(&mut self, section: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let key = format!("{section}.{name}");
            let line = self.line(table, name, item);
            if resolve(&key).is_some() {
                self.value(&key, item, line);
            } else {
                let remedy = suggestion(&key);
                self.fault(line, &key, "is not a setting", remedy);
            }
        }
    }

    fn services(&mut self, item: &Item, line: usize) {
        for (line, settings) in self.tables::<ServiceSettings>(SERVICE, item, line) {
            let named = |other: &&Declared| other.settings.name == settings.name;
            if let Some(other) = self.read.services.iter().find(named) {
                let problem = format!("{} is declared as well at {}", settings.name, other.origin);
                self.fault(line, SERVICE, &problem, Some("give each a name of its own".to_owned()));
            }
            if TAKEN.contains(&settings.name.as_str()) {
                let problem = format!("{} is a service of the platform's own", settings.name);
                self.fault(line, SERVICE, &problem, Some("give it another name".to_owned()));
            }
            let origin = Origin::File { path: self.path.to_owned(), line };
            self.read.services.push(Declared { settings, origin, folder: self.folder.to_owned() });
        }
    }

    fn issuers(&mut self, item: &Item, line: usize) {
        for (line, settings) in self.tables::<IssuerSettings>(ISSUER, item, line) {
            let same =
                |other: &IssuerSettings| other.name == settings.name || other.issuer == settings.issuer;
            if self.read.issuers.iter().any(same) {
                let problem = format!("{} ({}) stands twice", settings.name, settings.issuer);
                self.fault(line, ISSUER, &problem, Some("write each issuer once".to_owned()));
            }
            self.read.issuers.push(settings);
        }
    }

    fn composed(&mut self, item: &Item, line: usize) {
        let line_at = |span: Option<std::ops::Range<usize>>, otherwise: usize| {
            span.map_or(otherwise, |span| line_of(self.text, span.start))
        };
        let mut parts = std::collections::BTreeMap::new();
        for table in item.as_array_of_tables().into_iter().flatten() {
            let line = line_at(table.span(), line);
            let listed = table.get("part").and_then(Item::as_array_of_tables).into_iter().flatten();
            parts.insert(line, listed.map(|part| line_at(part.span(), line)).collect::<Vec<_>>());
        }
        for (line, settings) in self.tables::<ComposedSettings>(COMPOSE, item, line) {
            let at = |line| Origin::File { path: self.path.to_owned(), line };
            let parts = parts.get(&line).into_iter().flatten().map(|line| at(*line)).collect();
            let composed = Composed { settings, origin: at(line), parts };
            self.read.composed.push(composed);
        }
    }

    /// What one table says of another.
    fn across(&mut self) {
        let known: Vec<String> = self.read.issuers.iter().map(|issuer| issuer.name.to_string()).collect();
        for declared in &self.read.services {
            for name in &declared.settings.issuers {
                if !known.contains(&name.to_string()) {
                    self.faults.push(Fault {
                        origin: declared.origin.clone(),
                        key: Some(SERVICE.to_owned()),
                        problem: format!("issuers: {name} is no [[issuer]] of this file"),
                        remedy: did_you_mean(name.as_str(), known.iter().map(String::as_str))
                            .or_else(|| Some(format!("write [[issuer]] with name = \"{name}\""))),
                    });
                }
            }
        }
    }

    /// Every table of a list, each by itself, so that the faults of all are told at once; with its line.
    fn tables<T: DeserializeOwned>(&mut self, list: &str, item: &Item, line: usize) -> Vec<(usize, T)> {
        let Some(tables) = item.as_array_of_tables() else {
            let remedy = Some(format!("write [[{list}]] and its settings below, once for each {list}"));
            self.fault(line, list, &format!("is no list of {list}s"), remedy);
            return Vec::new();
        };
        let mut read = Vec::new();
        for table in tables {
            let line = table.span().map_or(line, |span| line_of(self.text, span.start));
            let deserializer = Value::InlineTable(table.clone().into_inline_table()).into_deserializer();
            match T::deserialize(deserializer) {
                Ok(settings) => read.push((line, settings)),
                Err(error) => {
                    let line = error.span().map_or(line, |span| line_of(self.text, span.start));
                    let remedy = format!("docs/ADDING-A-SERVICE.md tells what [[{list}]] takes");
                    self.fault(line, list, error.message().trim_end(), Some(remedy));
                }
            }
        }
        read
    }

    fn unknown_at_top(&mut self, name: &str, item: &Item, line: usize) {
        let sections: Vec<&str> = SECTIONS.iter().map(|(section, _)| *section).collect();
        let remedy = if item.is_table_like() { did_you_mean(name, sections) } else { None }
            .or_else(|| suggestion(name));
        let what = if item.is_table_like() { "is not a section" } else { "is not a setting" };
        self.fault(line, name, what, remedy);
    }

    fn value(&mut self, key: &str, item: &Item, line: usize) {
        let Some((setting, names_file)) = resolve(key) else {
            return;
        };
        let raw = match item {
            Item::Value(value) => raw(value),
            _ => Raw::Other("a section, not a value"),
        };
        let origin = Origin::File { path: self.path.to_owned(), line };
        self.read.found.push(Found { setting, names_file, raw, origin });
    }

    fn line(&self, table: &dyn TableLike, name: &str, item: &Item) -> usize {
        let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
        span.map_or(1, |span| line_of(self.text, span.start))
    }

    fn fault(&mut self, line: usize, key: &str, problem: &str, remedy: Option<String>) {
        self.faults.push(Fault {
            origin: Origin::File { path: self.path.to_owned(), line },
            key: Some(key.to_owned()),
            problem: problem.to_owned(),
            remedy,
        });
    }
}

/// "did you mean …?": a close key, or the same name in another section.
pub(super) fn suggestion(key: &str) -> Option<String> {
    if let Some(found) = closest(key, SETTINGS.iter().map(|setting| setting.key)) {
        return Some(format!("did you mean {found}?"));
    }
    let name = key.rsplit('.').next().unwrap_or(key);
    let exact: BTreeSet<&str> =
        SETTINGS.iter().filter(|setting| setting.name() == name).map(|setting| setting.key).collect();
    if !exact.is_empty() {
        return Some(format!("did you mean {}?", exact.into_iter().collect::<Vec<_>>().join(" or ")));
    }
    let names = SETTINGS.iter().map(Setting::name);
    let near = closest(name, names)?;
    SETTINGS
        .iter()
        .find(|setting| setting.name() == near)
        .map(|setting| format!("did you mean {}?", setting.key))
}

fn raw(value: &Value) -> Raw {
    match value {
        Value::String(text) => Raw::Text(text.value().clone()),
        Value::Integer(number) => Raw::Integer(*number.value()),
        Value::Boolean(value) => Raw::Bool(*value.value()),
        Value::Array(items) => match items.iter().map(|item| item.as_str().map(str::to_owned)).collect() {
            Some(list) => Raw::List(list),
            None => Raw::Other("a list of other things than text"),
        },
        Value::Float(_) => Raw::Other("a number with a fraction"),
        Value::Datetime(_) => Raw::Other("a date"),
        Value::InlineTable(_) => Raw::Other("a table"),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
