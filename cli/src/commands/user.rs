//! `platform user`: users, through the gateway's public API and never the database.

mod change;
mod create;
mod export;
pub(super) mod find;
mod import;
mod link;
mod list;

use serde_json::Value;

use crate::arguments::{Global, UserCommand};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{Column, one, plain};

/// Path of the users.
const USERS: &str = "/api_v1/users";

/// Runs the verb.
pub(crate) async fn run(context: &mut Context, global: &Global, verb: UserCommand) -> Outcome {
    let connection = Connection::find(context, global)?;
    match verb {
        UserCommand::Create { email, address, fields, admin, must_change, if_not_exists, password } => {
            // An address in its place wins over the variable; twice on the command line is a mistake.
            if let (Some(email), Some(_)) = (&email, &address)
                && context.variable("PLATFORM_USER_EMAIL") != Some(email)
            {
                return Err(Failure::usage("the e-mail address is given twice"));
            }
            let email = address.or(email);
            create::create(
                context,
                &connection,
                create::New { email, fields, admin, must_change, if_not_exists, password },
            )
            .await
        }
        UserCommand::List(wanted) => list::list(context, &connection, &wanted).await,
        UserCommand::Import(arguments) => import::import(context, &connection, arguments).await,
        UserCommand::Export { form } => export::export(context, &connection, form).await,
        UserCommand::Show { user } => {
            let api = connection.signed_in(context).await?;
            let found = find::find(&api, &user).await?;
            show(context, &found)
        }
        UserCommand::Update { user, email, current_password_file, fields, clear } => {
            let changes = change::Changes { email, current_file: current_password_file, fields, clear };
            change::update(context, &connection, &user, changes).await
        }
        UserCommand::Disable { user } => change::set_active(context, &connection, &user, false).await,
        UserCommand::Enable { user } => change::set_active(context, &connection, &user, true).await,
        UserCommand::ResetSecondFactor { user, yes } => {
            change::reset_second_factor(context, &connection, &user, yes).await
        }
        UserCommand::Unlock { user } => change::unlock(context, &connection, &user).await,
        UserCommand::SetPassword { user, current_password_file, must_change, no_must_change, password } => {
            let must_change = (must_change || no_must_change).then_some(must_change);
            let new = change::NewPassword { current_file: current_password_file, must_change, password };
            change::set_password(context, &connection, &user, new).await
        }
        UserCommand::Reset { user, print_link } => link::reset(context, &connection, &user, print_link).await,
        UserCommand::Invite { email, fields, print_link } => {
            link::invite(context, &connection, &email, &fields, print_link).await
        }
        UserCommand::Delete { user, yes } => change::delete(context, &connection, &user, yes).await,
    }
}

/// Columns of a list; the details have the times in full.
const LISTED: &[Column] = &[
    Column::new("ID", "id"),
    Column::new("E-MAIL", "email"),
    Column::new("FIRST NAME", "first_name"),
    Column::new("LAST NAME", "last_name"),
    Column::with("ACTIVE", "is_active", active),
    Column::new("ROLES", "roles"),
    Column::with("CREATED", "created_at", |row| plain(&row["created_at"]).chars().take(10).collect()),
];

const DETAILS: &[Column] = &[
    Column::new("Id", "id"),
    Column::new("E-mail", "email"),
    Column::new("First name", "first_name"),
    Column::new("Last name", "last_name"),
    Column::with("Address confirmed", "email_verified", |row| yes_or_no(&row["email_verified"])),
    Column::with("Active", "is_active", active),
    Column::new("Roles", "roles"),
    Column::with("Must change password", "must_change_password", must_change),
    Column::new("Created", "created_at"),
    Column::new("Updated", "updated_at"),
];

fn active(row: &Value) -> String {
    yes_or_no(&row["is_active"])
}

fn must_change(row: &Value) -> String {
    yes_or_no(&row["must_change_password"])
}

fn yes_or_no(value: &Value) -> String {
    match value.as_bool() {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => String::new(),
    }
}

pub(super) fn show(context: &mut Context, user: &Value) -> Outcome {
    one(context, DETAILS, user)
}
