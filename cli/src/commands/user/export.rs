//! `platform user export`: all users, page by page, in a form that `import` reads. The API tells no hash, so it holds none.

use super::list;
use crate::arguments::{FileForm, ListArguments};
use crate::connection::Connection;
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::{Column, Format};

const EXPORTED: &[Column] = &[
    Column::new("", "id"),
    Column::new("", "email"),
    Column::new("", "first_name"),
    Column::new("", "last_name"),
    Column::new("", "is_active"),
    Column::new("", "roles"),
    Column::new("", "must_change_password"),
    Column::new("", "email_verified"),
    Column::new("", "created_at"),
    Column::new("", "updated_at"),
];

/// Writes all users to standard output.
pub(super) async fn export(context: &mut Context, connection: &Connection, form: FileForm) -> Outcome {
    context.format = match form {
        FileForm::Csv => Format::Csv,
        FileForm::Jsonl => Format::Jsonl,
    };
    list::pages(context, connection, EXPORTED, &ListArguments::default()).await?;
    Ok(())
}
