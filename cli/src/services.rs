//! The services of the platform's own that run beside the gateway: the one list of them in the command.

use kit::config::Settings;
use kit::service::{Service, StartError};
use migration::Service as Schema;

use crate::commands::serve;
use crate::failure::{Failure, Outcome};
use crate::settings;

/// The gateway's name among services.
pub(crate) const GATEWAY: &str = "gateway";

macro_rules! services {
    (@config $settings:ident $service:ident) => { settings::service($settings, stringify!($service)) };
    (@config $settings:ident $service:ident $config:path) => { $config($settings) };
    ($($service:ident: $schema:ident $(, $config:path)?;)+) => {
        /// Their names.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($service)),+];

        /// Opens and binds one.
        ///
        /// # Errors
        /// What it can't be started for, and what mends it.
        pub(crate) async fn bind(name: &str, settings: &Settings) -> Outcome<Service> {
            match name {
                $(stringify!($service) => {
                    let config = services!(@config settings $service $($config)?)?;
                    $service::bind(config).await.map_err(|error| failed(stringify!($service), &error))
                })+
                _ => Err(Failure::failed(format!("there is no service {name}"))),
            }
        }

        /// The history of a service's tables.
        #[must_use]
        pub(crate) fn schema(name: &str) -> Option<Schema> {
            match name {
                GATEWAY => Some(Schema::Gateway),
                $(stringify!($service) => Some(Schema::$schema),)+
                _ => None,
            }
        }
    };
}

services! {
    users: Users, settings::users;
}

fn failed(name: &str, error: &StartError) -> Failure {
    match error {
        StartError::Listen { address, cause, .. } => {
            serve::not_bound(&format!("{name}.listen"), *address, cause)
        }
        _ => Failure::failed(format!("the {name} service can't start")).caused_by(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_a_section_and_a_history() {
        let loaded = kit::config::load(&kit::config::Sources::default()).unwrap();
        let sections: Vec<&str> = loaded.settings.own().iter().map(|own| own.name).collect();
        assert_eq!(NAMES, sections);
        for name in NAMES.iter().chain([&GATEWAY]) {
            assert_eq!(schema(name).map(Schema::name), Some(*name));
        }
        assert_eq!(Schema::ALL.len(), NAMES.len() + 1);
    }
}
