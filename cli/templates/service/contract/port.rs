//! What the widgets service can do, as its operations need it.

use std::future::Future;

use super::{ListWidgets, NewWidget, Widget};
use crate::{Caller, Problem};

/// What the widgets service does. Each method answers the operation of the same name in [`super::WidgetsApi`].
pub trait WidgetsPort: Send + Sync + 'static {
    /// Lists widgets, the oldest first.
    fn list_widgets(
        &self,
        caller: &Caller,
        query: ListWidgets,
    ) -> impl Future<Output = Result<Vec<Widget>, Problem>> + Send;

    /// Creates a widget.
    fn create_widget(
        &self,
        caller: &Caller,
        widget: NewWidget,
    ) -> impl Future<Output = Result<Widget, Problem>> + Send;

    /// Fetches a widget.
    fn get_widget(&self, caller: &Caller, id: i64) -> impl Future<Output = Result<Widget, Problem>> + Send;

    /// Deletes a widget.
    fn delete_widget(&self, caller: &Caller, id: i64) -> impl Future<Output = Result<(), Problem>> + Send;
}
