//! `platform session`: sign-ins that have not ended, and how to end them.

use contract::SessionId;
use serde_json::Value;

use super::user::find;
use crate::api::Api;
use crate::arguments::{Global, SessionCommand};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Column, many, moment, plain, safe};
use crate::prompt;

/// Path of one's own sessions.
const OWN: &str = "/api_v1/auth/sessions";

const LISTED: &[Column] = &[
    Column::new("ID", "id"),
    Column::new("DEVICE", "device"),
    Column::new("ADDRESS", "address"),
    Column::with("CREATED", "created_at", |row| moment(&row["created_at"])),
    Column::with("LAST USED", "last_used_at", |row| moment(&row["last_used_at"])),
    Column::with("EXPIRES", "expires_at", |row| moment(&row["expires_at"])),
    Column::with("CURRENT", "current", |row| if row["current"] == true { "yes" } else { "" }.to_owned()),
];

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: SessionCommand) -> Outcome {
    let connection = Connection::find(context, global)?;
    let api = connection.signed_in(context).await?;
    match verb {
        SessionCommand::List { user } => {
            let path = path(&api, user.as_deref()).await?.0;
            let listed = api.get(&path).await.map_err(|failure| whose(failure, user.is_none()))?.body;
            many(context, LISTED, listed.as_array().map_or(&[], Vec::as_slice))
        }
        SessionCommand::Revoke { session, user, yes } => {
            revoke(context, &api, session, user.as_deref(), yes).await
        }
    }
}

async fn revoke(
    context: &mut Context,
    api: &Api,
    session: Option<SessionId>,
    user: Option<&str>,
    yes: bool,
) -> Outcome {
    let (path, found) = path(api, user).await?;
    let Some(session) = session else {
        let name = format!("user {} ({})", found["id"], safe(&plain(&found["email"])));
        prompt::confirmed(context, yes, &format!("End all sessions of {name}?"))?;
        api.delete(&path).await?;
        context.note(&format!("All sessions of {name} have ended, with their tokens."));
        return Ok(());
    };
    let ended = api.delete(&format!("{path}/{session}")).await;
    ended.map_err(|failure| whose(failure, user.is_none()))?;
    context.note(&format!("Session {session} has ended, with its tokens."));
    Ok(())
}

/// Path of the sessions of a user, or of one's own; and the user, if one is named.
async fn path(api: &Api, user: Option<&str>) -> Outcome<(String, Value)> {
    let Some(user) = user else { return Ok((OWN.to_owned(), Value::Null)) };
    let found = find::find(api, user).await?;
    Ok((format!("{}/sessions", find::path(&found)), found))
}

/// Whoever has no sessions, such as the operator, must say whose are meant.
fn whose(mut failure: crate::failure::Failure, own: bool) -> crate::failure::Failure {
    if own && failure.exit == Exit::NotAllowed && failure.next.is_none() {
        failure.next = Some("Say whose they are: --user USER.".to_owned());
    }
    failure
}
