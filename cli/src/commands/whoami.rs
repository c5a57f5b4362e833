//! `platform whoami`: which platform commands talk to, and as whom.

use kit::token::{Expected, KeySet};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::token::{expected, keys};
use crate::arguments::Global;
use crate::connection::{Connection, Means};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Column, Format, one};
use crate::token::{absolute, explain};

const SHOWN: &[Column] = &[
    Column::new("Platform", "url"),
    Column::new("Context", "context"),
    Column::new("Signed in by", "by"),
    Column::new("Subject", "subject"),
    Column::new("E-mail", "email"),
    Column::new("Roles", "roles"),
    Column::new("Scope", "scope"),
    Column::new("Audience", "audience"),
    Column::new("Session", "session"),
    Column::with("Token expires", "expires_at", |row| {
        row["expires_at"].as_i64().map(absolute).unwrap_or_default()
    }),
];

/// Shows it. The platform is asked: a token that looks good need not be.
pub(crate) async fn run(context: &mut Context, global: &Global) -> Outcome {
    let connection = Connection::find(context, global)?;
    let (api, means) = connection.signed_in_by(context).await?;
    let token = api.token().await?;
    let anonymous = connection.anonymous()?;
    let mut expected = expected(&connection, &anonymous).await;
    // For whom a token is, a platform elsewhere need not say as this machine's settings do: it is shown, not held to them.
    expected.audience = audience(&token, (context.now)()).unwrap_or(expected.audience);
    let claims = verified(&keys(&anonymous).await?, &expected, &token)?;
    let mut shown = json!({
        "url": connection.url,
        "context": connection.name,
        "by": match means {
            Means::Token => "token",
            Means::Session => "session",
            Means::Operator => "operator",
        },
        "subject": claims["sub"],
        "email": Value::Null,
        "roles": claims["roles"],
        "scope": claims["scope"],
        "audience": claims["aud"],
        "session": claims["sid"],
        "expires_at": claims["exp"],
    });
    // A user may have been renamed, disabled or signed out since the token was issued.
    if claims["sub"].as_str().is_some_and(|subject| subject.parse::<contract::UserId>().is_ok()) {
        match api.get("/api_v1/users/me").await {
            Ok(me) => {
                shown["email"] = me.body["email"].clone();
                shown["roles"] = me.body["roles"].clone();
            }
            // A token of narrow scope may not read it (403): what it says has to do. One that is good no more is told a way in.
            Err(failure) if failure.exit == Exit::NotAllowed && failure.next.is_none() => {}
            Err(failure) => return Err(failure),
        }
    }
    let mut columns = SHOWN.to_vec();
    if context.format == Format::Table {
        // An operator has no address, and a session's token no scope.
        columns.retain(|column| !shown[column.field].is_null());
    }
    one(context, &columns, &shown)
}

/// For whom a token says it is.
fn audience(token: &SecretString, now: OffsetDateTime) -> Option<String> {
    let explained = explain(token.expose_secret(), now).ok()?;
    let claim = explained.claims.into_iter().find(|claim| claim.part == "claims" && claim.name == "aud")?;
    let first = claim.value.get(0).cloned().unwrap_or(claim.value);
    first.as_str().map(str::to_owned)
}

fn verified(keys: &KeySet, expected: &Expected, token: &SecretString) -> Outcome<Value> {
    keys.verify(token.expose_secret(), expected).map_err(|fault| {
        Failure::new(Exit::NotAllowed, "the platform does not take this token").because(fault.to_string())
    })
}
