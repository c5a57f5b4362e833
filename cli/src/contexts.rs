//! Platforms by name, and who is signed in at each: `contexts.toml` in the person's configuration folder, without any token.

mod keyring;
mod name;
mod session;
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::context::Context;
use crate::data_folder;
use crate::failure::{Exit, Failure, Outcome};

pub(crate) use name::ContextName;
pub(crate) use session::Session;
pub(crate) use tokens::{Shelf, Store, Tokens};

/// The contexts of a person.
#[derive(Debug)]
pub(crate) struct Contexts {
    /// The folder; nothing where the environment names none.
    folder: Option<PathBuf>,
    /// What the file says.
    told: Told,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<ContextName>,
    #[serde(default)]
    context: BTreeMap<ContextName, Entry>,
}

/// A platform that has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Where it is.
    pub(crate) url: Url,
    /// Who is signed in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// Where the tokens are kept; nothing where nobody is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<Store>,
}

impl Contexts {
    /// Reads the file; there are none where it is not there.
    pub(crate) fn load(context: &Context) -> Outcome<Self> {
        let folder = folder(context);
        let Some(path) = folder.as_deref().map(file) else {
            return Ok(Self { folder, told: Told::default() });
        };
        let told = match fs::read_to_string(&path) {
            Ok(text) => toml_edit::de::from_str(&text).map_err(|error| {
                Failure::failed(format!("{} can't be understood", path.display()))
                    .because(error.to_string().lines().last().unwrap_or_default().to_owned())
                    .next("Mend it, or remove it and sign in again by `platform login`.")
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => Told::default(),
            Err(error) => {
                return Err(Failure::failed(format!("can't read {}: {error}", path.display())));
            }
        };
        Ok(Self { folder, told })
    }

    /// The context that commands use where none is named.
    #[must_use]
    pub(crate) fn current(&self) -> Option<&ContextName> {
        self.told.current.as_ref()
    }

    /// The context of this name.
    #[must_use]
    pub(crate) fn get(&self, name: &ContextName) -> Option<&Entry> {
        self.told.context.get(name)
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&ContextName, &Entry)> {
        self.told.context.iter()
    }

    /// The context of a platform that was named by its address: the current one before others.
    #[must_use]
    pub(crate) fn at(&self, url: &Url) -> Option<&ContextName> {
        let is_there = |name: &&ContextName| self.get(name).is_some_and(|entry| entry.url == *url);
        self.current().filter(is_there).or_else(|| self.told.context.keys().find(is_there))
    }

    /// Puts a context in the place of what has its name.
    pub(crate) fn put(&mut self, name: ContextName, entry: Entry) {
        self.told.context.insert(name, entry);
    }

    /// Takes a context out.
    pub(crate) fn remove(&mut self, name: &ContextName) -> Option<Entry> {
        if self.current() == Some(name) {
            self.told.current = None;
        }
        self.told.context.remove(name)
    }

    /// Makes a context the current one.
    pub(crate) fn make_current(&mut self, name: Option<ContextName>) {
        self.told.current = name;
    }

    /// Writes the file, for its owner's eyes alone.
    pub(crate) fn save(&self) -> Outcome {
        let folder = self.folder()?;
        prepare(folder)?;
        let text = toml_edit::ser::to_string_pretty(&self.told)
            .map_err(|error| Failure::failed("the contexts can't be written").caused_by(&error))?;
        write_whole(&file(folder), &format!("# Written by `platform login` and `platform context`.\n{text}"))
    }

    /// Where tokens are kept.
    pub(crate) fn shelf(&self, context: &Context) -> Outcome<Shelf> {
        Ok(Shelf::new(self.folder()?.join("sessions"), keyring::may_be_there(context)))
    }

    fn folder(&self) -> Outcome<&Path> {
        self.folder.as_deref().ok_or_else(|| {
            Failure::failed("there is no place for contexts")
                .because("neither HOME nor XDG_CONFIG_HOME is set")
        })
    }

    /// What to say of a name that no context has.
    #[must_use]
    pub(crate) fn unknown(name: &ContextName) -> Failure {
        Failure::new(Exit::NotFound, format!("there is no context {name}")).next(format!(
            "`platform context list` lists them; `platform login --context {name} --url URL` makes it."
        ))
    }
}

/// Makes a folder that only its owner may look into.
fn prepare(folder: &Path) -> Outcome {
    data_folder::prepare(folder).map_err(elsewhere)
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_whole(path: &Path, text: &str) -> Outcome {
    data_folder::write_whole(path, text).map_err(elsewhere)
}

/// The way out of a folder that can't be written in.
fn elsewhere(failure: Failure) -> Failure {
    failure.next("Mend that, or name another folder by XDG_CONFIG_HOME.")
}

fn file(folder: &Path) -> PathBuf {
    folder.join("contexts.toml")
}

/// The person's configuration folder of this command, as the XDG rules say.
fn folder(context: &Context) -> Option<PathBuf> {
    let absolute = |name: &str| context.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    base.map(|base| base.join("platform"))
}
