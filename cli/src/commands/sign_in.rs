//! Signing in by password: what `platform login` and `platform token issue` have in common.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::api::Api;
use crate::arguments::{LoginFiles, PasswordArguments};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::prompt::{self, PasswordSource};

/// The detail by which the API says that a new password must be set first.
const CHANGE_FIRST: &str = "Set a new password first: POST /api_v1/auth/password";

/// The detail by which it says that a code must be shown beside the password.
const CODE_FIRST: &str = "A code of the second factor is needed: send it as `code`";

/// The platform's answer, with the tokens. What it asks for besides comes from the files, or from a person.
pub(super) async fn by_password(
    context: &mut Context,
    api: &Api,
    email: &str,
    password: PasswordArguments,
    files: &LoginFiles,
) -> Outcome<Value> {
    let source = PasswordSource { from_stdin: password.password_stdin, file: password.password_file };
    let password = prompt::password(context, &source, false)?;
    let mut body = json!({"email": email, "password": password.expose_secret()});
    let mut path = "/api_v1/auth/access";
    let answer = loop {
        match api.post(path, &body).await {
            Err(failure) if failure.what == CHANGE_FIRST && body["new_password"].is_null() => {
                let new = new_password(context, files.new_password_file.as_deref())?;
                body["new_password"] = json!(new.expose_secret());
                path = "/api_v1/auth/password";
            }
            Err(failure) if failure.what == CODE_FIRST && body["code"].is_null() => {
                body["code"] = json!(code(context, files.code_file.as_deref())?.expose_secret());
            }
            answer => break answer,
        }
    };
    if answer.is_ok() && !body["new_password"].is_null() {
        context.note("The new password is set.");
    }
    let answer = answer.map_err(|mut failure| {
        // A wrong password is "not signed in" for a script, whatever the status that old clients rely on.
        if failure.exit == Exit::Failed && failure.why.is_none() && failure.next.is_none() {
            failure.exit = Exit::NotAllowed;
        }
        failure
    })?;
    Ok(answer.body)
}

/// A code of the second factor.
fn code(context: &mut Context, file: Option<&Path>) -> Outcome<SecretString> {
    match file {
        Some(file) => prompt::secret_from_file(file, "--code-file"),
        None if context.interactive => prompt::hidden(context, "Code of the second factor"),
        None => Err(Failure::new(Exit::NotAllowed, "a code of the second factor is needed")
            .next("Run this on a terminal, or add --code-file FILE.")),
    }
}

/// The password to put in the place of one that must be changed.
fn new_password(context: &mut Context, file: Option<&Path>) -> Outcome<SecretString> {
    match file {
        Some(file) => prompt::secret_from_file(file, "--new-password-file"),
        None if context.interactive => {
            context.note("The password is right, and a new one must be set first.");
            prompt::new_password(context, "New password")
        }
        None => Err(Failure::new(Exit::NotAllowed, "a new password must be set first")
            .next("Run this on a terminal, or add --new-password-file FILE.")),
    }
}
