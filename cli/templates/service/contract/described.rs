//! The widgets service's documents, from the contract alone: no service is needed to write them.

use serde_json::Value;

use super::{ListWidgets, NewWidget, Widget, WidgetsApi, WidgetsPort, policies};
use crate::{
    Caller, Problem,
    document::{self, DocumentError},
};

/// A port that nobody can make and so nobody can call: it stands where only the description of an API is wanted.
pub enum Described {}

impl WidgetsPort for Described {
    async fn list_widgets(&self, _: &Caller, _: ListWidgets) -> Result<Vec<Widget>, Problem> {
        match *self {}
    }

    async fn create_widget(&self, _: &Caller, _: NewWidget) -> Result<Widget, Problem> {
        match *self {}
    }

    async fn get_widget(&self, _: &Caller, _: i64) -> Result<Widget, Problem> {
        match *self {}
    }

    async fn delete_widget(&self, _: &Caller, _: i64) -> Result<(), Problem> {
        match *self {}
    }
}

/// All public operations, as the gateway binds them.
pub type Public = WidgetsApi<Described>;

/// The documents of all public operations.
///
/// # Errors
/// An operation without a policy.
pub fn documents() -> Result<Vec<Value>, DocumentError> {
    Ok(vec![document::of::<Public>(&policies())?])
}
