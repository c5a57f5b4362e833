//! The effective settings for a reader: value, where it came from, secrets hidden.

use config::ValueKind;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::fault::Origin;
use super::kind::Kind;
use super::settings::{Settings, typed};
use super::table::{Fallback, SETTINGS, Setting};
use super::units::{show_bytes, show_duration};

/// One effective setting.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Entry {
    /// Full key.
    pub key: &'static str,
    /// The value as one would write it; secrets hidden.
    pub value: String,
    /// Where it came from.
    pub origin: String,
    /// What it is.
    pub doc: &'static str,
}

/// What stands for a secret.
const HIDDEN: &str = "********";

impl Settings {
    /// Every setting, in the order of the table.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        SETTINGS
            .iter()
            .map(|setting| Entry {
                key: setting.key,
                value: self.shown(setting),
                origin: self.shown_origin(setting),
                doc: setting.doc,
            })
            .collect()
    }

    fn shown_origin(&self, setting: &Setting) -> String {
        match (self.origin(setting.key), setting.fallback) {
            (Origin::Default, Fallback::Derived(from)) => format!("default: {from}"),
            (origin, _) => origin.to_string(),
        }
    }

    fn shown(&self, setting: &Setting) -> String {
        let given = self.merged.get::<config::Value>(setting.key).ok();
        match given.map(|value| value.kind) {
            Some(kind) if setting.secret => match (setting.kind, kind) {
                (Kind::DatabaseUrl, ValueKind::String(url)) => shown_database_url(&url),
                _ => HIDDEN.to_owned(),
            },
            Some(kind) => shown_kind(&setting.kind, kind),
            None => self.derived(setting.key),
        }
    }

    fn derived(&self, key: &str) -> String {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        match (name, self.own_service(section)) {
            ("database_url", _) => return self.database_url(section).expose_secret().to_owned(),
            ("gateway_url", Some(_)) => return format!("http://{}", self.gateway.listen),
            ("url", Some(own)) => return format!("http://{}", own.listen),
            _ => {}
        }
        match key {
            "gateway.public_url" => format!("http://{}", self.gateway.listen),
            "mail.link_url" => format!("{}/account", self.derived("gateway.public_url")),
            "users.hash_workers" => self.hash_workers().to_string(),
            "gateway.master_key" => format!("{HIDDEN} (file {})", typed(&self.master_key_file())),
            _ => "(none)".to_owned(),
        }
    }
}

fn shown_kind(kind: &Kind, value: ValueKind) -> String {
    match (kind, value) {
        (Kind::Duration { .. }, ValueKind::I64(milliseconds)) => show_duration(milliseconds.unsigned_abs()),
        (Kind::Bytes { .. }, ValueKind::I64(bytes)) => show_bytes(bytes.unsigned_abs()),
        (_, ValueKind::Array(items)) => {
            let items: Vec<String> = items.into_iter().filter_map(|item| item.into_string().ok()).collect();
            format!("[{}]", items.join(", "))
        }
        (_, other) => other.to_string(),
    }
}

/// A database URL without user, password and options.
#[must_use]
pub fn shown_database_url(url: &str) -> String {
    if url.starts_with("sqlite:") {
        return url.split('?').next().unwrap_or(url).to_owned();
    }
    match url::Url::parse(url) {
        Ok(parsed) => {
            let host = parsed.host_str().unwrap_or("localhost");
            let port = parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
            let user =
                if parsed.username().is_empty() && parsed.password().is_none() { "" } else { "********@" };
            format!("postgres://{user}{host}{port}{}", parsed.path())
        }
        Err(_) => HIDDEN.to_owned(),
    }
}
