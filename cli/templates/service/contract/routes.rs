//! The widgets service's public operations, written once: paths, types, statuses, and what each needs.

use poem_openapi::{
    ApiResponse, OpenApi, Tags,
    param::{Path, Query},
};

use super::{NewWidget, Widget, WidgetsPort};
use crate::{Problem, caller::CallerOf, document::Policy, operation::Access, payload::Json};

/// What each operation needs, and the problems it can answer beyond those every operation can.
#[must_use]
pub fn policies() -> Vec<Policy> {
    vec![
        Policy::new("list_widgets", Access::SignedIn, &[]).scope("widgets:read"),
        Policy::new("create_widget", Access::SignedIn, &[]).scope("widgets:write"),
        Policy::new("get_widget", Access::SignedIn, &[404]).scope("widgets:read"),
        Policy::new("delete_widget", Access::SignedIn, &[404]).scope("widgets:write"),
    ]
}

#[derive(Tags)]
enum Tag {
    /// What people keep here.
    Widgets,
}

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListWidgets {
    /// Rows a page, 1 to 1000; 100 if unset.
    pub limit: Option<u32>,
    /// The id of the last one of the page before.
    pub after: Option<i64>,
}

#[derive(ApiResponse)]
enum Created {
    /// The widget is created
    #[oai(status = 201)]
    Created(
        Json<Widget>,
        /// Where the widget is found
        #[oai(header = "Location")]
        String,
    ),
}

#[derive(ApiResponse)]
enum Deleted {
    /// The widget is deleted
    #[oai(status = 204)]
    NoContent,
}

/// The widgets service's operations over whatever implements them.
pub struct WidgetsApi<P> {
    port: P,
}

impl<P> WidgetsApi<P> {
    /// The operations, answered by `port`.
    pub fn new(port: P) -> Self {
        Self { port }
    }
}

#[OpenApi]
impl<P: WidgetsPort> WidgetsApi<P> {
    /// List widgets
    ///
    /// One's own, the oldest first; all of them for admins and services.
    #[oai(path = "/api_v1/widgets", method = "get", operation_id = "list_widgets", tag = "Tag::Widgets")]
    async fn list_widgets(
        &self,
        caller: CallerOf,
        /// Rows a page
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
        /// The id of the last one of the page before
        after: Query<Option<i64>>,
    ) -> Result<Json<Vec<Widget>>, Problem> {
        let query = ListWidgets { limit: limit.0, after: after.0 };
        self.port.list_widgets(&caller.0, query).await.map(Json)
    }

    /// Create a widget
    #[oai(path = "/api_v1/widgets", method = "post", operation_id = "create_widget", tag = "Tag::Widgets")]
    async fn create_widget(&self, caller: CallerOf, body: Json<NewWidget>) -> Result<Created, Problem> {
        let widget = self.port.create_widget(&caller.0, body.0).await?;
        let location = format!("/api_v1/widgets/{}", widget.id);
        Ok(Created::Created(Json(widget), location))
    }

    /// Fetch a widget
    ///
    /// One's own; any for admins and services. Of another's it is not told whether it is there.
    #[oai(path = "/api_v1/widgets/:id", method = "get", operation_id = "get_widget", tag = "Tag::Widgets")]
    async fn get_widget(
        &self,
        caller: CallerOf,
        /// The widget's id
        id: Path<i64>,
    ) -> Result<Json<Widget>, Problem> {
        self.port.get_widget(&caller.0, id.0).await.map(Json)
    }

    /// Delete a widget
    ///
    /// One's own; any for admins and services.
    #[oai(
        path = "/api_v1/widgets/:id",
        method = "delete",
        operation_id = "delete_widget",
        tag = "Tag::Widgets"
    )]
    async fn delete_widget(
        &self,
        caller: CallerOf,
        /// The widget's id
        id: Path<i64>,
    ) -> Result<Deleted, Problem> {
        self.port.delete_widget(&caller.0, id.0).await?;
        Ok(Deleted::NoContent)
    }
}
