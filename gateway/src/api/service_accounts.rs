//! Administration of service accounts and their secrets.

use std::sync::Arc;

use contract::{
    Caller, Problem, Role, Scope, Secret, ServiceName, Timestamp,
    caller::CallerOf,
    document::Policy,
    operation::Access,
    payload::{Json, MergePatch, OptionalJson},
    users::{Clearable, types::Nullable},
};
use poem::Request;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags, param::Path};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{audit_trail::AuditTrail, client_door::target};
use crate::{
    identity::{
        audit::Act,
        service_accounts::{Change, Rights, ServiceAccounts, WithSecrets},
    },
    store::service_accounts::StoredSecret,
};

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    let read = |operation, problems| {
        Policy::new(operation, Access::Role(Role::ADMIN), problems).scope("service-accounts:read")
    };
    let write = |operation, problems| {
        Policy::new(operation, Access::Role(Role::ADMIN), problems).scope("service-accounts:write").recent()
    };
    vec![
        read("list_service_accounts", &[]),
        write("create_service_account", &[409]),
        read("get_service_account", &[404]),
        write("patch_service_account", &[404]),
        write("delete_service_account", &[404]),
        write("create_service_account_secret", &[404, 409]),
        write("revoke_service_account_secret", &[404]),
    ]
}

#[derive(Tags)]
enum Tag {
    /// Accounts under which services call: what they may do, and their secrets.
    #[oai(rename = "Service accounts")]
    ServiceAccounts,
}

/// A service's account.
#[derive(Debug, Serialize, Deserialize, Object)]
struct ServiceAccount {
    /// Its name; `service:` and this name is the subject of its tokens.
    name: ServiceName,
    /// What it is for.
    #[oai(validator(max_length = 255))]
    description: Nullable<String>,
    /// What its bearer may do, in alphabetical order.
    roles: Vec<Role>,
    /// What its tokens may be used for; without any, for nothing.
    scopes: Vec<Scope>,
    /// The services that it may call directly, with internal tokens.
    audiences: Vec<ServiceName>,
    /// Whether it gets tokens.
    is_active: bool,
    /// The secrets that are not revoked, oldest first.
    secrets: Vec<SecretInformation>,
    /// When it was created.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

/// A secret, without the secret itself.
#[derive(Debug, Serialize, Deserialize, Object)]
struct SecretInformation {
    /// Names it.
    id: i64,
    /// When it was created.
    created_at: Timestamp,
    /// From when on it is not good any more.
    expires_at: Nullable<Timestamp>,
    /// When it was last used, to the minute.
    last_used_at: Nullable<Timestamp>,
}

/// A service account to create.
#[derive(Debug, Serialize, Deserialize, Object)]
struct NewServiceAccount {
    /// Its name.
    name: ServiceName,
    /// What it is for.
    #[serde(default)]
    #[oai(validator(max_length = 255))]
    description: Clearable<String>,
    /// What its bearer may do.
    #[serde(default)]
    #[oai(default, validator(max_items = 32))]
    roles: Vec<Role>,
    /// What its tokens may be used for.
    #[serde(default)]
    #[oai(default, validator(max_items = 64))]
    scopes: Vec<Scope>,
    /// The services that it may call directly, with internal tokens.
    #[serde(default)]
    #[oai(default, validator(max_items = 64))]
    audiences: Vec<ServiceName>,
}

/// What to change of a service account, as a JSON Merge Patch. Its tokens end where it may do something else from then on.
#[derive(Debug, Default, Serialize, Deserialize, Object)]
#[serde(default)]
struct ServiceAccountPatch {
    /// What it is for; null clears it.
    #[oai(validator(max_length = 255))]
    description: Clearable<String>,
    /// What its bearer may do.
    #[oai(validator(max_items = 32))]
    roles: Option<Vec<Role>>,
    /// What its tokens may be used for.
    #[oai(validator(max_items = 64))]
    scopes: Option<Vec<Scope>>,
    /// The services that it may call directly.
    #[oai(validator(max_items = 64))]
    audiences: Option<Vec<ServiceName>>,
    /// Whether it gets tokens; false ends those it has.
    is_active: Option<bool>,
}

/// What to know of a secret before it is made.
#[derive(Debug, Default, Serialize, Deserialize, Object)]
#[serde(default)]
struct NewServiceAccountSecret {
    /// From when on it is not good any more; never, if unset.
    expires_at: Clearable<Timestamp>,
}

/// A secret, shown this once.
#[derive(Debug, Serialize, Deserialize, Object)]
struct ServiceAccountSecret {
    /// Names it.
    id: i64,
    /// The secret itself: `client_secret` at the token endpoint, where the account's name is `client_id`. It is kept as a hash alone.
    secret: Secret,
    /// When it was created.
    created_at: Timestamp,
    /// From when on it is not good any more.
    expires_at: Nullable<Timestamp>,
}

#[derive(ApiResponse)]
enum Created {
    /// The account is created; it has no secret yet
    #[oai(status = 201)]
    Created(
        Json<ServiceAccount>,
        /// Where the account is found
        #[oai(header = "Location")]
        String,
    ),
}

#[derive(ApiResponse)]
enum SecretCreated {
    /// The secret, shown this once
    #[oai(status = 201)]
    Created(
        Json<ServiceAccountSecret>,
        /// Always `no-store`
        #[oai(header = "Cache-Control")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Gone {
    /// It is gone, and the tokens that hung on it have ended
    #[oai(status = 204)]
    NoContent,
}

/// The operations.
pub(crate) struct ServiceAccountsApi {
    pub(crate) accounts: Arc<ServiceAccounts>,
    pub(crate) trail: AuditTrail,
}

#[OpenApi]
impl ServiceAccountsApi {
    /// List service accounts
    ///
    /// All of them, by name.
    #[oai(
        path = "/api_v1/service-accounts",
        method = "get",
        operation_id = "list_service_accounts",
        tag = "Tag::ServiceAccounts"
    )]
    async fn list_service_accounts(&self) -> Result<Json<Vec<ServiceAccount>>, Problem> {
        Ok(Json(self.accounts.all().await?.into_iter().map(shown).collect()))
    }

    /// Create a service account
    ///
    /// A caller whose own token is limited by scopes can't give out what it does not hold.
    #[oai(
        path = "/api_v1/service-accounts",
        method = "post",
        operation_id = "create_service_account",
        tag = "Tag::ServiceAccounts"
    )]
    async fn create_service_account(
        &self,
        caller: CallerOf,
        request: &Request,
        body: Json<NewServiceAccount>,
    ) -> Result<Created, Problem> {
        let NewServiceAccount { name, description, roles, scopes, audiences } = body.0;
        let rights = Rights {
            roles: roles.into_iter().collect(),
            scopes: scopes.into_iter().collect(),
            audiences: audiences.into_iter().collect(),
        };
        let account = self.accounts.create(&caller.0, name, description.value(), rights).await?;
        let told = format!("roles {}; scopes {}", words(&account.roles), account.scopes);
        self.record(request, &caller.0, "create_service_account", &account.name, Some(told)).await?;
        let location = format!("/api_v1/service-accounts/{}", account.name);
        Ok(Created::Created(Json(shown((account, Vec::new()))), location))
    }

    /// Show a service account
    #[oai(
        path = "/api_v1/service-accounts/:name",
        method = "get",
        operation_id = "get_service_account",
        tag = "Tag::ServiceAccounts"
    )]
    async fn get_service_account(
        &self,
        /// The account's name
        name: Path<ServiceName>,
    ) -> Result<Json<ServiceAccount>, Problem> {
        Ok(Json(shown(self.accounts.find(&name.0).await?)))
    }

    /// Change a service account
    ///
    /// RFC 7396: null clears the description, what is left out stays.
    #[oai(
        path = "/api_v1/service-accounts/:name",
        method = "patch",
        operation_id = "patch_service_account",
        tag = "Tag::ServiceAccounts"
    )]
    async fn patch_service_account(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The account's name
        name: Path<ServiceName>,
        body: MergePatch<ServiceAccountPatch>,
    ) -> Result<Json<ServiceAccount>, Problem> {
        let patch = body.0;
        let change = Change {
            description: patch.description,
            roles: patch.roles.map(|roles| roles.into_iter().collect()),
            scopes: patch.scopes.map(|scopes| scopes.into_iter().collect()),
            audiences: patch.audiences.map(|audiences| audiences.into_iter().collect()),
            is_active: patch.is_active,
        };
        let told = told(&change);
        let changed = self.accounts.change(&caller.0, &name.0, change).await?;
        self.record(request, &caller.0, "patch_service_account", &name.0, told).await?;
        Ok(Json(shown(changed)))
    }

    /// Delete a service account
    #[oai(
        path = "/api_v1/service-accounts/:name",
        method = "delete",
        operation_id = "delete_service_account",
        tag = "Tag::ServiceAccounts"
    )]
    async fn delete_service_account(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The account's name
        name: Path<ServiceName>,
    ) -> Result<Gone, Problem> {
        self.accounts.delete(&caller.0, &name.0).await?;
        self.record(request, &caller.0, "delete_service_account", &name.0, None).await?;
        Ok(Gone::NoContent)
    }

    /// Give a service account a secret
    ///
    /// Several are good at once, so that one can be replaced while it is in use. The secret is shown in this answer and never again.
    #[oai(
        path = "/api_v1/service-accounts/:name/secrets",
        method = "post",
        operation_id = "create_service_account_secret",
        tag = "Tag::ServiceAccounts"
    )]
    async fn create_service_account_secret(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The account's name
        name: Path<ServiceName>,
        body: OptionalJson<NewServiceAccountSecret>,
    ) -> Result<SecretCreated, Problem> {
        let expires_at = body.0.expires_at.value();
        let (made, secret) = self.accounts.add_secret(&caller.0, &name.0, expires_at).await?;
        let told = format!("secret {}", made.id);
        self.record(request, &caller.0, "create_service_account_secret", &name.0, Some(told)).await?;
        let answer = ServiceAccountSecret {
            id: made.id,
            secret: secret.expose_secret().to_owned().into(),
            created_at: made.created_at,
            expires_at: Nullable(made.expires_at),
        };
        Ok(SecretCreated::Created(Json(answer), "no-store".to_owned()))
    }

    /// Revoke a secret of a service account
    ///
    /// Tokens that were got with it end; those of other secrets go on.
    #[oai(
        path = "/api_v1/service-accounts/:name/secrets/:secret_id",
        method = "delete",
        operation_id = "revoke_service_account_secret",
        tag = "Tag::ServiceAccounts"
    )]
    async fn revoke_service_account_secret(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The account's name
        name: Path<ServiceName>,
        /// The secret's id
        secret_id: Path<i64>,
    ) -> Result<Gone, Problem> {
        self.accounts.revoke_secret(&caller.0, &name.0, secret_id.0).await?;
        let told = format!("secret {}", secret_id.0);
        self.record(request, &caller.0, "revoke_service_account_secret", &name.0, Some(told)).await?;
        Ok(Gone::NoContent)
    }
}

impl ServiceAccountsApi {
    async fn record(
        &self,
        request: &Request,
        caller: &Caller,
        action: &'static str,
        name: &ServiceName,
        detail: Option<String>,
    ) -> Result<(), Problem> {
        let act = Act::done(caller.subject.clone(), action, target(name)).with(detail);
        self.trail.record(request, act).await
    }
}

fn shown((account, secrets): WithSecrets) -> ServiceAccount {
    let secret = |secret: StoredSecret| SecretInformation {
        id: secret.id,
        created_at: secret.created_at,
        expires_at: Nullable(secret.expires_at),
        last_used_at: Nullable(secret.last_used_at),
    };
    ServiceAccount {
        name: account.name,
        description: Nullable(account.description),
        roles: account.roles.into_iter().collect(),
        scopes: account.scopes.iter().cloned().collect(),
        audiences: account.audiences.into_iter().collect(),
        is_active: account.disabled_at.is_none(),
        secrets: secrets.into_iter().map(secret).collect(),
        created_at: account.created_at,
        updated_at: account.updated_at,
    }
}

/// What a change sets, for the audit log; a description may hold anything and is not repeated.
fn told(change: &Change) -> Option<String> {
    let parts = [
        change.roles.as_ref().map(|roles| format!("roles {}", words(roles))),
        change.scopes.as_ref().map(|scopes| format!("scopes {scopes}")),
        change.audiences.as_ref().map(|audiences| format!("audiences {}", words(audiences))),
        change.is_active.map(|active| if active { "enabled" } else { "disabled" }.to_owned()),
        (!change.description.is_absent()).then(|| "description".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn words<'w, W: ToString + 'w>(words: impl IntoIterator<Item = &'w W>) -> String {
    words.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
