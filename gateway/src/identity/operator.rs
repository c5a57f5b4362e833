//! The operator's token: whoever holds the platform's own configuration may administer it.

use std::{collections::BTreeSet, time::Duration};

use contract::{Role, Subject};
use kit::database::{Database, DatabaseError, DatabaseUrl};
use secrecy::SecretString;

use super::master_key::MasterKey;
use super::{
    access_token::{self, Grant},
    keys::{Keys, Purpose, SigningFault},
};
use crate::{Config, store};

/// How long an operator's token is good.
pub const OPERATOR_TOKEN_TIME: Duration = Duration::from_mins(5);

/// An operator's token can't be made.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The gateway's database can't be read.
    #[error("the gateway's database can't be read: {0}")]
    Database(#[from] DatabaseError),
    /// There is no key yet, or it is sealed with another master key.
    #[error("the gateway's signing key can't be used: {0}")]
    Key(String),
    /// `gateway.public_url` is not set and the gateway's port is picked at start.
    #[error("the gateway's public URL is not known: set gateway.public_url, or start the platform first")]
    UnknownIssuer,
}

impl From<SigningFault> for OperatorError {
    fn from(fault: SigningFault) -> Self {
        Self::Key(fault.to_string())
    }
}

/// Whether this master key opens the signing keys in the gateway's database; `None` where there are none yet.
///
/// # Errors
/// As any query, also where the schema is not there.
pub async fn master_key_fits(url: &DatabaseUrl, key: &MasterKey) -> Result<Option<bool>, DatabaseError> {
    let database = Database::connect(url, 1, "platform-operator").await?;
    let stored = store::keys::all(&database).await;
    if let Err(error) = database.close().await {
        tracing::debug!(%error, "the database was not closed cleanly");
    }
    let stored = stored?;
    let sealed = stored.iter().find(|stored| !stored.private_sealed.is_empty());
    Ok(sealed.map(|sealed| key.open(&sealed.kid, &sealed.private_sealed).is_ok()))
}

/// Signs a token for the operator, good for [`OPERATOR_TOKEN_TIME`], with the role `admin` and no user behind it.
///
/// It opens the gateway's database for the active key and changes nothing there.
///
/// # Errors
/// [`OperatorError`].
pub async fn operator_token(config: &Config) -> Result<SecretString, OperatorError> {
    let issuer = config.issuer(config.listen).ok_or(OperatorError::UnknownIssuer)?;
    let database = Database::connect(&config.database_url, 1, "platform-operator").await?;
    let stored = store::keys::all(&database).await;
    if let Err(error) = database.close().await {
        tracing::debug!(%error, "the database was not closed cleanly");
    }
    let now = kit::clock::now();
    let keys = Keys::open(Purpose::Access, &stored?, &config.master_key, now.microseconds())?;
    let grant = Grant {
        issuer: &issuer,
        audience: &config.audience,
        subject: &Subject::Operator,
        session: None,
        signed_in_at: None,
        methods: &[],
        roles: &BTreeSet::from([Role::ADMIN]),
        scopes: &contract::Scopes::default(),
        secret: None,
        lifetime: OPERATOR_TOKEN_TIME,
    };
    Ok(access_token::issue(&keys.signing, &grant, now)?)
}
