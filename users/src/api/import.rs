//! Users of another system, between the wire and the domain.

use contract::{
    Caller, Problem,
    users::{
        ImportPort,
        import::{ImportReport, ImportedRow, ImportedUser, Outcome},
        types::Nullable,
    },
};

use super::{Api, problem};
use crate::domain::{
    Actor,
    import::{Imported, Row},
};

impl ImportPort for Api {
    async fn import_users(
        &self,
        caller: &Caller,
        rows: Vec<ImportedUser>,
        dry_run: bool,
    ) -> Result<ImportReport, Problem> {
        let rows = rows.into_iter().map(row).collect();
        let imported = self.users.import(Actor::of(caller), rows, dry_run).await.map_err(problem::of)?;
        let mut report = ImportReport { created: 0, exists: 0, refused: 0, rows: Vec::new() };
        for (row, imported) in (0..).zip(imported) {
            let (outcome, id, reason) = match imported {
                Imported::Created(id) => (Outcome::Created, id, None),
                Imported::Exists(id) => (Outcome::Exists, Some(id), None),
                Imported::Refused(reason) => (Outcome::Refused, None, Some(reason)),
            };
            *match outcome {
                Outcome::Created => &mut report.created,
                Outcome::Exists => &mut report.exists,
                Outcome::Refused => &mut report.refused,
            } += 1;
            report.rows.push(ImportedRow { row, outcome, id: Nullable(id), reason: Nullable(reason) });
        }
        Ok(report)
    }
}

fn row(row: ImportedUser) -> Row {
    Row {
        email: row.email,
        password_hash: row.password_hash,
        first_name: row.first_name,
        last_name: row.last_name,
        is_active: row.is_active.unwrap_or(true),
        roles: row.roles.unwrap_or_default(),
        must_change_password: row.must_change_password.unwrap_or(false),
    }
}
