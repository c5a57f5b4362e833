//! `platform user list`: page by page, each written as it comes.

use super::{LISTED, USERS};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Column, Format, Rows};

/// Rows a request.
const PAGE: u64 = 1000;

/// Lists `limit` users, or all, after the first `skip`.
pub(super) async fn list(
    context: &mut Context,
    connection: &Connection,
    skip: u64,
    limit: Option<u64>,
) -> Outcome {
    let people = context.format == Format::Table && context.stdout_terminal;
    let count = pages(context, connection, LISTED, skip, limit).await?;
    if people && count == 0 {
        context.note("There are no users. Create one: platform user create --admin");
    }
    Ok(())
}

/// Writes users page by page; how many.
pub(super) async fn pages(
    context: &mut Context,
    connection: &Connection,
    columns: &[Column],
    skip: u64,
    limit: Option<u64>,
) -> Outcome<usize> {
    let api = connection.signed_in(context).await?;
    let mut left = limit.unwrap_or(u64::MAX);
    let mut page = (left > 0).then(|| format!("{USERS}?skip={skip}&limit={}", PAGE.min(left)));
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
