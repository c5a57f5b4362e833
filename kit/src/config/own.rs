//! Sections of the platform's own services: what each of them is told alike, and the list of them.

use std::net::SocketAddr;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::settings::Settings;

/// The section of a service that has no settings beyond those of every service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described once, in the table of settings")]
pub struct OwnSettings {
    pub listen: SocketAddr,
    pub database_url: Option<SecretString>,
    pub url: Option<Url>,
    pub gateway_url: Option<Url>,
}

/// What every service of the platform's own is told.
#[derive(Debug, Clone)]
pub struct Own<'a> {
    /// The service, and its section.
    pub name: &'static str,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its database, where one is set.
    pub database_url: Option<&'a SecretString>,
    /// Where the gateway finds it, where that is set.
    pub url: Option<&'a Url>,
    /// Where it finds the gateway, where that is set.
    pub gateway_url: Option<&'a Url>,
}

macro_rules! services {
    ($($section:ident),+ $(,)?) => {
        /// The names that no declared service can have.
        pub(super) const TAKEN: &[&str] = &["gateway", $(stringify!($section)),+];

        impl Settings {
            /// Every service of the platform's own beside the gateway.
            #[must_use]
            pub fn own(&self) -> Vec<Own<'_>> {
                vec![$(Own {
                    name: stringify!($section),
                    listen: self.$section.listen,
                    database_url: self.$section.database_url.as_ref(),
                    url: self.$section.url.as_ref(),
                    gateway_url: self.$section.gateway_url.as_ref(),
                }),+]
            }
        }
    };
}

services!(users);

impl Settings {
    /// The one of this name.
    #[must_use]
    pub fn own_service(&self, name: &str) -> Option<Own<'_>> {
        self.own().into_iter().find(|own| own.name == name)
    }

    /// The database of a service, the gateway too; without a setting a file in the data folder.
    #[must_use]
    pub fn database_url(&self, service: &str) -> SecretString {
        let set = match service {
            "gateway" => self.gateway.database_url.as_ref(),
            _ => self.own_service(service).and_then(|own| own.database_url),
        };
        set.cloned().unwrap_or_else(|| {
            let file = self.data_dir.join(format!("{service}.db"));
            SecretString::from(format!("sqlite:{}", file.display()))
        })
    }
}
