//! The desktop's keyring (Secret Service on the session's D-Bus): asked only where it may be, and not waited for without end.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error};
use secrecy::{ExposeSecret, SecretString};
use zbus_secret_service_keyring_store::Store;

use crate::context::Context;

/// Name under which the keyring shows what is kept.
const SERVICE: &str = "platform";

/// How long a person may take to unlock it; one that never answers is none.
const PATIENCE: Duration = Duration::from_mins(1);

/// Whether this session has a D-Bus at all. Without one nothing is asked, and a command starts as fast as ever.
pub(super) fn may_be_there(context: &Context) -> bool {
    context.variable("DBUS_SESSION_BUS_ADDRESS").is_some()
        || context.variable("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(folder).join("bus").exists())
}

/// Keeps a secret; the error says why that can't be done.
pub(super) fn keep(name: &str, secret: &SecretString) -> Result<(), String> {
    let secret = secret.clone();
    asked(name, move |entry| entry.set_password(secret.expose_secret()))
}

/// The secret that is kept, if any.
pub(super) fn read(name: &str) -> Result<Option<SecretString>, String> {
    asked(name, |entry| match entry.get_password() {
        Ok(secret) => Ok(Some(SecretString::from(secret))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error),
    })
}

/// Forgets the secret.
pub(super) fn forget(name: &str) -> Result<(), String> {
    asked(name, |entry| match entry.delete_credential() {
        Err(Error::NoEntry) => Ok(()),
        other => other,
    })
}

/// Asks in a thread of its own: the client of the D-Bus blocks, and runs its own runtime, which one of ours can't hold.
fn asked<T: Send + 'static>(
    name: &str,
    work: impl FnOnce(&Entry) -> Result<T, Error> + Send + 'static,
) -> Result<T, String> {
    let (tell, told) = mpsc::channel();
    let name = name.to_owned();
    std::thread::spawn(move || {
        let answer = entry(&name).and_then(|entry| work(&entry));
        // Nobody listens any more where it took too long.
        let _ = tell.send(answer.map_err(|error| error.to_string()));
    });
    told.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("it does not answer".to_owned()))
}

fn entry(name: &str) -> Result<Entry, Error> {
    let store: std::sync::Arc<CredentialStore> = Store::new()?;
    Entry::new_in_store(&store, SERVICE, name)
}
