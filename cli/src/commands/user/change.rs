//! `platform user update|disable|enable|set-password|delete`.

use std::path::PathBuf;

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::{find, show};
use crate::api::{Answer, Api};
use crate::arguments::{ChangedFields, Clearable, PasswordArguments};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::{plain, safe};
use crate::prompt::{self, PasswordSource};

/// What to change of a user.
pub(super) struct Changes {
    pub(super) email: Option<String>,
    /// Where the caller's own password stands, for their own address.
    pub(super) current_file: Option<PathBuf>,
    pub(super) fields: ChangedFields,
    pub(super) clear: Vec<Clearable>,
}

/// Changes what is given and leaves the rest.
pub(super) async fn update(
    context: &mut Context,
    connection: &Connection,
    user: &str,
    given: Changes,
) -> Outcome {
    let current_file = given.current_file.clone();
    let patch = patch(given)?;
    let api = connection.signed_in(context).await?;
    let found = find::find(&api, user).await?;
    let changed = patched(context, &api, &find::path(&found), patch, current_file).await?;
    context.note("The user is changed.");
    show(context, &changed.body)
}

fn patch(changes: Changes) -> Outcome<Value> {
    let mut patch = Map::new();
    let texts = [
        ("email", changes.email),
        ("first_name", changes.fields.first_name),
        ("last_name", changes.fields.last_name),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            patch.insert(name.to_owned(), json!(value));
        }
    }
    if !changes.fields.roles.is_empty() {
        patch.insert("roles".to_owned(), json!(changes.fields.roles));
    }
    for field in changes.clear {
        if patch.insert(field.field().to_owned(), Value::Null).is_some() {
            return Err(Failure::usage(format!("{} is both set and cleared", field.field())));
        }
    }
    if patch.is_empty() {
        return Err(Failure::usage("nothing to change is given").next("See platform user update --help."));
    }
    Ok(Value::Object(patch))
}

/// Lets a user sign in, or not any more.
pub(super) async fn set_active(
    context: &mut Context,
    connection: &Connection,
    user: &str,
    active: bool,
) -> Outcome {
    let api = connection.signed_in(context).await?;
    let found = find::find(&api, user).await?;
    let changed = api.patch(&find::path(&found), &json!({"is_active": active})).await?;
    context.note(if active {
        "The user may sign in again."
    } else {
        "The user is disabled; all their tokens have ended."
    });
    show(context, &changed.body)
}

/// How the detail begins by which the API says that one's own password or address changes only beside the current password.
const CURRENT_NEEDED: &str = "current_password is needed";

/// Changes a user, beside the caller's current password where that is given or found to be needed.
async fn patched(
    context: &mut Context,
    api: &Api,
    path: &str,
    mut change: Value,
    current_file: Option<PathBuf>,
) -> Outcome<Answer> {
    if let Some(file) = current_file {
        change["current_password"] =
            json!(prompt::secret_from_file(&file, "--current-password-file")?.expose_secret());
    }
    match api.patch(path, &change).await {
        Err(failure) if failure.what.starts_with(CURRENT_NEEDED) => {
            if !context.interactive {
                return Err(failure.next("Add --current-password-file FILE."));
            }
            change["current_password"] = json!(prompt::hidden(context, "Current password")?.expose_secret());
            api.patch(path, &change).await
        }
        changed => changed,
    }
}

/// A password to set.
pub(super) struct NewPassword {
    /// Where the current one stands.
    pub(super) current_file: Option<PathBuf>,
    /// Whether its user must set another one, where that was said.
    pub(super) must_change: Option<bool>,
    pub(super) password: PasswordArguments,
}

/// Sets a password; one's own beside the current one.
pub(super) async fn set_password(
    context: &mut Context,
    connection: &Connection,
    user: &str,
    new: NewPassword,
) -> Outcome {
    let NewPassword { current_file, must_change, password } = new;
    let api = connection.signed_in(context).await?;
    let found = find::find(&api, user).await?;
    let source = PasswordSource { from_stdin: password.password_stdin, file: password.password_file };
    let password = prompt::password(context, &source, true)?;
    let mut patch = json!({"password": password.expose_secret()});
    if let Some(must_change) = must_change {
        patch["must_change_password"] = json!(must_change);
    }
    let changed = patched(context, &api, &find::path(&found), patch, current_file).await?;
    context.note(if changed.body["must_change_password"] == json!(true) {
        "The password is set; all the user's sessions have ended. Another one must be set before the next sign-in."
    } else {
        "The password is set; all the user's sessions have ended."
    });
    show(context, &changed.body)
}

/// Forgets the failed attempts that count against an account.
pub(super) async fn unlock(context: &mut Context, connection: &Connection, user: &str) -> Outcome {
    let api = connection.signed_in(context).await?;
    let found = find::find(&api, user).await?;
    api.post_nothing(&format!("{}/unlock", find::path(&found))).await?;
    context.note("The user may sign in without a wait.");
    Ok(())
}

/// Takes a user's second factor away, after a yes.
pub(super) async fn reset_second_factor(
    context: &mut Context,
    connection: &Connection,
    user: &str,
    yes: bool,
) -> Outcome {
    let api = connection.signed_in(context).await?;
    let found = find::find(&api, user).await?;
    let name = format!("user {} ({})", found["id"], safe(&plain(&found["email"])));
    prompt::confirmed(context, yes, &format!("Let {name} sign in by the password alone?"))?;
    api.delete(&format!("{}/second-factor", find::path(&found))).await?;
    context.note(&format!("The second factor of {name} is taken away; all their sessions have ended."));
    Ok(())
}

/// Deletes a user, after a yes.
pub(super) async fn delete(context: &mut Context, connection: &Connection, user: &str, yes: bool) -> Outcome {
    let api = connection.signed_in(context).await?;
    let found = find::find(&api, user).await?;
    let name = format!("user {} ({})", found["id"], safe(&plain(&found["email"])));
    prompt::confirmed(context, yes, &format!("Delete {name} for good?"))?;
    api.delete(&find::path(&found)).await?;
    context.note(&format!("Deleted {name}."));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    fn changes(first_name: Option<&str>, clear: Vec<Clearable>) -> Changes {
        let fields = ChangedFields { first_name: first_name.map(str::to_owned), ..ChangedFields::default() };
        Changes { email: None, current_file: None, fields, clear }
    }

    #[test]
    fn only_what_is_given_is_sent_and_a_cleared_name_is_null() {
        assert_eq!(
            patch(changes(Some("Ada"), vec![Clearable::LastName])).unwrap(),
            json!({"first_name": "Ada", "last_name": null})
        );
    }

    #[test]
    fn nothing_to_change_and_a_contradiction_are_usage_errors() {
        assert_eq!(patch(changes(None, Vec::new())).unwrap_err().exit, Exit::Usage);
        assert_eq!(patch(changes(Some("Ada"), vec![Clearable::FirstName])).unwrap_err().exit, Exit::Usage);
    }
}
