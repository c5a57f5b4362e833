//! `platform service-account`: the accounts of services, through the gateway's public API.

use std::time::Duration;

use contract::{ServiceName, Timestamp};
use serde_json::{Map, Value, json};

use crate::api::Api;
use crate::arguments::{Global, Rights, ServiceAccountCommand};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Column, Format, many, one, plain};
use crate::prompt;

/// Path of the accounts.
const ACCOUNTS: &str = "/api_v1/service-accounts";

const LISTED: &[Column] = &[
    Column::new("NAME", "name"),
    Column::with("ACTIVE", "is_active", active),
    Column::new("ROLES", "roles"),
    Column::new("SCOPES", "scopes"),
    Column::new("AUDIENCES", "audiences"),
    Column::with("SECRETS", "secrets", |row| row["secrets"].as_array().map_or(0, Vec::len).to_string()),
    Column::new("DESCRIPTION", "description"),
];

const DETAILS: &[Column] = &[
    Column::new("Name", "name"),
    Column::new("Description", "description"),
    Column::with("Active", "is_active", active),
    Column::new("Roles", "roles"),
    Column::new("Scopes", "scopes"),
    Column::new("Audiences", "audiences"),
    Column::with("Secrets", "secrets", secrets),
    Column::new("Created", "created_at"),
    Column::new("Updated", "updated_at"),
];

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: ServiceAccountCommand) -> Outcome {
    let connection = Connection::find(context, global)?;
    let api = connection.signed_in(context).await?;
    match verb {
        ServiceAccountCommand::Create { name, description, rights, expires_in } => {
            create(context, &api, &name, description, rights, expires_in).await
        }
        ServiceAccountCommand::List => {
            let listed = api.get(ACCOUNTS).await?.body;
            many(context, LISTED, listed.as_array().map_or(&[], Vec::as_slice))
        }
        ServiceAccountCommand::Show { name } => {
            let found = told(&name, api.get(&path(&name)).await)?;
            one(context, DETAILS, &found)
        }
        ServiceAccountCommand::Update { name, description, rights } => {
            let patch = fields(description, rights);
            if patch.is_empty() {
                return Err(Failure::usage("nothing to change is given")
                    .next("See platform service-account update --help."));
            }
            change(context, &api, &name, &patch, "The service account is changed.").await
        }
        ServiceAccountCommand::Rotate { name, expires_in } => {
            let made = add_secret(context, &api, &name, expires_in).await?;
            shown_once(context, &name, &made)?;
            context
                .note("The secrets it had go on: revoke them by `platform service-account revoke-secret`.");
            Ok(())
        }
        ServiceAccountCommand::RevokeSecret { name, id, yes } => {
            prompt::confirmed(context, yes, &format!("Revoke secret {id} of {name} for good?"))?;
            told(&name, api.delete(&format!("{}/secrets/{id}", path(&name))).await)?;
            context.note(&format!("Secret {id} of {name} is revoked; the tokens got with it have ended."));
            Ok(())
        }
        ServiceAccountCommand::Disable { name } => {
            let patch = Map::from_iter([("is_active".to_owned(), json!(false))]);
            let note = "The service account is disabled; its tokens have ended.";
            change(context, &api, &name, &patch, note).await
        }
        ServiceAccountCommand::Enable { name } => {
            let patch = Map::from_iter([("is_active".to_owned(), json!(true))]);
            change(context, &api, &name, &patch, "The service account may get tokens again.").await
        }
        ServiceAccountCommand::Delete { name, yes } => {
            prompt::confirmed(context, yes, &format!("Delete the service account {name} for good?"))?;
            told(&name, api.delete(&path(&name)).await)?;
            context.note(&format!("Deleted the service account {name}; its tokens have ended."));
            Ok(())
        }
    }
}

async fn create(
    context: &mut Context,
    api: &Api,
    name: &ServiceName,
    description: Option<String>,
    rights: Rights,
    expires_in: Option<Duration>,
) -> Outcome {
    let powerless = rights.scopes.is_empty();
    let mut body = fields(description, rights);
    body.insert("name".to_owned(), json!(name));
    api.post(ACCOUNTS, &Value::Object(body)).await?;
    let made = add_secret(context, api, name, expires_in).await?;
    context.note(&format!("The service account {name} is created."));
    if powerless {
        context.note("It has no scope yet, and gets no token: platform service-account update --scope …");
    }
    shown_once(context, name, &made)
}

async fn add_secret(
    context: &Context,
    api: &Api,
    name: &ServiceName,
    expires_in: Option<Duration>,
) -> Outcome<Value> {
    let expires_at = expires_in.map(|time| Timestamp::new((context.now)()) + time);
    told(name, api.post(&format!("{}/secrets", path(name)), &json!({ "expires_at": expires_at })).await)
}

async fn change(
    context: &mut Context,
    api: &Api,
    name: &ServiceName,
    patch: &Map<String, Value>,
    note: &str,
) -> Outcome {
    let changed = told(name, api.patch(&path(name), &Value::Object(patch.clone())).await)?;
    context.note(note);
    one(context, DETAILS, &changed)
}

/// The secret alone for people and shells; all that is known of it in the other forms.
fn shown_once(context: &mut Context, name: &ServiceName, made: &Value) -> Outcome {
    const COLUMNS: &[Column] = &[
        Column::new("", "name"),
        Column::new("", "id"),
        Column::new("", "secret"),
        Column::new("", "created_at"),
        Column::new("", "expires_at"),
    ];
    if context.format == Format::Table {
        context.line(&plain(&made["secret"]))?;
    } else {
        let mut made = made.clone();
        made["name"] = json!(name);
        one(context, COLUMNS, &made)?;
    }
    context.note(&format!("This is secret {} of {name}; it is shown this once.", made["id"]));
    Ok(())
}

fn fields(description: Option<String>, rights: Rights) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(description) = description {
        fields.insert("description".to_owned(), json!(description));
    }
    for (name, words) in [("roles", rights.roles), ("scopes", rights.scopes), ("audiences", rights.audiences)]
    {
        if !words.is_empty() {
            fields.insert(name.to_owned(), json!(words));
        }
    }
    fields
}

fn path(name: &ServiceName) -> String {
    format!("{ACCOUNTS}/{name}")
}

fn told(name: &ServiceName, answer: Outcome<crate::api::Answer>) -> Outcome<Value> {
    answer.map(|answer| answer.body).map_err(|mut failure| {
        if failure.exit == Exit::NotFound && failure.next.is_none() {
            failure.why = Some(format!("the account named is {name}"));
            failure.next = Some("`platform service-account list` lists all.".to_owned());
        }
        failure
    })
}

fn active(row: &Value) -> String {
    if row["is_active"] == true { "yes" } else { "no" }.to_owned()
}

/// Each secret's id, age and end.
fn secrets(row: &Value) -> String {
    let day = |value: &Value| plain(value).chars().take(10).collect::<String>();
    let one = |secret: &Value| {
        let until = match &secret["expires_at"] {
            Value::Null => String::new(),
            at => format!(" until {}", day(at)),
        };
        let used = match &secret["last_used_at"] {
            Value::Null => "never used".to_owned(),
            at => format!("last used {}", day(at)),
        };
        format!("{} of {}{until}, {used}", secret["id"], day(&secret["created_at"]))
    };
    row["secrets"].as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join("; ")
}
