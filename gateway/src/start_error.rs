//! Why a gateway can't start.

use std::{io, net::SocketAddr};

use kit::{database::DatabaseError, server::TlsFault};
use matchit::InsertError;

use crate::{
    document::OperationsError,
    identity::{external::IssuerFault, keyring::KeyringFault, keys::SigningFault},
    services::declared::BindFault,
};

/// The gateway can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener can't be bound.
    #[error("{setting}: {address} can't be bound: {error}")]
    Bind {
        /// The setting that names the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The database can't be opened, or its schema is another's.
    #[error("the gateway's database: {0}")]
    Database(#[from] DatabaseError),
    /// The signing keys can't be made or opened.
    #[error("gateway.master_key: {0}")]
    Keys(String),
    /// A service's address is no URL, or is not there.
    #[error("{service}.url: {fault}")]
    UpstreamUrl {
        /// The service.
        service: &'static str,
        /// What is wrong with it.
        fault: String,
    },
    /// Declared services can't be bound; a line each.
    #[error("{}", lines(.0))]
    Services(Vec<BindFault>),
    /// Another issuer can't be known.
    #[error(transparent)]
    Issuer(#[from] IssuerFault),
    /// The certificate or its key can't be used.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// The documents do not fit together.
    #[error(transparent)]
    Document(#[from] OperationsError),
    /// Two operations of the platform's own can't be told apart.
    #[error("paths of the platform's own operations: {0}")]
    Paths(#[from] InsertError),
}

fn lines(faults: &[BindFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

impl From<KeyringFault> for StartError {
    fn from(fault: KeyringFault) -> Self {
        match fault {
            KeyringFault::Database(error) => Self::Database(error),
            other => Self::Keys(other.to_string()),
        }
    }
}

impl From<SigningFault> for StartError {
    fn from(fault: SigningFault) -> Self {
        Self::Keys(fault.to_string())
    }
}
