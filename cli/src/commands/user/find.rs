//! Finds a user by id or by e-mail address.

use contract::Email;
use serde_json::Value;
use url::form_urlencoded;

use super::USERS;
use crate::api::Api;
use crate::failure::{Exit, Failure, Outcome};

/// The user with this id or address.
pub(in crate::commands) async fn find(api: &Api, user: &str) -> Outcome<Value> {
    if user.parse::<i64>().is_ok() {
        return Ok(api.get(&format!("{USERS}/{user}")).await?.body);
    }
    let wanted = user.parse::<Email>().map_err(|error| Failure::usage(format!("the address {error}")))?;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("email", user).finish();
    let is_wanted = |found: &Value| {
        let email = found["email"].as_str().and_then(|text| text.parse::<Email>().ok());
        email.is_some_and(|email| email == wanted)
    };
    let answer = match api.get(&format!("{USERS}?{query}")).await {
        // Who may not list users may still mean the own account.
        Err(failure) if failure.exit == Exit::NotAllowed => match api.get(&format!("{USERS}/me")).await {
            Ok(me) if is_wanted(&me.body) => return Ok(me.body),
            _ => return Err(failure),
        },
        answer => answer?,
    };
    answer.body.as_array().into_iter().flatten().find(|found| is_wanted(found)).cloned().ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("there is no user {user}"))
            .next("`platform user list` lists all.")
    })
}

/// The path of a found user.
pub(in crate::commands) fn path(user: &Value) -> String {
    format!("{USERS}/{}", user["id"])
}
