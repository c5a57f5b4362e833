//! The widgets service's objects, as they cross the wire.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use crate::{Nullable, Timestamp, UserId};

/// A widget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Object)]
pub struct Widget {
    /// Given out once, never reused.
    pub id: i64,
    /// What people call it.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
    /// The user who created it; null where a service did.
    pub owner: Nullable<UserId>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A widget to create.
#[derive(Debug, Clone, Serialize, Deserialize, Object)]
pub struct NewWidget {
    /// What people call it.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub name: String,
}
