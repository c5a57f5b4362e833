//! A table of users in another system's PostgreSQL database.

use std::collections::{BTreeMap, VecDeque};

use kit::config::read_secret_file;
use kit::database::{DatabaseError, DatabaseUrl};
use migration::source::{Source, SourceError, SourceUser};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::file::of_json;
use super::source::Line;
use crate::arguments::ImportArguments;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::prompt;

/// The variable that the URL may come from, with a password in it.
const VARIABLE: &str = "PLATFORM_IMPORT_FROM_POSTGRES";

/// Users fetched at once.
const PAGE: u32 = 1000;

/// The users of a table, page by page.
pub(super) struct Table {
    source: Source,
    /// Where it is, without a password.
    address: String,
    fetched: VecDeque<SourceUser>,
    last: Option<String>,
    /// How many there are after the place where it began.
    read: u64,
    /// Users that an earlier one's address keeps from being imported, and that one.
    namesakes: BTreeMap<String, String>,
}

/// A user whose address another one has already.
pub(super) struct Shared {
    pub(super) key: String,
    pub(super) email: String,
    pub(super) reason: String,
}

impl Table {
    pub(super) async fn open(context: &Context, arguments: &ImportArguments) -> Outcome<Self> {
        let url = given(context, arguments)?;
        let shown = parsed(&url)?;
        let open = async |url: &SecretString| {
            Source::open(&parsed(url)?, arguments.table.as_deref(), &arguments.columns)
                .await
                .map_err(|error| (error, shown.to_string()))
                .map_err(Unopened::from)
        };
        let source = match open(&url).await {
            // Perhaps all that lacks is the password.
            Err(Unopened::Source(SourceError::Database(DatabaseError::Refused(_)), _))
                if context.interactive && !has_password(&url) =>
            {
                let password = prompt::hidden(context, &format!("Password of the database at {shown}"))?;
                open(&with_password(&url, &password)?).await
            }
            other => other,
        };
        let source = source.map_err(Failure::from)?;
        let address = format!("{shown} {}", source.table());
        Ok(Self {
            source,
            address,
            fetched: VecDeque::new(),
            last: None,
            read: 0,
            namesakes: BTreeMap::new(),
        })
    }

    /// Where it is, without a password.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Its name, for files beside.
    pub(super) fn file_name(&self) -> String {
        self.source.table().replace(|c: char| !c.is_alphanumeric() && c != '_' && c != '.', "")
    }

    /// Looks for users whose address an earlier one has; their rows are refused from then on.
    pub(super) async fn shared(&mut self) -> Outcome<Vec<Shared>> {
        let found = self.source.namesakes().await.map_err(|error| self.failed(error))?;
        self.namesakes = found.iter().map(|user| (user.key.clone(), user.first.clone())).collect();
        let told = |first: &str| format!("email: the user {first} has the same address");
        Ok(found
            .into_iter()
            .map(|user| Shared { reason: told(&user.first), key: user.key, email: user.email })
            .collect())
    }

    pub(super) async fn next(&mut self) -> Outcome<Option<Line>> {
        if self.fetched.is_empty() {
            let page = self.source.page(self.last.as_deref(), PAGE).await;
            self.fetched = page.map_err(|error| self.failed(error))?.into();
        }
        let Some(user) = self.fetched.pop_front() else { return Ok(None) };
        self.read += 1;
        self.last = Some(user.key.clone());
        let row = match self.namesakes.get(&user.key) {
            Some(first) => Err(format!("email: the user {first} has the same address")),
            None => of_json(user.user.as_bytes()),
        };
        Ok(Some(Line::new(user.key, row)))
    }

    pub(super) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    pub(super) fn go_to(&mut self, key: String) {
        self.last = Some(key);
    }

    pub(super) fn read(&self) -> u64 {
        self.read
    }

    pub(super) async fn length(&self) -> Outcome<u64> {
        self.source.count(self.last.as_deref()).await.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: SourceError) -> Failure {
        Failure::from(Unopened::Source(error, self.address.clone()))
    }
}

/// Why a table can't be read, with where it is.
enum Unopened {
    Source(SourceError, String),
    Url(Failure),
}

impl From<(SourceError, String)> for Unopened {
    fn from((error, address): (SourceError, String)) -> Self {
        Self::Source(error, address)
    }
}

impl From<Failure> for Unopened {
    fn from(failure: Failure) -> Self {
        Self::Url(failure)
    }
}

impl From<Unopened> for Failure {
    fn from(unopened: Unopened) -> Self {
        let (error, address) = match unopened {
            Unopened::Url(failure) => return failure,
            Unopened::Source(error, address) => (error, address),
        };
        let exit = match &error {
            SourceError::NotPostgres | SourceError::NoColumn { .. } | SourceError::NoKey(_) => Exit::Usage,
            SourceError::NoTable(_) => Exit::NotFound,
            SourceError::Database(error) if error.is_unavailable() => Exit::Unreachable,
            SourceError::Database(_) => Exit::Failed,
        };
        let failure = Self::new(exit, format!("can't read the users of {address}"));
        match &error {
            SourceError::NoTable(_) => {
                failure.because(error.to_string()).next("Name it: --table SCHEMA.NAME")
            }
            SourceError::NoColumn { .. } => {
                failure.because(error.to_string()).next("Name it: --column password_hash=NAME")
            }
            _ => failure.caused_by(&error),
        }
    }
}

/// The URL. One with a password is taken from the variable and the file alone: arguments are seen by every user of the machine.
fn given(context: &Context, arguments: &ImportArguments) -> Outcome<SecretString> {
    if let Some(file) = &arguments.from_postgres_file {
        return read_secret_file(file)
            .map(|text| SecretString::from(text.expose_secret().trim()))
            .map_err(|reason| Failure::failed(format!("the file of the database's URL {reason}")));
    }
    let url = SecretString::from(arguments.from_postgres.clone().unwrap_or_default());
    if has_password(&url) && context.variable(VARIABLE) != Some(url.expose_secret()) {
        return Err(Failure::usage(
            "the URL on the command line holds a password, and others can read it there",
        )
        .because(format!("it may come from {VARIABLE}, from --from-postgres-file, or be asked for"))
        .next("Leave the password out of the URL; change it, since it was seen."));
    }
    Ok(url)
}

fn parsed(url: &SecretString) -> Outcome<DatabaseUrl> {
    let url: DatabaseUrl = url.expose_secret().parse().map_err(|error| {
        // A wrong one is not repeated: it may hold a password.
        Failure::usage("the database's URL can't be used")
            .caused_by(&error)
            .next("Write it like postgres://name@host/database.")
    })?;
    Ok(url)
}

fn has_password(url: &SecretString) -> bool {
    Url::parse(url.expose_secret()).is_ok_and(|url| {
        url.password().is_some() || url.query_pairs().any(|(name, _)| name.contains("password"))
    })
}

fn with_password(url: &SecretString, password: &SecretString) -> Outcome<SecretString> {
    let mut with = Url::parse(url.expose_secret()).ok();
    let set = with.as_mut().map(|url| url.set_password(Some(password.expose_secret())));
    match (with, set) {
        (Some(url), Some(Ok(()))) => Ok(SecretString::from(String::from(url))),
        _ => Err(Failure::usage("this URL takes no password")),
    }
}
