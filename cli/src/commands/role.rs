//! `platform role`: the roles that there are, and who has them.

use serde_json::{Value, json};

use super::user::{find, show};
use crate::api::Api;
use crate::arguments::{Global, RoleCommand};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, many, one, plain};
use crate::prompt;

/// Path of the roles.
const ROLES: &str = "/api_v1/roles";

/// How often a change is tried that others come before.
const TRIES: usize = 5;

const LISTED: &[Column] = &[
    Column::new("ROLE", "name"),
    Column::new("DESCRIPTION", "description"),
    Column::with("BUILT IN", "built_in", built_in),
    Column::with("CREATED", "created_at", |row| plain(&row["created_at"]).chars().take(10).collect()),
];

const DETAILS: &[Column] = &[
    Column::new("Role", "name"),
    Column::new("Description", "description"),
    Column::with("Built in", "built_in", built_in),
    Column::new("Created", "created_at"),
];

fn built_in(row: &Value) -> String {
    if row["built_in"] == json!(true) { "yes".to_owned() } else { "no".to_owned() }
}

/// The detail by which the API says that the version named is not the current one.
const CHANGED: &str = "The user was changed in the meantime";

/// The detail by which the API says that a role is there.
const EXISTS: &str = "The role exists already";

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: RoleCommand) -> Outcome {
    let api = Connection::find(context, global)?.signed_in(context).await?;
    match verb {
        RoleCommand::List => {
            let roles = api.get(ROLES).await?.body;
            many(context, LISTED, roles.as_array().map(Vec::as_slice).unwrap_or_default())
        }
        RoleCommand::Create { role, description, if_not_exists } => {
            create(context, &api, &role, description, if_not_exists).await
        }
        RoleCommand::Delete { role, yes } => {
            prompt::confirmed(context, yes, &format!("Delete the role {role}?"))?;
            api.delete(&format!("{ROLES}/{role}")).await?;
            context.note(&format!("Deleted the role {role}."));
            Ok(())
        }
        RoleCommand::Grant { user, role } => {
            let (user, changed) = change(&api, &user, |roles| {
                if !roles.contains(&role) {
                    roles.push(role.clone());
                }
            })
            .await?;
            context.note(&if changed {
                format!("The user has the role {role}.")
            } else {
                format!("The user has the role {role} already.")
            });
            show(context, &user)
        }
        RoleCommand::Revoke { user, role } => {
            if role == "user" {
                return Err(Failure::usage("every user has the role user"));
            }
            let (user, changed) = change(&api, &user, |roles| roles.retain(|has| *has != role)).await?;
            context.note(&if changed {
                format!("The user has the role {role} no more; their access tokens have ended.")
            } else {
                format!("The user does not have the role {role}.")
            });
            show(context, &user)
        }
    }
}

async fn create(
    context: &mut Context,
    api: &Api,
    role: &str,
    description: Option<String>,
    if_not_exists: bool,
) -> Outcome {
    let created = match api.post(ROLES, &json!({"name": role, "description": description})).await {
        Err(failure) if failure.what == EXISTS && if_not_exists => {
            context.note("The role exists already and stays as it is.");
            api.get(&format!("{ROLES}/{role}")).await?
        }
        Err(failure) if failure.what == EXISTS => {
            return Err(failure.next("Add --if-not-exists where that is all right."));
        }
        created => {
            let created = created?;
            context.note(&format!("The role is created. Give it to a user: platform role grant USER {role}"));
            created
        }
    };
    one(context, DETAILS, &created.body)
}

/// Changes a user's roles from what they are: against the version that was read, so that what others change meanwhile stays.
/// The user, and whether anything was different.
async fn change(api: &Api, user: &str, change: impl Fn(&mut Vec<String>)) -> Outcome<(Value, bool)> {
    let path = find::path(&find::find(api, user).await?);
    let mut tries = 0;
    loop {
        let found = api.get(&path).await?;
        let before: Vec<String> = found.body["roles"].as_array().into_iter().flatten().map(plain).collect();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok((found.body, false));
        }
        tries += 1;
        match api.patch_version(&path, &json!({"roles": after}), found.version()).await {
            Err(failure) if failure.what == CHANGED && tries < TRIES => {}
            changed => return changed.map(|changed| (changed.body, true)),
        }
    }
}
