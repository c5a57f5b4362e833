//! Services of the platform's own, bound by their Rust contracts: the one list of them in the gateway.

use std::sync::Arc;

mod door;

use contract::{document::DocumentError, handshake};
use serde_json::Value;

pub(crate) use self::door::TypedDoor;
use super::proxied::{Binding, Forward, forwards};

macro_rules! bind {
    ($($service:ident),+ $(,)?) => {
        /// The services that a gateway calls by contracts it was built with.
        pub const SERVICES: &[&str] = &[$(contract::$service::SERVICE),+];

        /// One of something for each of them.
        #[derive(Clone)]
        pub(crate) struct Typed<T> {
            $(pub(crate) $service: T,)+
        }

        impl<T> Typed<T> {
            /// What `make` makes of each one's name.
            ///
            /// # Errors
            /// The first of `make`.
            pub(crate) fn each<E>(mut make: impl FnMut(&'static str) -> Result<T, E>) -> Result<Self, E> {
                Ok(Self { $($service: make(contract::$service::SERVICE)?),+ })
            }

            /// What `make` makes of each.
            pub(crate) fn map<O>(&self, make: impl Fn(&'static str, &T) -> O) -> Typed<O> {
                Typed { $($service: make(contract::$service::SERVICE, &self.$service)),+ }
            }

            /// All, by name.
            pub(crate) fn all(&self) -> Vec<(&'static str, &T)> {
                vec![$((contract::$service::SERVICE, &self.$service)),+]
            }
        }

        impl Typed<Arc<Binding>> {
            /// Their operations, forwarded.
            pub(crate) fn forwards(&self) -> Vec<Forward> {
                let mut all = Vec::new();
                $(all.extend(forwards::<contract::$service::Public>(&self.$service));)+
                all
            }
        }

        /// The document by which each and the gateway know each other.
        ///
        /// # Errors
        /// An operation without a policy, or documents that clash.
        pub(crate) fn shared(service: &str) -> Result<Value, DocumentError> {
            $(if service == contract::$service::SERVICE {
                return handshake::shared(service, contract::$service::documents()?);
            })+
            Ok(Value::Null)
        }

        /// Their documents, each with the service it is of.
        ///
        /// # Errors
        /// An operation without a policy.
        pub(crate) fn documents() -> Result<Vec<(&'static str, Value)>, DocumentError> {
            let mut documents = Vec::new();
            $(documents.extend(
                contract::$service::documents()?
                    .into_iter()
                    .map(|document| (contract::$service::SERVICE, document)),
            );)+
            Ok(documents)
        }
    };
}

bind!(users);
