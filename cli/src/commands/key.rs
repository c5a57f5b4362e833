//! `platform key`: the keys that tokens are signed with, through the gateway's public API.

use serde_json::{Value, json};

use crate::arguments::{Global, KeyAlgorithm, KeyCommand, KeyPurpose};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Column, many, moment, one, plain, safe};
use crate::prompt;

/// Path of the keys.
const KEYS: &str = "/api_v1/keys";

const LISTED: &[Column] = &[
    Column::new("KEY", "kid"),
    Column::new("PURPOSE", "purpose"),
    Column::new("ALGORITHM", "algorithm"),
    Column::new("STATE", "state"),
    Column::with("SIGNS FROM", "signs_from", |row| moment(&row["signs_from"])),
    Column::with("RETIRED", "retired_at", |row| moment(&row["retired_at"])),
    Column::with("VERIFIES UNTIL", "verifies_until", |row| moment(&row["verifies_until"])),
];

const SHOWN: &[Column] = &[
    Column::new("Key", "kid"),
    Column::new("Purpose", "purpose"),
    Column::new("Algorithm", "algorithm"),
    Column::new("State", "state"),
    Column::new("Published", "created_at"),
    Column::new("Signs from", "signs_from"),
    Column::new("Retired", "retired_at"),
    Column::new("Verifies until", "verifies_until"),
];

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: KeyCommand) -> Outcome {
    let connection = Connection::find(context, global)?;
    match verb {
        KeyCommand::List { purpose } => list(context, &connection, purpose).await,
        KeyCommand::Rotate { purpose, algorithm } => rotate(context, &connection, purpose, algorithm).await,
        KeyCommand::Retire { kid, yes } => retire(context, &connection, &kid, yes).await,
    }
}

async fn list(context: &mut Context, connection: &Connection, purpose: Option<KeyPurpose>) -> Outcome {
    let api = connection.signed_in(context).await?;
    let keys = api.get(KEYS).await?.body.as_array().cloned().unwrap_or_default();
    let wanted = |key: &Value| purpose.is_none_or(|purpose| key["purpose"] == purpose.name());
    let keys: Vec<Value> = keys.into_iter().filter(wanted).collect();
    many(context, LISTED, &keys)
}

async fn rotate(
    context: &mut Context,
    connection: &Connection,
    purpose: KeyPurpose,
    algorithm: Option<KeyAlgorithm>,
) -> Outcome {
    let api = connection.signed_in(context).await?;
    let mut body = json!({ "purpose": purpose.name() });
    if let Some(algorithm) = algorithm {
        body["algorithm"] = json!(algorithm.name());
    }
    let key = api.post(&format!("{KEYS}/rotate"), &body).await?.body;
    let note = if key["state"] == "active" {
        "It signs from now on. The key before it verifies until its last token has expired.".to_owned()
    } else {
        let from = safe(&plain(&key["signs_from"]));
        format!("It is published now and signs from {from} on; until then the active key goes on.")
    };
    context.note(&note);
    one(context, SHOWN, &key)
}

async fn retire(context: &mut Context, connection: &Connection, kid: &str, yes: bool) -> Outcome {
    let api = connection.signed_in(context).await?;
    let keys = api.get(KEYS).await?.body;
    let found = keys.as_array().into_iter().flatten().find(|key| key["kid"] == kid);
    let Some(found) = found else {
        return Err(Failure::new(Exit::NotFound, "there is no such key")
            .next("`platform key list` shows the keys there are."));
    };
    let what = format!("{} key {}", safe(&plain(&found["purpose"])), safe(kid));
    let question = format!("Retire the {what} at once? Every token signed with it stops working.");
    prompt::confirmed(context, yes, &question)?;
    let key = api.post(&format!("{KEYS}/{kid}/retire"), &json!({})).await?.body;
    context.note(&format!("Retired the {what}; no token signed with it is taken any more."));
    one(context, SHOWN, &key)
}
