//! `platform user create`.

use serde_json::{Map, Value, json};

use super::{USERS, find, show};
use crate::arguments::{PasswordArguments, UserFields};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::prompt::{self, PasswordSource};

/// What a user is created from.
pub(super) struct New {
    pub(super) email: Option<String>,
    pub(super) fields: UserFields,
    pub(super) admin: bool,
    pub(super) must_change: bool,
    pub(super) if_not_exists: bool,
    pub(super) password: PasswordArguments,
}

/// The detail by which the API says that an address is taken.
const TAKEN: &str = "The user with this username already exists in the system";

/// Creates the user. With `if_not_exists` one that is there is shown and left as it is, its password and roles too.
pub(super) async fn create(context: &mut Context, connection: &Connection, new: New) -> Outcome {
    let api = connection.signed_in(context).await?;
    let email = prompt::value(context, new.email, "E-mail address", "--email ADDRESS")?;
    // Before any password is asked for.
    if new.if_not_exists
        && let Ok(found) = find::find(&api, &email).await
    {
        context.note("The user exists already and stays as it is.");
        return show(context, &found);
    }
    let source = PasswordSource { from_stdin: new.password.password_stdin, file: new.password.password_file };
    let password = prompt::password(context, &source, true)?;
    let mut body = body(&email, &new.fields, new.admin, secrecy::ExposeSecret::expose_secret(&password));
    if new.must_change {
        body["must_change_password"] = json!(true);
    }
    match api.post(USERS, &body).await {
        Ok(created) => {
            context.note("The user is created.");
            show(context, &created.body)
        }
        // Another process was first.
        Err(failure) if new.if_not_exists && failure.what == TAKEN => {
            let found = find::find(&api, &email).await?;
            context.note("The user exists already and stays as it is.");
            show(context, &found)
        }
        Err(failure) if failure.what == TAKEN => {
            Err(Failure { what: format!("a user with the address {email} exists already"), ..failure }
                .next("Add --if-not-exists where that is all right."))
        }
        Err(failure) => Err(failure),
    }
}

fn body(email: &str, fields: &UserFields, admin: bool, password: &str) -> Value {
    let mut body = Map::new();
    body.insert("email".to_owned(), json!(email));
    body.insert("password".to_owned(), json!(password));
    for (name, value) in [("first_name", &fields.first_name), ("last_name", &fields.last_name)] {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    let mut roles = fields.roles.clone();
    if admin && !roles.iter().any(|role| role == "admin") {
        roles.push("admin".to_owned());
    }
    if !roles.is_empty() {
        body.insert("roles".to_owned(), json!(roles));
    }
    Value::Object(body)
}
