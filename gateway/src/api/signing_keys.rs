//! The signing keys, for admins: which there are, rotation, and taking one out of use.

use std::sync::Arc;

use contract::{
    Caller, Problem, ProblemKind, Role, Timestamp, caller::CallerOf, document::Policy, operation::Access,
    payload::Json, users::types::Nullable,
};
use poem::Request;
use poem_openapi::{Enum, Object, OpenApi, Tags, param::Path};
use serde::{Deserialize, Serialize};

use super::audit_trail::AuditTrail;
use crate::{
    identity::{algorithm::Algorithm, audit::Act, keyring::Keyring, keys::Purpose},
    store::keys::{State, StoredKey},
};

/// What each operation needs.
pub(crate) fn policies() -> Vec<Policy> {
    vec![
        Policy::new("list_keys", Access::Role(Role::ADMIN), &[]).scope("keys:read"),
        Policy::new("rotate_key", Access::Role(Role::ADMIN), &[]).scope("keys:write").recent(),
        Policy::new("retire_key", Access::Role(Role::ADMIN), &[404]).scope("keys:write").recent(),
    ]
}

#[derive(Tags)]
enum Tag {
    /// What tokens are signed with.
    Keys,
}

/// What a key signs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Enum)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
enum KeyPurpose {
    /// Access tokens, for clients.
    Access,
    /// Internal tokens, from the gateway to services.
    Internal,
}

/// How a key signs.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Enum)]
enum KeyAlgorithm {
    /// Ed25519 (RFC 8037).
    #[oai(rename = "EdDSA")]
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256 (RFC 7518).
    #[oai(rename = "ES256")]
    #[serde(rename = "ES256")]
    Es256,
}

/// What a key does.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Enum)]
#[oai(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
enum KeyState {
    /// Published, and not signing yet.
    Next,
    /// Signs.
    Active,
    /// Signs no more, and verifies until `verifies_until`.
    Retired,
}

/// A signing key, without its private half.
#[derive(Debug, Serialize, Deserialize, Object)]
struct SigningKey {
    /// Its name: the `kid` of its tokens, and its thumbprint (RFC 7638).
    #[oai(validator(max_length = 64))]
    kid: String,
    /// What it signs.
    purpose: KeyPurpose,
    /// How it signs.
    algorithm: KeyAlgorithm,
    /// What it does.
    state: KeyState,
    /// When it was made and published.
    created_at: Timestamp,
    /// Since when it signs; of a next key: from when it is to sign, where a rotation settled that.
    signs_from: Nullable<Timestamp>,
    /// Since when it signs no more.
    retired_at: Nullable<Timestamp>,
    /// From when on no token of a retired key is taken.
    verifies_until: Nullable<Timestamp>,
}

/// Which key is to be followed by the next.
#[derive(Debug, Serialize, Deserialize, Object)]
struct Rotation {
    /// What the keys sign.
    purpose: KeyPurpose,
    /// The next key's algorithm; that of the next key there is if unset.
    #[serde(default)]
    algorithm: Option<KeyAlgorithm>,
}

/// The operations.
pub(crate) struct SigningKeysApi {
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) trail: AuditTrail,
}

#[OpenApi]
impl SigningKeysApi {
    /// List signing keys
    ///
    /// Oldest first, of both purposes, also those that verify nothing any more and are not deleted yet.
    #[oai(path = "/api_v1/keys", method = "get", operation_id = "list_keys", tag = "Tag::Keys")]
    async fn list_keys(&self) -> Result<Json<Vec<SigningKey>>, Problem> {
        Ok(Json(self.keyring.list().await?.into_iter().filter_map(shown).collect()))
    }

    /// Rotate a signing key
    ///
    /// The next key signs from now on where it has been published for long enough, else from the moment told in `signs_from`.
    /// The one that signed until then verifies until its last token has expired, so no token is broken.
    #[oai(path = "/api_v1/keys/rotate", method = "post", operation_id = "rotate_key", tag = "Tag::Keys")]
    async fn rotate_key(
        &self,
        caller: CallerOf,
        request: &Request,
        body: Json<Rotation>,
    ) -> Result<Json<SigningKey>, Problem> {
        self.trail.audit.require_writable()?;
        let purpose = match body.0.purpose {
            KeyPurpose::Access => Purpose::Access,
            KeyPurpose::Internal => Purpose::Internal,
        };
        let algorithm = body.0.algorithm.map(|algorithm| match algorithm {
            KeyAlgorithm::EdDsa => Algorithm::EdDsa,
            KeyAlgorithm::Es256 => Algorithm::Es256,
        });
        let key = self.keyring.rotate(purpose, algorithm).await?;
        self.done(request, &caller.0, "rotate_key", key).await
    }

    /// Retire a signing key at once
    ///
    /// For a key that somebody else may have: from now on no token signed with it is taken. Where it was the active one, the
    /// next signs from now on; clients get a 401 and refresh.
    #[oai(path = "/api_v1/keys/:kid/retire", method = "post", operation_id = "retire_key", tag = "Tag::Keys")]
    async fn retire_key(
        &self,
        caller: CallerOf,
        request: &Request,
        /// The key's name
        #[oai(validator(max_length = 64))]
        kid: Path<String>,
    ) -> Result<Json<SigningKey>, Problem> {
        self.trail.audit.require_writable()?;
        let key = self.keyring.retire(&kid.0).await?;
        let key = key.ok_or_else(|| Problem::new(ProblemKind::NotFound, "There is no such key"))?;
        self.done(request, &caller.0, "retire_key", key).await
    }
}

impl SigningKeysApi {
    async fn done(
        &self,
        request: &Request,
        caller: &Caller,
        action: &'static str,
        key: StoredKey,
    ) -> Result<Json<SigningKey>, Problem> {
        let act = Act::done(caller.subject.clone(), action, format!("keys/{}", key.kid))
            .with(Some(format!("{}, {}", key.purpose, key.algorithm)));
        self.trail.record(request, act).await?;
        shown(key).map(Json).ok_or_else(|| Problem::internal("a stored key can't be shown"))
    }
}

/// `None` for what no version of the program stores.
fn shown(key: StoredKey) -> Option<SigningKey> {
    let moment = |at: Option<i64>| Nullable(at.and_then(Timestamp::from_microseconds));
    Some(SigningKey {
        purpose: if key.purpose == Purpose::Access.name() {
            KeyPurpose::Access
        } else {
            KeyPurpose::Internal
        },
        algorithm: match Algorithm::of_name(&key.algorithm).ok()? {
            Algorithm::EdDsa => KeyAlgorithm::EdDsa,
            Algorithm::Es256 => KeyAlgorithm::Es256,
        },
        state: match key.state {
            State::Next => KeyState::Next,
            State::Active => KeyState::Active,
            State::Retired => KeyState::Retired,
        },
        created_at: Timestamp::from_microseconds(key.created_at)?,
        signs_from: moment(key.activated_at),
        retired_at: moment(key.retired_at),
        verifies_until: moment(key.verifies_until),
        kid: key.kid,
    })
}
