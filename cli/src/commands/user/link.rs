//! `platform user reset|invite`: links by which users set their passwords.

use serde_json::{Value, json};

use super::find;
use crate::arguments::UserFields;
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Column, one, plain, safe};

const COLUMNS: &[Column] = &[
    Column::with("User", "user", |row| plain(&row["user"])),
    Column::with("Link", "link", |row| plain(&row["link"])),
    Column::with("Good until", "expires_at", |row| plain(&row["expires_at"])),
];

/// Has a user set a new password; the one until now stays good until the link is followed.
pub(super) async fn reset(
    context: &mut Context,
    connection: &Connection,
    user: &str,
    print_link: bool,
) -> Outcome {
    let api = connection.signed_in(context).await?;
    let found = find::find(&api, user).await?;
    let path = format!("{}/password-reset", find::path(&found));
    let body = if print_link { json!({ "deliver": "link" }) } else { json!({}) };
    let answer = api.post(&path, &body).await?;
    tell(context, &found, &answer.body)
}

/// Creates a user without a password that anybody knows.
pub(super) async fn invite(
    context: &mut Context,
    connection: &Connection,
    email: &str,
    fields: &UserFields,
    print_link: bool,
) -> Outcome {
    let api = connection.signed_in(context).await?;
    let mut body = json!({ "email": email });
    if print_link {
        body["deliver"] = json!("link");
    }
    for (name, value) in [("first_name", &fields.first_name), ("last_name", &fields.last_name)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    if !fields.roles.is_empty() {
        body["roles"] = json!(fields.roles);
    }
    let answer = api.post("/api_v1/invitations", &body).await?;
    context.note("The user is created.");
    tell(context, &answer.body["user"], &answer.body["invitation"])
}

fn tell(context: &mut Context, user: &Value, link: &Value) -> Outcome {
    let address = safe(&plain(&user["email"]));
    context.note(&if link["sent"] == true {
        format!("A letter with the link is on its way to {address}.")
    } else {
        format!("Give this link to {address} and nobody else; whoever has it sets the password.")
    });
    let shown = json!({
        "user": user["id"],
        "email": user["email"],
        "sent": link["sent"],
        "link": link["link"],
        "expires_at": link["expires_at"],
    });
    one(context, COLUMNS, &shown)
}
