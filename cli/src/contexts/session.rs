//! A session in use: its tokens are exchanged for new ones in time, without a word.

use std::sync::{Mutex, PoisonError};

use contract::Secret;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use time::OffsetDateTime;

use super::Entry;
use super::name::ContextName;
use super::tokens::{Shelf, Store, Tokens};
use crate::api::{Api, Request};
use crate::failure::{Exit, Failure, Outcome};

/// A token that expires sooner than this is exchanged first.
const MARGIN: i64 = 30;

/// A session of a context.
#[derive(Debug)]
pub(crate) struct Session {
    name: ContextName,
    entry: Entry,
    store: Store,
    shelf: Shelf,
    tokens: Mutex<Tokens>,
    now: fn() -> OffsetDateTime,
}

impl Session {
    /// The session of a context; nothing where nobody is signed in.
    pub(crate) fn open(
        name: ContextName,
        entry: Entry,
        shelf: Shelf,
        now: fn() -> OffsetDateTime,
    ) -> Outcome<Option<Self>> {
        let Some(store) = entry.tokens else { return Ok(None) };
        let tokens = shelf.read(&name, &entry, store)?;
        Ok(tokens.map(|tokens| Self { name, entry, store, shelf, tokens: Mutex::new(tokens), now }))
    }

    fn held(&self) -> Tokens {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, tokens: Tokens) {
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    fn lasts(&self, tokens: &Tokens) -> bool {
        tokens.expires_at - (self.now)().unix_timestamp() > MARGIN
    }

    /// An access token that is good for a while.
    pub(crate) async fn token(&self, api: &Api) -> Outcome<SecretString> {
        let held = self.held();
        let tokens = if self.lasts(&held) { held } else { self.renewed(api, &held.access_token).await? };
        Ok(SecretString::from(tokens.access_token.expose()))
    }

    /// New tokens in the place of one that is not good any more.
    pub(crate) async fn renew(&self, api: &Api, stale: &SecretString) -> Outcome<SecretString> {
        let stale = Secret::from(secrecy::ExposeSecret::expose_secret(stale).to_owned());
        let tokens = self.renewed(api, &stale).await?;
        Ok(SecretString::from(tokens.access_token.expose()))
    }

    async fn renewed(&self, api: &Api, stale: &Secret) -> Outcome<Tokens> {
        let lock = self.shelf.lock(&self.name)?;
        // Another command may have been here before.
        let kept = self.shelf.read(&self.name, &self.entry, self.store)?.ok_or_else(|| self.ended())?;
        if kept.access_token.expose() != stale.expose() && self.lasts(&kept) {
            self.hold(kept.clone());
            return Ok(kept);
        }
        let body = json!({"refresh_token": kept.refresh_token.expose()});
        let request = Request::json(Method::POST, "/api_v1/auth/refresh", &body);
        let answer = api.without_token(&request).await.map_err(|failure| match failure.exit {
            Exit::NotAllowed => {
                Failure { causes: [vec![failure.what], failure.causes].concat(), ..self.ended() }
            }
            _ => failure,
        })?;
        let tokens = Tokens::of_answer(&answer.body, (self.now)())?;
        self.shelf.put(&self.name, &self.entry, self.store, &tokens)?;
        drop(lock);
        self.hold(tokens.clone());
        Ok(tokens)
    }

    fn ended(&self) -> Failure {
        let who = self.entry.user.as_deref().map(|user| format!(" of {user}")).unwrap_or_default();
        Failure::new(Exit::NotAllowed, format!("the session{who} at {} has ended", self.entry.url))
            .next(format!("Sign in again: platform login --context {}", self.name))
    }
}
