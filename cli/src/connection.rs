//! Finds the platform that a client command talks to, and what it may sign in with there.

use kit::config::{Settings, read_secret_file};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::api::{Api, Bearer, Peer};
use crate::arguments::Global;
use crate::context::Context;
use crate::contexts::{ContextName, Contexts, Entry, Session};
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
    /// Whether `url` is the platform of these settings: only that one ever gets an operator's token, and only where it runs here or
    /// the command was told its address.
    pub(crate) own: bool,
    /// The context it was found by, or that is of its address.
    pub(crate) name: Option<ContextName>,
    /// The contexts of this person.
    pub(crate) contexts: Contexts,
    /// Where the platform of this machine's configuration is.
    local: Url,
    /// Whether the command was told where it is.
    named: bool,
    /// Whether this very command was, by a flag or variable, and not by the context that is current.
    told: bool,
    /// What a process of this data folder says of itself, if one runs.
    running: Option<RunFile>,
}

/// By what a command is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// `PLATFORM_TOKEN`, or the file that `PLATFORM_TOKEN_FILE` names.
    Token,
    /// A session that `platform login` began.
    Session,
    /// The operator of this machine.
    Operator,
}

impl Connection {
    /// Finds it: by `--url` or `--context`, by the current context, else the one running here, else where one would listen.
    pub(crate) fn find(context: &mut Context, global: &Global) -> Outcome<Self> {
        let contexts = Contexts::load(context)?;
        let chosen = Choice::of(context, global)?;
        let settings = settings::load(context, global, &[])?.settings;
        let running = RunFile::of_running(&settings.run_file()).filter(|run| run.gateway.is_some());
        let listening = running.as_ref().and_then(|run| run.gateway).unwrap_or(settings.gateway.listen);
        let local = parsed(&settings::public_url(&settings, listening))?;
        let of_name = |name: Option<ContextName>| match name {
            None => Ok((local.clone(), None)),
            Some(name) if name.is_local() => Ok((local.clone(), Some(name))),
            Some(name) => match contexts.get(&name) {
                Some(entry) => Ok((entry.url.clone(), Some(name))),
                None => Err(Contexts::unknown(&name)),
            },
        };
        let by_address = matches!(chosen, Choice::Url(_) | Choice::Both(..));
        let by_name = matches!(&chosen, Choice::Context(name) if !name.is_local());
        let (url, name) = match chosen {
            Choice::Url(url) => {
                let name = contexts.at(&url).cloned();
                (url, name)
            }
            Choice::Context(name) => of_name(Some(name))?,
            Choice::Both(name, asked) => {
                let (url, name) = of_name(Some(name))?;
                if url != asked {
                    return Err(Failure::usage("--context and --url name two platforms")
                        .because(format!("the context is at {url}"))
                        .next("Leave one of them out."));
                }
                (url, name)
            }
            Choice::Nothing => of_name(contexts.current().cloned())?,
        };
        let named = by_address || name.as_ref().is_some_and(|name| !name.is_local());
        let mine = settings.gateway.public_url.as_ref().and_then(|url| parsed(url.as_str()).ok());
        let own =
            [Some(&local), mine.as_ref()].into_iter().flatten().any(|mine| mine.origin() == url.origin());
        Ok(Self { url, settings, own, name, contexts, local, named, told: by_address || by_name, running })
    }

    /// The platform to sign in at, and the context that it becomes.
    pub(crate) fn to_sign_in(context: &mut Context, global: &Global) -> Outcome<(Self, ContextName)> {
        let is_known = match &global.context {
            Some(name) => name.is_local() || Contexts::load(context)?.get(name).is_some(),
            None => true,
        };
        let (name, found) = match Choice::of(context, global)? {
            Choice::Both(name, _) => {
                (Some(name), Self::find(context, &Global { context: None, ..global.clone() })?)
            }
            Choice::Context(name) if !is_known && global.url.is_some() => {
                (Some(name), Self::find(context, &Global { context: None, ..global.clone() })?)
            }
            _ => (None, Self::find(context, global)?),
        };
        let given = name.is_some();
        let name = match name.or_else(|| found.name.clone()) {
            Some(name) => name,
            None if !found.named || found.url == found.local => ContextName::local(),
            None => ContextName::of_url(&found.url).ok_or_else(|| {
                Failure::usage("no name can be made from this address").next("Add one: --context NAME")
            })?,
        };
        if given && name.is_local() && found.url != found.local {
            return Err(Failure::usage("local is the platform of this machine, and none elsewhere")
                .because(format!("it is at {}", found.local))
                .next("Take another name."));
        }
        Ok((found, name))
    }

    /// A client that is not signed in.
    pub(crate) fn anonymous(&self) -> Outcome<Api> {
        Api::new(self.url.clone(), Bearer::Nobody, self.peer())
    }

    /// A client that is: with `PLATFORM_TOKEN` (or the file that `PLATFORM_TOKEN_FILE` names), else by the session that
    /// `platform login` began, else as the operator of this machine where the platform's own configuration is at hand.
    pub(crate) async fn signed_in(&self, context: &Context) -> Outcome<Api> {
        Ok(self.signed_in_by(context).await?.0)
    }

    /// As [`Self::signed_in`], and by what.
    pub(crate) async fn signed_in_by(&self, context: &Context) -> Outcome<(Api, Means)> {
        let (bearer, means) = if let Some(token) = given_token(context)? {
            (Bearer::Token(token), Means::Token)
        } else if let Some(session) = self.session(context)? {
            (Bearer::Session(Box::new(session)), Means::Session)
        } else {
            let token = self.token_to_send().await.map_err(|failure| self.not_signed_in(failure))?;
            (Bearer::Token(token), Means::Operator)
        };
        Ok((Api::new(self.url.clone(), bearer, self.peer())?, means))
    }

    /// The session of the context, if somebody is signed in there. It goes to the platform that began it and no other.
    pub(crate) fn session(&self, context: &Context) -> Outcome<Option<Session>> {
        let Some((name, entry)) = self.entry() else { return Ok(None) };
        let kept = self.contexts.shelf(context)?;
        Session::open(name.clone(), entry.clone(), kept, context.now)
    }

    /// The context, where it is of this address: the one called `local` may have another from before.
    #[must_use]
    pub(crate) fn entry(&self) -> Option<(&ContextName, &Entry)> {
        let name = self.name.as_ref()?;
        let entry = self.contexts.get(name)?;
        (entry.url == self.url).then_some((name, entry))
    }

    /// Who answers. The process that wrote the run file holds the port on this machine: nobody can stand between, and its
    /// certificate is made out to another name.
    fn peer(&self) -> Peer {
        if self.own && !self.named && self.running.is_some() { Peer::OwnProcess } else { Peer::Certified }
    }

    /// Who answers at the address of a context, which need not be that of this connection.
    pub(crate) fn peer_at(&self, url: &Url) -> Peer {
        if *url == self.url { self.peer() } else { Peer::Certified }
    }

    /// An operator's token for the platform at this address. Where none runs here, any user of the machine may hold the port: then only
    /// a command that was told the address (of another container or machine of the same settings) sends one.
    async fn token_to_send(&self) -> Outcome<SecretString> {
        if self.own && self.running.is_none() && !self.told {
            return Err(Failure::new(Exit::NotAllowed, "no platform runs here")
                .because("whoever holds its port now would be given an operator's token"));
        }
        self.operator_token().await
    }

    /// A token for the operator of this machine, from the platform's own keys. Its bearer is whoever it is sent to.
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

    /// How `platform login` is told which platform is meant.
    fn flags(&self) -> String {
        match &self.name {
            Some(name) if !name.is_local() => format!(" --context {name}"),
            None if self.named => format!(" --url {}", self.url),
            _ => String::new(),
        }
    }

    /// Tells the way in; where nothing runs and nothing was named, that comes first.
    fn not_signed_in(&self, failure: Failure) -> Failure {
        if self.running.is_none() && !self.named {
            return Failure::new(Exit::Unreachable, "no platform runs here")
                .because(RunFile::absence(&self.settings.run_file()))
                .next(
                    "Start it with `platform serve`, or sign in at one elsewhere: platform login --url URL",
                );
        }
        let mut told = Failure::new(Exit::NotAllowed, format!("not signed in at {}", self.url))
            .because(match &failure.why {
                Some(why) => format!("{}: {why}", failure.what),
                None => failure.what.clone(),
            })
            .next(format!("Sign in by `platform login{}`, or set PLATFORM_TOKEN.", self.flags()));
        told.causes = failure.causes;
        told
    }
}

/// What a command was told of where the platform is. A flag wins over the variable of the other flag.
enum Choice {
    Nothing,
    Url(Url),
    Context(ContextName),
    Both(ContextName, Url),
}

impl Choice {
    fn of(context: &Context, global: &Global) -> Outcome<Self> {
        let url = global.url.as_deref().filter(|given| !given.is_empty());
        let name = global.context.clone();
        let url_by_variable = url.is_some() && url == context.variable("PLATFORM_URL");
        let name_by_variable =
            name.as_ref().is_some_and(|name| context.variable("PLATFORM_CONTEXT") == Some(name.as_str()));
        Ok(match (url.map(parsed).transpose()?, name) {
            (None, None) => Self::Nothing,
            (Some(url), None) => Self::Url(url),
            (None, Some(name)) => Self::Context(name),
            (Some(_), Some(name)) if url_by_variable && !name_by_variable => Self::Context(name),
            (Some(url), Some(_)) if name_by_variable && !url_by_variable => Self::Url(url),
            (Some(url), Some(name)) => Self::Both(name, url),
        })
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
pub(crate) fn parsed(text: &str) -> Outcome<Url> {
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
