//! Accounts of services: what each may do, and the secrets by which it proves itself.
//!
//! Whatever takes something away from an account ends its tokens on every replica: a revocation stands in the same transaction as
//! the change, under a lock on the account that the issue of a token takes too.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use contract::{
    Caller, Problem, ProblemKind, Role, Scope, Scopes, ServiceName, Subject, Timestamp, Violation,
    caller::GATEWAY, users::Clearable,
};
use kit::database::{Database, DatabaseError};
use sea_orm::{DatabaseTransaction, sea_query::LockType};
use secrecy::{ExposeSecret, SecretString};

use super::{
    random_secret::{self, NoRandomness, hash},
    revocation::{MARGIN, Revoked},
};
use crate::store::{
    revocations::{self, Revocation},
    service_accounts::{self as store, StoredAccount, StoredSecret},
};

/// What every secret starts with, so that secret scanners know it.
pub(crate) const PREFIX: &str = "psk_";

/// Secrets an account has at most: enough for any rotation, and a page of them stays a page.
const SECRETS: usize = 10;

/// How old the note of a secret's last use may be: noting each would make every token a write of that row.
const NOTED: Duration = Duration::from_mins(1);

/// What accounts can be given: the scopes of all operations, the services that are bound.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) scopes: Scopes,
    pub(crate) audiences: BTreeSet<ServiceName>,
}

/// What an account may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) scopes: Scopes,
    pub(crate) audiences: BTreeSet<ServiceName>,
}

/// What to change of an account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub(crate) description: Clearable<String>,
    pub(crate) roles: Option<BTreeSet<Role>>,
    pub(crate) scopes: Option<Scopes>,
    pub(crate) audiences: Option<BTreeSet<ServiceName>>,
    pub(crate) is_active: Option<bool>,
}

/// An account that has proved itself.
#[derive(Debug, Clone)]
pub(crate) struct Proved {
    pub(crate) account: StoredAccount,
    pub(crate) secret: StoredSecret,
    /// A moment at which it was good: what is revoked later revokes a token that is issued as of then.
    pub(crate) at: Timestamp,
}

/// An account with the secrets that are not revoked.
pub(crate) type WithSecrets = (StoredAccount, Vec<StoredSecret>);

/// Why something is not done to an account.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountFault {
    #[error("There is no such service account")]
    Unknown,
    #[error("The service account has no such secret")]
    NoSuchSecret,
    #[error("A service account of this name exists already")]
    Taken,
    #[error("{SECRETS} secrets are the most a service account can have; revoke one first")]
    TooManySecrets,
    #[error("This token can't give out or take away {0}, which it does not hold itself")]
    BeyondOwn(String),
    #[error("values that do not fit")]
    Invalid(Vec<Violation>),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl From<AccountFault> for Problem {
    fn from(fault: AccountFault) -> Self {
        let kind = match fault {
            AccountFault::Unknown | AccountFault::NoSuchSecret => ProblemKind::NotFound,
            AccountFault::Taken | AccountFault::TooManySecrets => ProblemKind::Conflict,
            AccountFault::BeyondOwn(_) => ProblemKind::Forbidden,
            AccountFault::Invalid(violations) => return Self::invalid(violations),
            AccountFault::Database(error) => return error.into(),
            AccountFault::NoRandomness(fault) => return Self::internal(fault),
        };
        Self::new(kind, fault.to_string())
    }
}

/// Keeps the accounts.
pub(crate) struct ServiceAccounts {
    pub(crate) database: Database,
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) known: Known,
    /// How long an access token is good.
    pub(crate) access_time: Duration,
}

impl ServiceAccounts {
    /// All accounts, by name.
    pub(crate) async fn all(&self) -> Result<Vec<WithSecrets>, AccountFault> {
        let accounts = store::all(&self.database).await?;
        let ids: Vec<i64> = accounts.iter().map(|account| account.id).collect();
        let secrets = store::secrets(self.database.reader(), ids).await?;
        let of = |id| secrets.iter().filter(|secret| secret.account == id).cloned().collect();
        Ok(accounts.into_iter().map(|account| (account.clone(), of(account.id))).collect())
    }

    /// The account of this name.
    pub(crate) async fn find(&self, name: &ServiceName) -> Result<WithSecrets, AccountFault> {
        let account = store::find(&self.database, name).await?.ok_or(AccountFault::Unknown)?;
        let secrets = store::secrets(self.database.reader(), [account.id]).await?;
        Ok((account, secrets))
    }

    /// Creates an account.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        name: ServiceName,
        description: Option<String>,
        rights: Rights,
    ) -> Result<StoredAccount, AccountFault> {
        self.check(&rights)?;
        self.within_own(caller, &rights).await?;
        if name.as_str() == GATEWAY {
            let detail = "the gateway calls services under this name; choose another";
            return Err(AccountFault::Invalid(vec![Violation::body("/name", detail)]));
        }
        let now = kit::clock::now();
        let account = StoredAccount {
            id: 0,
            name,
            description,
            roles: rights.roles,
            scopes: rights.scopes,
            audiences: rights.audiences,
            created_at: now,
            updated_at: now,
            disabled_at: None,
        };
        let transaction = self.database.begin_write().await?;
        let added = store::add(&transaction, account).await?.ok_or(AccountFault::Taken)?;
        commit(transaction).await?;
        Ok(added)
    }

    /// Changes an account. Tokens issued until now end if it may do something else from now on.
    pub(crate) async fn change(
        &self,
        caller: &Caller,
        name: &ServiceName,
        change: Change,
    ) -> Result<WithSecrets, AccountFault> {
        let transaction = self.database.begin_write().await?;
        let before = held(&transaction, name).await?;
        let now = kit::clock::now();
        let mut account = before.clone();
        match change.description {
            Clearable::Absent => {}
            Clearable::Clear => account.description = None,
            Clearable::Set(text) => account.description = Some(text),
        }
        account.roles = change.roles.unwrap_or(account.roles);
        account.scopes = change.scopes.unwrap_or(account.scopes);
        account.audiences = change.audiences.unwrap_or(account.audiences);
        match change.is_active {
            Some(true) => account.disabled_at = None,
            Some(false) => account.disabled_at = account.disabled_at.or(Some(now)),
            None => {}
        }
        let rights = rights_of(&account);
        self.check(&rights)?;
        self.within_own(caller, &rights).await?;
        let mut rows = Vec::new();
        if account != before {
            account.updated_at = now;
            store::update(&transaction, &account).await?;
        }
        if rights != rights_of(&before) || (account.disabled_at.is_some() && before.disabled_at.is_none()) {
            rows.push(self.revoke(&transaction, "service", name.to_string(), now).await?);
        }
        let secrets = store::secrets(&transaction, [account.id]).await?;
        commit(transaction).await?;
        self.revoked.add(&rows);
        Ok((account, secrets))
    }

    /// Deletes an account with its secrets; its tokens end.
    pub(crate) async fn delete(&self, caller: &Caller, name: &ServiceName) -> Result<(), AccountFault> {
        let transaction = self.database.begin_write().await?;
        let account = held(&transaction, name).await?;
        self.within_own(caller, &rights_of(&account)).await?;
        store::delete(&transaction, account.id).await?;
        let row = self.revoke(&transaction, "service", name.to_string(), kit::clock::now()).await?;
        commit(transaction).await?;
        self.revoked.add(&[row]);
        Ok(())
    }

    /// Gives an account one more secret, which is told here and never again.
    pub(crate) async fn add_secret(
        &self,
        caller: &Caller,
        name: &ServiceName,
        expires_at: Option<Timestamp>,
    ) -> Result<(StoredSecret, SecretString), AccountFault> {
        let text = random_secret::with_prefix(PREFIX)?;
        let transaction = self.database.begin_write().await?;
        let account = held(&transaction, name).await?;
        // Whoever holds the secret may do what the account may.
        self.within_own(caller, &rights_of(&account)).await?;
        let now = kit::clock::now();
        if expires_at.is_some_and(|expires| expires <= now) {
            let violation = Violation::body("/expires_at", "lies in the past");
            return Err(AccountFault::Invalid(vec![violation]));
        }
        if store::secrets(&transaction, [account.id]).await?.len() >= SECRETS {
            return Err(AccountFault::TooManySecrets);
        }
        let secret =
            store::add_secret(&transaction, account.id, &hash(text.expose_secret()), now, expires_at).await?;
        commit(transaction).await?;
        Ok((secret, text))
    }

    /// Revokes one secret; the tokens that were got with it end, those of other secrets go on.
    pub(crate) async fn revoke_secret(
        &self,
        caller: &Caller,
        name: &ServiceName,
        id: i64,
    ) -> Result<(), AccountFault> {
        let transaction = self.database.begin_write().await?;
        let account = held(&transaction, name).await?;
        self.within_own(caller, &rights_of(&account)).await?;
        let now = kit::clock::now();
        if !store::revoke_secret(&transaction, account.id, id, now).await? {
            return Err(AccountFault::NoSuchSecret);
        }
        let row = self.revoke(&transaction, "secret", format!("{name}/{id}"), now).await?;
        commit(transaction).await?;
        self.revoked.add(&[row]);
        Ok(())
    }

    /// Ends a single token that belongs to no session.
    pub(crate) async fn end_token(&self, jti: &str) -> Result<(), AccountFault> {
        let transaction = self.database.begin_write().await?;
        let row = self.revoke(&transaction, "token", jti.to_owned(), kit::clock::now()).await?;
        commit(transaction).await?;
        self.revoked.add(&[row]);
        Ok(())
    }

    /// The account of this name, if the secret is one of its own and both are good; `None` tells nothing of why not.
    pub(crate) async fn prove(&self, id: &str, secret: &str) -> Result<Option<Proved>, DatabaseError> {
        let Ok(name) = id.parse::<ServiceName>() else { return Ok(None) };
        if !secret.starts_with(PREFIX) {
            return Ok(None);
        }
        let transaction = self.database.begin_write().await?;
        let Some(account) = store::held(&transaction, &name, LockType::Share).await? else { return Ok(None) };
        let Some(secret) = store::find_secret(&transaction, account.id, &hash(secret)).await? else {
            return Ok(None);
        };
        let now = kit::clock::now();
        if account.disabled_at.is_some() || secret.expires_at.is_some_and(|expires| expires <= now) {
            return Ok(None);
        }
        if secret.last_used_at.is_none_or(|used| used + NOTED <= now) {
            store::used(&transaction, secret.id, now).await?;
        }
        commit(transaction).await?;
        Ok(Some(Proved { account, secret, at: now }))
    }

    fn check(&self, rights: &Rights) -> Result<(), AccountFault> {
        let scope = |(index, scope): (usize, &Scope)| {
            let fits = self.known.scopes.contains(scope);
            (!fits).then(|| {
                let detail =
                    format!("no operation needs the scope {scope}; there are: {}", self.known.scopes);
                Violation::body(format!("/scopes/{index}"), detail)
            })
        };
        let audience = |(index, audience): (usize, &ServiceName)| {
            let fits = self.known.audiences.contains(audience);
            (!fits).then(|| {
                let known: Vec<&str> = self.known.audiences.iter().map(ServiceName::as_str).collect();
                let detail = format!("no service is called {audience}; there are: {}", known.join(" "));
                Violation::body(format!("/audiences/{index}"), detail)
            })
        };
        let violations: Vec<Violation> = rights
            .scopes
            .iter()
            .enumerate()
            .filter_map(scope)
            .chain(rights.audiences.iter().enumerate().filter_map(audience))
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(AccountFault::Invalid(violations)) }
    }

    /// Nobody whose token is limited makes an account that may do more, or takes one away: the way to a secret of it would be the way
    /// around the limit. Services may be called directly by those accounts alone that may do so themselves.
    async fn within_own(&self, caller: &Caller, rights: &Rights) -> Result<(), AccountFault> {
        if !caller.is_limited() {
            return Ok(());
        }
        if let Some(scope) = rights.scopes.iter().find(|scope| !caller.scopes.contains(scope)) {
            return Err(AccountFault::BeyondOwn(format!("the scope {scope}")));
        }
        if let Some(role) = rights.roles.iter().find(|role| !caller.has(role)) {
            return Err(AccountFault::BeyondOwn(format!("the role {role}")));
        }
        let own = match &caller.subject {
            Subject::Service(name) => match name.parse() {
                Ok(name) => store::find(&self.database, &name).await?.map(|own| own.audiences),
                Err(_) => None,
            },
            _ => None,
        };
        let own = own.unwrap_or_default();
        match rights.audiences.iter().find(|audience| !own.contains(*audience)) {
            Some(audience) => Err(AccountFault::BeyondOwn(format!("the audience {audience}"))),
            None => Ok(()),
        }
    }

    async fn revoke(
        &self,
        transaction: &DatabaseTransaction,
        kind: &str,
        subject: String,
        now: Timestamp,
    ) -> Result<Revocation, DatabaseError> {
        let expires = now + self.access_time + MARGIN;
        revocations::add(transaction, kind, subject, now, expires).await
    }
}

fn rights_of(account: &StoredAccount) -> Rights {
    Rights {
        roles: account.roles.clone(),
        scopes: account.scopes.clone(),
        audiences: account.audiences.clone(),
    }
}

/// The account, which nobody else reads for a token or changes until the transaction ends.
async fn held(transaction: &DatabaseTransaction, name: &ServiceName) -> Result<StoredAccount, AccountFault> {
    store::held(transaction, name, LockType::Update).await?.ok_or(AccountFault::Unknown)
}

async fn commit(transaction: DatabaseTransaction) -> Result<(), DatabaseError> {
    Ok(transaction.commit().await?)
}
