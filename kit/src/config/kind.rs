//! Kinds of values: how each is written, read, bounded and described.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::database::DatabaseUrl;

use super::units::{networks, parse_bytes, parse_duration, show_bytes, show_duration};

/// What a setting accepts.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Free text, not empty.
    Text {
        /// Longest, in characters.
        maximum_length: usize,
    },
    /// A file or folder.
    Path,
    /// A log level or a list of directives.
    Directive,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer {
        /// Smallest.
        minimum: i64,
        /// Largest.
        maximum: i64,
        /// What is counted.
        unit: &'static str,
    },
    /// A time with its unit.
    Duration {
        /// Shortest, in milliseconds.
        minimum_ms: u64,
        /// Longest, in milliseconds.
        maximum_ms: u64,
    },
    /// A size with its unit.
    Bytes {
        /// Smallest.
        minimum: u64,
        /// Largest.
        maximum: u64,
    },
    /// IP address and port.
    Address,
    /// An `http` or `https` address without query.
    Url,
    /// `sqlite:` or `postgres:`.
    DatabaseUrl,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of networks in CIDR notation.
    Networks,
    /// That many bytes in Base64.
    Base64Key {
        /// Length once decoded.
        bytes: usize,
    },
}

/// A value as found in a source, before it is checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// Text: from the environment, a flag, or a string in the file.
    Text(String),
    /// A number in the file.
    Integer(i64),
    /// A truth value in the file.
    Bool(bool),
    /// A list of strings in the file.
    List(Vec<String>),
    /// Anything else in the file, named for the message.
    Other(&'static str),
}

/// A checked value in the one form that [`super::settings`] reads.
#[derive(Clone, PartialEq)]
pub(super) enum Canonical {
    Text(String),
    /// Numbers; durations in milliseconds, sizes in bytes.
    Number(i64),
    Bool(bool),
    List(Vec<String>),
}

impl Kind {
    /// What is allowed, in words for a message and for the file.
    #[must_use]
    pub fn allowed(&self) -> String {
        match self {
            Self::Text { maximum_length } => format!("text of 1 to {maximum_length} characters"),
            Self::Path => "a path".to_owned(),
            Self::Directive => {
                "error, warn, info, debug, trace, off, or directives such as \"info,gateway=debug\""
                    .to_owned()
            }
            Self::Bool => "true or false".to_owned(),
            Self::Integer { minimum, maximum, unit } => format!("{minimum} to {maximum} {unit}"),
            Self::Duration { minimum_ms, maximum_ms } => {
                format!(
                    "{} to {} (units ms, s, m, h, d)",
                    show_duration(*minimum_ms),
                    show_duration(*maximum_ms)
                )
            }
            Self::Bytes { minimum, maximum } => {
                format!("{} to {} (units B, KiB, MiB, GiB)", show_bytes(*minimum), show_bytes(*maximum))
            }
            Self::Address => "an IP address and a port of 0 to 65535, such as 127.0.0.1:8001".to_owned(),
            Self::Url => "an http:// or https:// address without query".to_owned(),
            Self::DatabaseUrl => "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME".to_owned(),
            Self::Choice(words) => words.join(" or "),
            Self::Networks => {
                "networks such as 10.0.0.0/8 or fd00::/8 (in a variable separated by commas)".to_owned()
            }
            Self::Base64Key { bytes } => format!("{bytes} bytes in Base64"),
        }
    }

    /// Checks a value as found. The error says what is wrong and never repeats the value of a secret.
    pub(super) fn check(&self, raw: &Raw, secret: bool) -> Result<Canonical, String> {
        match (self, raw) {
            (_, Raw::Other(what)) => Err(format!("is {what}")),
            (_, Raw::Text(text)) if text.is_empty() && !matches!(self, Self::Networks) => {
                Err("is empty".to_owned())
            }
            (Self::Bool, Raw::Bool(value)) => Ok(Canonical::Bool(*value)),
            (Self::Bool, Raw::Text(text)) => match text.as_str() {
                "true" => Ok(Canonical::Bool(true)),
                "false" => Ok(Canonical::Bool(false)),
                other => Err(format!("is {other:?}")),
            },
            (Self::Integer { minimum, maximum, .. }, Raw::Integer(value)) => {
                within(*value, *minimum, *maximum)
            }
            (Self::Integer { minimum, maximum, .. }, Raw::Text(text)) => match text.parse::<i64>() {
                Ok(value) => within(value, *minimum, *maximum),
                Err(_) => Err(format!("is {text:?}, not a whole number")),
            },
            (Self::Duration { minimum_ms, maximum_ms }, Raw::Text(text)) => {
                let milliseconds = parse_duration(text)?;
                if milliseconds < *minimum_ms || milliseconds > *maximum_ms {
                    return Err(format!("is {text:?}, out of range"));
                }
                number(milliseconds)
            }
            (Self::Duration { .. }, Raw::Integer(value)) => Err(format!("is {value} without a unit")),
            (Self::Bytes { minimum, maximum }, Raw::Text(text)) => {
                in_bytes(parse_bytes(text)?, *minimum, *maximum, text)
            }
            (Self::Bytes { minimum, maximum }, Raw::Integer(value)) => {
                let text = value.to_string();
                in_bytes(u64::try_from(*value).map_err(|_| format!("is {text}"))?, *minimum, *maximum, &text)
            }
            (Self::Networks, Raw::List(items)) => {
                networks(items.iter().map(String::as_str)).map(Canonical::List)
            }
            (Self::Networks, Raw::Text(text)) => {
                networks(text.split(',').map(str::trim).filter(|part| !part.is_empty())).map(Canonical::List)
            }
            (_, Raw::Text(text)) => self.check_text(text, secret).map(Canonical::Text),
            (_, Raw::Integer(value)) if secret => {
                Err(format!("is a number of {} digits, not text", value.to_string().len()))
            }
            (_, Raw::Integer(value)) => Err(format!("is the number {value}")),
            (_, Raw::Bool(value)) => Err(format!("is {value}")),
            (_, Raw::List(_)) => Err("is a list".to_owned()),
        }
    }

    fn check_text(&self, text: &str, secret: bool) -> Result<String, String> {
        let shown = if secret { String::new() } else { format!(" {text:?}") };
        match self {
            Self::Text { maximum_length } => {
                let length = text.chars().count();
                if length > *maximum_length {
                    Err(format!("is {length} characters long"))
                } else {
                    Ok(text.to_owned())
                }
            }
            Self::Path => {
                if text.contains('\0') {
                    Err("holds a NUL character".to_owned())
                } else {
                    Ok(text.to_owned())
                }
            }
            Self::Directive => text
                .parse::<tracing_subscriber::EnvFilter>()
                .map(|_| text.to_owned())
                .map_err(|_| format!("is{shown}"))
                .and_then(|text| if known_levels(&text) { Ok(text) } else { Err(format!("is{shown}")) }),
            Self::Address => text
                .parse::<SocketAddr>()
                .map(|address| address.to_string())
                .map_err(|_| format!("is{shown}{}", address_hint(text))),
            Self::Url => match Url::parse(text) {
                Ok(url)
                    if matches!(url.scheme(), "http" | "https")
                        && url.host().is_some()
                        && url.query().is_none()
                        && url.fragment().is_none()
                        && url.username().is_empty()
                        && url.password().is_none() =>
                {
                    Ok(text.trim_end_matches('/').to_owned())
                }
                Ok(url) if url.password().is_some() => {
                    Err("holds a user name and password, which do not belong there".to_owned())
                }
                _ => Err(format!("is{shown}{}", kubernetes_hint(text))),
            },
            Self::DatabaseUrl => match text.parse::<DatabaseUrl>() {
                Ok(_) => Ok(text.to_owned()),
                Err(error) => Err(error.to_string()),
            },
            Self::Choice(words) => {
                if words.contains(&text) {
                    Ok(text.to_owned())
                } else {
                    Err(format!("is{shown}"))
                }
            }
            Self::Base64Key { bytes } => match STANDARD.decode(text) {
                Ok(key) if key.len() == *bytes => {
                    if key.iter().all(|byte| *byte == key[0]) {
                        Err("repeats one byte".to_owned())
                    } else {
                        Ok(text.to_owned())
                    }
                }
                Ok(key) => Err(format!("decodes to {} bytes", key.len())),
                Err(_) => Err("is not Base64".to_owned()),
            },
            Self::Bool
            | Self::Integer { .. }
            | Self::Duration { .. }
            | Self::Bytes { .. }
            | Self::Networks => Err("is text".to_owned()),
        }
    }
}

fn within(value: i64, minimum: i64, maximum: i64) -> Result<Canonical, String> {
    if (minimum..=maximum).contains(&value) {
        Ok(Canonical::Number(value))
    } else {
        Err(format!("is {value}, out of range"))
    }
}

fn in_bytes(bytes: u64, minimum: u64, maximum: u64, text: &str) -> Result<Canonical, String> {
    if bytes < minimum || bytes > maximum { Err(format!("is {text}, out of range")) } else { number(bytes) }
}

fn number(value: u64) -> Result<Canonical, String> {
    i64::try_from(value).map(Canonical::Number).map_err(|_| "is out of range".to_owned())
}

/// `EnvFilter` takes a bare unknown word for a module's name; a level alone must be a level.
fn known_levels(text: &str) -> bool {
    text.split(',').all(|part| {
        part.contains('=')
            || part.contains("::")
            || part.contains('[')
            || matches!(
                part.trim().to_ascii_lowercase().as_str(),
                "error" | "warn" | "info" | "debug" | "trace" | "off"
            )
    })
}

fn kubernetes_hint(text: &str) -> &'static str {
    if text.starts_with("tcp://") || text.starts_with("udp://") {
        " (Kubernetes makes such variables for a service of the same name: set enableServiceLinks: false)"
    } else {
        ""
    }
}

fn address_hint(text: &str) -> String {
    if text.starts_with("tcp://") || text.starts_with("udp://") {
        return kubernetes_hint(text).to_owned();
    }
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return format!(" (write 127.0.0.1:{port} or 0.0.0.0:{port})");
    }
    match text.rsplit_once(':') {
        Some(("localhost", port)) => format!(" (write 127.0.0.1:{port})"),
        _ if text.parse::<IpAddr>().is_ok() => " (the port is missing)".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
