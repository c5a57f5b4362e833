//! The name of the operation that answers a request, for the log and the metrics: never its path.

use std::sync::Arc;

use poem::Response;
use poem_openapi::OperationId;

/// The `operationId` of an operation that no Rust type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationName(pub Arc<str>);

/// The operation that made an answer; `-` where none did.
#[must_use]
pub fn of(response: &Response) -> &str {
    match response.data::<OperationName>() {
        Some(OperationName(name)) => name,
        None => response.data::<OperationId>().map_or("-", |operation| operation.0),
    }
}

/// Names the answer to what an operation refused.
pub(crate) fn carry_over_refused(error: &poem::Error, to: &mut Response) {
    if let Some(name) = error.data::<OperationName>() {
        to.set_data(name.clone());
    }
    if let Some(id) = error.data::<OperationId>() {
        to.set_data(*id);
    }
}

/// Names the answer that takes another's place.
pub(crate) fn carry_over(from: &Response, to: &mut Response) {
    if let Some(name) = from.data::<OperationName>() {
        to.set_data(name.clone());
    }
    if let Some(id) = from.data::<OperationId>() {
        to.set_data(*id);
    }
}
