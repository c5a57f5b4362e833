//! Between the wire and the domain: takes requests apart, puts answers together, and decides nothing.

use std::time::Duration;

use contract::{
    Caller, Nullable, Problem, ProblemKind,
    widgets::{ListWidgets, NewWidget, Widget as WireWidget, WidgetsPort},
};

use crate::{
    domain::{Draft, Reach, Widget, WidgetsError},
    store::Store,
};

/// Rows a page, unless the client says otherwise.
const PAGE: u32 = 100;

/// When to try again while the database is away.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The service's operations.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    store: Store,
}

impl Api {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

impl WidgetsPort for Api {
    async fn list_widgets(&self, caller: &Caller, query: ListWidgets) -> Result<Vec<WireWidget>, Problem> {
        let limit = u64::from(query.limit.unwrap_or(PAGE));
        let widgets = self.store.list(Reach::of(caller), query.after, limit).await.map_err(problem)?;
        Ok(widgets.into_iter().map(wire).collect())
    }

    async fn create_widget(&self, caller: &Caller, widget: NewWidget) -> Result<WireWidget, Problem> {
        let draft = Draft::new(caller, widget.name, kit::clock::now());
        self.store.insert(draft).await.map(wire).map_err(problem)
    }

    async fn get_widget(&self, caller: &Caller, id: i64) -> Result<WireWidget, Problem> {
        self.store.find(Reach::of(caller), id).await.map(wire).map_err(problem)
    }

    async fn delete_widget(&self, caller: &Caller, id: i64) -> Result<(), Problem> {
        self.store.delete(Reach::of(caller), id).await.map_err(problem)
    }
}

fn wire(widget: Widget) -> WireWidget {
    WireWidget {
        id: widget.id,
        name: widget.name,
        owner: Nullable(widget.owner),
        created_at: widget.created_at,
    }
}

fn problem(error: WidgetsError) -> Problem {
    match error {
        WidgetsError::NotFound => Problem::new(ProblemKind::NotFound, error.to_string()),
        WidgetsError::Unavailable(cause) => {
            Problem::unavailable("Service unavailable", RETRY_AFTER).because(cause)
        }
        WidgetsError::Failed(cause) => Problem::internal(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_inside_is_for_the_log_alone() {
        for error in
            [WidgetsError::Failed("SELECT x".to_owned()), WidgetsError::Unavailable("at db:5432".to_owned())]
        {
            let told = problem(error);
            assert!(told.cause.is_some() && !told.detail.contains("SELECT") && !told.detail.contains("5432"));
        }
    }
}
