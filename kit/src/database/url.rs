//! Where a database is: a URL that may hold a password, so it is never printed whole.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// `sqlite://path` (relative to the working directory; `sqlite:///path` from the root) or
/// `postgres://user:password@host:port/database`. Neither `Debug` nor `Display` shows a password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL server, or one that speaks its protocol.
    Postgres(SecretString),
}

/// Why a text is no database URL. Never holds the text: it may have a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("must start with sqlite:// or postgres://")]
    Scheme,
    /// `sqlite::memory:` and the like: each connection would see a database of its own.
    #[error("a SQLite database in memory can't be shared between connections: name a file")]
    InMemory,
    /// `sqlite://` and no more.
    #[error("names no file")]
    NoFile,
    /// Something after `?` that SQLite URLs don't have here.
    #[error("takes no parameter but mode=rwc")]
    Parameter,
    /// Not readable as a URL.
    #[error("can't be read as a URL: {0}")]
    Malformed(String),
    /// No host or no database name.
    #[error("must name a host and a database: postgres://user:password@host/database")]
    Incomplete,
}

impl DatabaseUrl {
    /// The file, where the database is one.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    /// The whole URL, password and all. Every use is a place to review.
    #[must_use]
    pub fn expose(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.expose_secret().to_owned(),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            return sqlite(rest.strip_prefix("//").unwrap_or(rest));
        }
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or(DatabaseUrlError::Scheme)?;
        let text = format!("postgres://{rest}");
        let url = Url::parse(&text).map_err(|error| DatabaseUrlError::Malformed(error.to_string()))?;
        // A socket directory comes as `?host=/run/postgresql`.
        let socket = url.query_pairs().any(|(name, _)| name == "host");
        let database = url.path().trim_matches('/');
        if (!url.has_host() && !socket) || database.is_empty() || database.contains('/') {
            return Err(DatabaseUrlError::Incomplete);
        }
        Ok(Self::Postgres(text.into()))
    }
}

fn sqlite(rest: &str) -> Result<DatabaseUrl, DatabaseUrlError> {
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if path == ":memory:" || parameters.contains("mode=memory") {
        return Err(DatabaseUrlError::InMemory);
    }
    if path.is_empty() || path.contains('\0') {
        return Err(DatabaseUrlError::NoFile);
    }
    if !parameters.is_empty() && parameters != "mode=rwc" {
        return Err(DatabaseUrlError::Parameter);
    }
    Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
}

/// For people: the password, if any, as `…`, parameters left out (they can hold one).
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = match self {
            Self::Sqlite(path) => return write!(formatter, "sqlite://{}", path.display()),
            Self::Postgres(secret) => secret,
        };
        let Ok(url) = Url::parse(secret.expose_secret()) else {
            return formatter.write_str("postgres://…");
        };
        formatter.write_str("postgres://")?;
        if !url.username().is_empty() {
            formatter.write_str(url.username())?;
            if url.password().is_some() {
                formatter.write_str(":…")?;
            }
            formatter.write_str("@")?;
        }
        formatter.write_str(url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(formatter, ":{port}")?;
        }
        formatter.write_str(url.path())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url: DatabaseUrl = "postgresql://ann:hunter2@db:5433/users?password=hunter3".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://ann:…@db:5433/users");
        assert_eq!(format!("{url:?}"), "DatabaseUrl(postgres://ann:…@db:5433/users)");
        assert!(url.expose().starts_with("postgres://ann:hunter2@"));
    }

    #[test]
    fn a_sqlite_url_names_a_file() {
        for (text, path) in [
            ("sqlite://data/users.db", "data/users.db"),
            ("sqlite:///var/users.db", "/var/users.db"),
            ("sqlite:users.db?mode=rwc", "users.db"),
        ] {
            assert_eq!(text.parse::<DatabaseUrl>().unwrap().sqlite_path(), Some(Path::new(path)), "{text}");
        }
    }

    #[test]
    fn what_is_no_database_url_is_refused_without_repeating_it() {
        for (text, fault) in [
            ("", DatabaseUrlError::Scheme),
            ("mysql://a:hunter2@b/c", DatabaseUrlError::Scheme),
            ("sqlite::memory:", DatabaseUrlError::InMemory),
            ("sqlite://x?mode=memory", DatabaseUrlError::InMemory),
            ("sqlite://", DatabaseUrlError::NoFile),
            ("sqlite://x?cache=shared", DatabaseUrlError::Parameter),
            ("postgres://a:hunter2@b", DatabaseUrlError::Incomplete),
            ("postgres:///users", DatabaseUrlError::Incomplete),
        ] {
            let error = text.parse::<DatabaseUrl>().unwrap_err();
            assert_eq!(error, fault, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
        assert!(
            !"postgres://a:hunter2@b:port/c"
                .parse::<DatabaseUrl>()
                .unwrap_err()
                .to_string()
                .contains("hunter2")
        );
    }
}
