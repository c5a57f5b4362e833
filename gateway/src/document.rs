//! The merged document: the gateway's own operations and those of every bound service.

use std::{collections::HashMap, sync::Arc};

use contract::{
    ServiceName,
    caller::GATEWAY,
    document::{self, About, DocumentError},
    operation::Operation,
    schema::CompileError,
};
use serde_json::{Map, Value};

use crate::{
    api::{
        account, all_sessions, audit, auth, oauth, password, second_factor, service_accounts, services,
        sessions, signing_keys, tokens, user_sessions,
    },
    identity::service_accounts::Known,
    services::typed,
};

/// What the public document says of itself.
fn about() -> About {
    About {
        title: "Platform".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description:
            "The public API: signing in, and the operations of every service behind the gateway.\n\n\
            Every answer of status 4xx and 5xx is a problem (RFC 9457)."
                .to_owned(),
    }
}

/// Each service's document, by the service's name; `gateway` is the gateway's own.
///
/// # Errors
/// An operation without a policy.
pub fn documents() -> Result<Vec<(&'static str, Value)>, DocumentError> {
    let mut documents = vec![
        ("gateway", document::of::<auth::AuthApi>(&auth::policies())?),
        ("gateway", document::of::<password::PasswordApi>(&password::policies())?),
        ("gateway", document::of::<account::AccountApi>(&account::policies())?),
        ("gateway", document::of::<audit::AuditApi>(&audit::policies())?),
        ("gateway", document::of::<second_factor::SecondFactorApi>(&second_factor::policies())?),
        ("gateway", document::of::<sessions::SessionsApi>(&sessions::policies())?),
        ("gateway", document::of::<signing_keys::SigningKeysApi>(&signing_keys::policies())?),
        ("gateway", document::of::<service_accounts::ServiceAccountsApi>(&service_accounts::policies())?),
        ("gateway", document::of::<oauth::OAuthApi>(&oauth::policies())?),
        ("gateway", document::of::<tokens::TokensApi>(&tokens::policies())?),
        ("gateway", document::of::<user_sessions::UserSessionsApi>(&user_sessions::policies())?),
        ("gateway", document::of::<all_sessions::AllSessionsApi>(&all_sessions::policies())?),
        ("gateway", document::of::<services::ServicesApi>(&services::policies())?),
    ];
    documents.extend(typed::documents()?);
    Ok(documents)
}

/// The document that the gateway serves.
///
/// # Errors
/// Documents that clash.
pub fn public_document() -> Result<Value, DocumentError> {
    document::merge(&about(), documents()?.into_iter().map(|(_, document)| document))
}

/// A document that can't be written or compiled.
#[derive(Debug, thiserror::Error)]
pub enum OperationsError {
    /// It can't be written.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It can't be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// What the gateway serves without any declaration: made once where much stands on it, since to write and compile it all takes
/// milliseconds.
pub(crate) struct Builtin {
    /// The merged document.
    pub(crate) document: Value,
    /// Every public operation with the service that has it, in the document's order.
    pub(crate) operations: Vec<(&'static str, Operation)>,
}

impl Builtin {
    /// Writes and compiles it.
    ///
    /// # Errors
    /// [`OperationsError`].
    pub(crate) fn new() -> Result<Self, OperationsError> {
        let documents = documents()?;
        let mut owners: HashMap<String, &'static str> = HashMap::new();
        for (service, document) in &documents {
            let paths = document.get("paths").and_then(Value::as_object).into_iter().flat_map(Map::keys);
            owners.extend(paths.map(|path| (path.clone(), *service)));
        }
        let document = document::merge(&about(), documents.into_iter().map(|(_, document)| document))?;
        let owned = |operation: Operation| {
            (owners.get(&operation.path).copied().unwrap_or(contract::caller::GATEWAY), operation)
        };
        let operations = Operation::all(&document)?.into_iter().map(owned).collect();
        Ok(Self { document, operations })
    }

    /// The operations of one service.
    pub(crate) fn of(&self, service: &str) -> Vec<Operation> {
        self.operations.iter().filter(|(owner, _)| *owner == service).map(|(_, one)| one.clone()).collect()
    }

    /// All operations.
    pub(crate) fn all(&self) -> Arc<Vec<Operation>> {
        Arc::new(self.operations.iter().map(|(_, operation)| operation.clone()).collect())
    }

    /// What service accounts can be given: the scopes of all operations, and the services that are bound.
    pub(crate) fn known(&self) -> Known {
        Known {
            scopes: self.operations.iter().filter_map(|(_, operation)| operation.scope.clone()).collect(),
            audiences: self
                .operations
                .iter()
                .filter_map(|(service, _)| service.parse().ok())
                .filter(|name: &ServiceName| name.as_str() != GATEWAY)
                .collect(),
        }
    }
}

/// Every public operation with the service that has it, in the document's order.
///
/// # Errors
/// [`OperationsError`].
pub fn operations() -> Result<Vec<(&'static str, Operation)>, OperationsError> {
    Ok(Builtin::new()?.operations)
}
