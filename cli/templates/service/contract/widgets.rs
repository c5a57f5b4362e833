//! What the widgets service says and hears.

mod described;
pub mod port;
pub mod routes;
pub mod types;

pub use described::{Described, Public, documents};
pub use port::WidgetsPort;
pub use routes::{ListWidgets, WidgetsApi, policies};
pub use types::{NewWidget, Widget};

/// The name by which the service is bound, and the `aud` of its internal tokens.
pub const SERVICE: &str = "widgets";
