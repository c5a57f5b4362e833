//! `platform user list`: page by page, each written as it comes.

use url::form_urlencoded::Serializer;

use super::{LISTED, USERS};
use crate::arguments::ListArguments;
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Column, Format, Rows};

/// Rows a request.
const PAGE: u64 = 1000;

/// Lists users.
pub(super) async fn list(context: &mut Context, connection: &Connection, wanted: &ListArguments) -> Outcome {
    let people = context.format == Format::Table && context.stdout_terminal;
    let count = pages(context, connection, LISTED, wanted).await?;
    if people && count == 0 {
        let all = query(&ListArguments { sort: wanted.sort.clone(), ..ListArguments::default() }, 0);
        context.note(if query(wanted, 0) == all {
            "There are no users. Create one: platform user create --admin"
        } else {
            "There are no such users."
        });
    }
    Ok(())
}

/// Writes users page by page; how many. Pages follow by the gateway's cursor, so that who comes or goes meanwhile
/// makes nobody appear twice or not at all.
pub(super) async fn pages(
    context: &mut Context,
    connection: &Connection,
    columns: &[Column],
    wanted: &ListArguments,
) -> Outcome<usize> {
    let api = connection.signed_in(context).await?;
    let mut left = wanted.limit.unwrap_or(u64::MAX);
    let mut page = (left > 0).then(|| format!("{USERS}?{}", query(wanted, PAGE.min(left))));
    let mut rows = Rows::new(context, columns);
    while let Some(path) = page {
        let answer = api.get(&path).await?;
        let users = answer.body.as_array().cloned().unwrap_or_default();
        for user in users.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            rows.add(user)?;
        }
        left = left.saturating_sub(users.len() as u64);
        page = answer.next_page().filter(|_| left > 0 && !users.is_empty());
    }
    let count = rows.count();
    rows.finish()?;
    Ok(count)
}

fn query(wanted: &ListArguments, limit: u64) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    let active = match (wanted.active, wanted.inactive) {
        (true, _) => Some("true".to_owned()),
        (_, true) => Some("false".to_owned()),
        _ => None,
    };
    let given = [
        ("q", wanted.search.clone()),
        ("email", wanted.email.clone()),
        ("role", wanted.role.clone()),
        ("is_active", active),
        ("created_after", wanted.created_after.clone()),
        ("sort", Some(wanted.sort.clone()).filter(|sort| !sort.is_empty() && sort != "id")),
        ("skip", Some(wanted.skip.to_string()).filter(|_| wanted.skip > 0)),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    query.finish()
}
