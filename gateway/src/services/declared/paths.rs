//! The paths of one service, in which an address that the gateway makes itself is looked up before it is asked: a value that was
//! filled in may make it the address of another operation, with other rules.

use std::collections::BTreeSet;

use contract::operation::{Access, Operation};
use http::{Method, Uri, uri::PathAndQuery};

use super::router::{Guarded, Match, RouteFault, Router};

/// Its paths, hidden ones too, and what each stands for.
#[derive(Default)]
pub(crate) struct Paths {
    router: Router<Place>,
}

struct Place {
    id: String,
    access: Access,
}

impl Guarded for Place {
    fn opens(&self, other: &Self) -> bool {
        self.access.opens(&other.access)
    }
}

impl Guarded for Access {
    fn opens(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Public | Self::Optional) | (Self::Role(_), Self::SignedIn) => true,
            (own, other) => own == other,
        }
    }
}

impl Paths {
    /// # Errors
    /// [`RouteFault`].
    pub(super) fn new(operations: &[Operation], hidden: &BTreeSet<String>) -> Result<Self, RouteFault> {
        let mut router = Router::default();
        for path in hidden {
            router.hide(path)?;
        }
        for operation in operations {
            let place = Place { id: operation.id.clone(), access: operation.access.clone() };
            router.add(&operation.path, operation.method.clone(), place)?;
        }
        Ok(Self { router })
    }

    /// The address as it goes on, if it is that of the operation of this id and of no other.
    pub(super) fn of(&self, id: &str, method: &Method, uri: &Uri) -> Option<Uri> {
        match self.router.find(uri.path(), method) {
            Match::Operation { target, path, .. } if target.id == id => with_path(uri, &path),
            _ => None,
        }
    }
}

/// The same address with another path.
pub(super) fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    if uri.path() == path {
        return Some(uri.clone());
    }
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}
