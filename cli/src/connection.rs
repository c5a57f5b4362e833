//! Finds the platform that a client command talks to, and what it may sign in with there.

use kit::config::{Settings, read_secret_file};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::api::{Api, Peer};
use crate::arguments::Global;
use crate::context::Context;
use crate::data_folder;
use crate::failure::{Exit, Failure, Outcome};
use crate::run_file::RunFile;
use crate::settings;

/// The platform a command talks to.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Where it is.
    pub(crate) url: Url,
    /// The settings of this machine.
    pub(crate) settings: Settings,
    /// Whether `url` is the platform of these settings: only that one ever gets an operator's token.
    pub(crate) own: bool,
    /// Whether the command was told where it is.
    named: bool,
    /// What a process of this data folder says of itself, if one runs.
    running: Option<RunFile>,
}

impl Connection {
    /// Finds it: `--url` or `PLATFORM_URL`, else the one running here, else where one would listen.
    pub(crate) fn find(context: &mut Context, global: &Global) -> Outcome<Self> {
        let settings = settings::load(context, global, &[])?.settings;
        let running = RunFile::of_running(&settings.run_file()).filter(|run| run.gateway.is_some());
        let listening = running.as_ref().and_then(|run| run.gateway).unwrap_or(settings.gateway.listen);
        let local = settings::public_url(&settings, listening);
        let Some(given) = global.url.as_deref().filter(|given| !given.is_empty()) else {
            let url = parsed(&local)?;
            return Ok(Self { url, settings, own: true, named: false, running });
        };
        let url = parsed(given)?;
        let mine = [Some(local), settings.gateway.public_url.as_ref().map(ToString::to_string)];
        let own = mine
            .iter()
            .flatten()
            .filter_map(|text| parsed(text).ok())
            .any(|mine| mine.origin() == url.origin());
        Ok(Self { url, settings, own, named: true, running })
    }

    /// A client that is not signed in.
    pub(crate) fn anonymous(&self) -> Outcome<Api> {
        Api::new(self.url.clone(), None, self.peer())
    }

    /// A client that is: with `PLATFORM_TOKEN` (or the file that `PLATFORM_TOKEN_FILE` names), else as the operator of this
    /// machine where the platform's own configuration is at hand.
    pub(crate) async fn signed_in(&self, context: &Context) -> Outcome<Api> {
        let token = match given_token(context)? {
            Some(token) => token,
            None => self.operator_token().await.map_err(|failure| self.not_signed_in(failure))?,
        };
        Api::new(self.url.clone(), Some(token), self.peer())
    }

    /// Who answers. The process that wrote the run file holds the port on this machine: nobody can stand between, and its
    /// certificate is made out to another name.
    fn peer(&self) -> Peer {
        if self.own && !self.named && self.running.is_some() { Peer::OwnProcess } else { Peer::Certified }
    }

    /// A token for the operator of this machine, from the platform's own keys.
    pub(crate) async fn operator_token(&self) -> Outcome<SecretString> {
        if !self.own {
            return Err(Failure::new(
                Exit::NotAllowed,
                "only the platform of this machine's configuration takes its operator",
            ));
        }
        let key = data_folder::master_key(&self.settings)?;
        let mut config = settings::gateway(&self.settings, key, settings::service_urls(&self.settings, &[]))?;
        if let Some(bound) = self.running.as_ref().and_then(|run| run.gateway) {
            config.listen = bound;
        }
        if let Some(path) = config.database_url.sqlite_path()
            && !path.exists()
        {
            return Err(Failure::failed(format!("the gateway's database {} does not exist", path.display())));
        }
        gateway::operator_token(&config)
            .await
            .map_err(|error| Failure::failed("no token for the operator can be made").caused_by(&error))
    }

    /// Tells the way in; where nothing runs and nothing was named, that comes first.
    fn not_signed_in(&self, failure: Failure) -> Failure {
        if self.running.is_none() && !self.named {
            return Failure::new(Exit::Unreachable, "no platform runs here")
                .because(format!("there is no {}", self.settings.run_file().display()))
                .next("Start it with `platform serve`, or say where it is by --url (PLATFORM_URL) and sign in by PLATFORM_TOKEN.");
        }
        let mut told = Failure::new(Exit::NotAllowed, format!("not signed in at {}", self.url))
            .because(match &failure.why {
                Some(why) => format!("{}: {why}", failure.what),
                None => failure.what.clone(),
            })
            .next("Set PLATFORM_TOKEN=$(platform token issue --email ADDRESS), or run this where the platform's configuration is.");
        told.causes = failure.causes;
        told
    }
}

/// The token in `PLATFORM_TOKEN`, or in the file that `PLATFORM_TOKEN_FILE` names.
pub(crate) fn given_token(context: &Context) -> Outcome<Option<SecretString>> {
    match (context.variable("PLATFORM_TOKEN"), context.variable("PLATFORM_TOKEN_FILE")) {
        (Some(_), Some(_)) => Err(Failure::failed("PLATFORM_TOKEN and PLATFORM_TOKEN_FILE are both set")
            .next("Set only one of them.")),
        (Some(token), None) => Ok(Some(SecretString::from(token.trim()))),
        (None, Some(path)) => {
            let token = read_secret_file(path.as_ref())
                .map_err(|reason| Failure::failed(format!("PLATFORM_TOKEN_FILE {reason}")))?;
            Ok(Some(SecretString::from(token.expose_secret().trim())))
        }
        (None, None) => Ok(None),
    }
}

/// A base URL of a gateway. A wrong one is not repeated: it may hold a password.
fn parsed(text: &str) -> Outcome<Url> {
    let wrong = |why: &str| {
        Failure::usage("the platform's URL (--url, PLATFORM_URL) can't be used")
            .because(why.to_owned())
            .next("Write it like http://127.0.0.1:8001.")
    };
    let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("it is no http:// or https:// address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user name or password, which do not belong there"));
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_is_told_without_repeating_it() {
        for wrong in ["S3NT", "http://u:S3NT@h/", "ftp://S3NT", "http://", "postgres://u:S3NT@h/d"] {
            let failure = parsed(wrong).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(!failure.text(true).contains("S3NT"), "{failure:?}");
        }
        assert_eq!(parsed("http://h:1/base").unwrap().as_str(), "http://h:1/base/");
    }
}
