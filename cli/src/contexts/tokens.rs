//! Where the tokens of a session are kept: in the keyring where there is one, else in a file of mode 0600.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use contract::Secret;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::name::ContextName;
use super::{Entry, keyring, prepare, write_whole};
use crate::failure::{Failure, Outcome};

/// The tokens of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tokens {
    /// Sent with every request.
    pub(crate) access_token: Secret,
    /// Exchanged for new tokens once the other has expired.
    pub(crate) refresh_token: Secret,
    /// When that is, in seconds since 1970 by this machine's clock.
    pub(crate) expires_at: i64,
}

impl Tokens {
    /// The tokens of an answer to a sign-in or a refresh.
    pub(crate) fn of_answer(answer: &Value, now: OffsetDateTime) -> Outcome<Self> {
        let text = |name: &str| answer[name].as_str().map(|text| Secret::from(text.to_owned()));
        let (Some(access_token), Some(refresh_token), Some(seconds)) =
            (text("access_token"), text("refresh_token"), answer["expires_in"].as_i64())
        else {
            return Err(Failure::failed("the platform answered without tokens"));
        };
        Ok(Self { access_token, refresh_token, expires_at: now.unix_timestamp() + seconds })
    }
}

/// Where the tokens of a session are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Store {
    /// The desktop's keyring.
    Keyring,
    /// A file that only its owner may read.
    File,
}

impl Store {
    /// Its name.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
        }
    }
}

/// Keeps the tokens of all contexts of a person.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    folder: PathBuf,
    keyring: bool,
}

impl Shelf {
    /// A shelf with its files in this folder; `keyring` where there may be one.
    pub(super) fn new(folder: PathBuf, keyring: bool) -> Self {
        Self { folder, keyring }
    }

    /// Keeps tokens for the first time. The second value says why the keyring that may be there does not hold them.
    pub(crate) fn place(
        &self,
        name: &ContextName,
        entry: &Entry,
        tokens: &Tokens,
    ) -> Outcome<(Store, Option<String>)> {
        let mut refused = None;
        if self.keyring {
            match self.put(name, entry, Store::Keyring, tokens) {
                Ok(()) => {
                    self.forget_file(name)?;
                    return Ok((Store::Keyring, None));
                }
                Err(failure) => refused = failure.why,
            }
        }
        self.put(name, entry, Store::File, tokens)?;
        Ok((Store::File, refused))
    }

    /// Puts tokens in the place of those that are kept.
    pub(crate) fn put(&self, name: &ContextName, entry: &Entry, store: Store, tokens: &Tokens) -> Outcome {
        let text = serde_json::to_string(tokens)
            .map_err(|error| Failure::failed("the tokens can't be written").caused_by(&error))?;
        match store {
            Store::Keyring => keyring::keep(&label(name, entry), &SecretString::from(text))
                .map_err(|reason| refused("does not keep the tokens", reason)),
            Store::File => {
                prepare(&self.folder)?;
                write_whole(&self.file(name), &format!("{text}\n"))
            }
        }
    }

    /// The tokens that are kept; nothing where somebody has removed them.
    pub(crate) fn read(&self, name: &ContextName, entry: &Entry, store: Store) -> Outcome<Option<Tokens>> {
        let text = match store {
            Store::Keyring => keyring::read(&label(name, entry))
                .map_err(|reason| refused("can't be read", reason))?
                .map(|secret| secret.expose_secret().to_owned()),
            Store::File => match fs::read_to_string(self.file(name)) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => {
                    let path = self.file(name);
                    return Err(Failure::failed(format!("can't read {}: {error}", path.display())));
                }
            },
        };
        // What a person has spoilt is as good as gone; what it says is not repeated.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Forgets the tokens.
    pub(crate) fn forget(&self, name: &ContextName, entry: &Entry, store: Store) -> Outcome {
        match store {
            Store::Keyring => keyring::forget(&label(name, entry))
                .map_err(|reason| refused("does not forget the tokens", reason)),
            Store::File => self.forget_file(name),
        }
    }

    fn forget_file(&self, name: &ContextName) -> Outcome {
        match fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let path = self.file(name);
                Err(Failure::failed(format!("can't remove {}: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// Held while tokens are exchanged, so that of two commands at once one does it and the other takes what it got.
    pub(crate) fn lock(&self, name: &ContextName) -> Outcome<File> {
        prepare(&self.folder)?;
        let path = self.folder.join(format!("{name}.lock"));
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let locked = opened.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|error| Failure::failed(format!("can't lock {}: {error}", path.display())))
    }

    /// The file of a context's tokens.
    #[must_use]
    pub(crate) fn file(&self, name: &ContextName) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

fn refused(what: &str, reason: String) -> Failure {
    Failure::failed(format!("the keyring {what}"))
        .because(reason)
        .next("Unlock it, or sign in with --no-keyring.")
}

/// The keyring is one for all folders of contexts: the address keeps apart what has the same name.
fn label(name: &ContextName, entry: &Entry) -> String {
    format!("{name} {}", entry.url)
}
