//! Checks every request to an API against its own document before the handler sees it: the caller, as a guard or a layer outside
//! has found it, then parameters and body.

use std::{collections::HashMap, sync::Arc};

use contract::{
    Caller, Problem,
    operation::{Operation, content_type},
};
use http::{HeaderMap, StatusCode};
use poem::{Endpoint, Request, Response, Result, endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, Registry},
};

use crate::body::{self, BodyLimit};

/// Finds out who calls, before anything else of a request is looked at.
pub trait Guard: Send + Sync + 'static {
    /// The caller, if the operation is open to them.
    ///
    /// # Errors
    /// 400, 401 or 403.
    fn caller(&self, operation: &Operation, headers: &HeaderMap) -> Result<Arc<Caller>, Problem>;
}

/// An API whose requests are checked: the same operations and the same document as `A`.
pub struct Checked<A> {
    inner: A,
    operations: Arc<Vec<Operation>>,
    limit: BodyLimit,
    guard: Option<Arc<dyn Guard>>,
}

impl<A> Checked<A> {
    /// `inner`, whose compiled operations are among `operations`.
    pub fn new(inner: A, operations: Arc<Vec<Operation>>, limit: BodyLimit) -> Self {
        Self { inner, operations, limit, guard: None }
    }

    /// With a guard in front of every operation; the caller it finds goes into the request's extensions.
    #[must_use]
    pub fn guarded(mut self, guard: Arc<dyn Guard>) -> Self {
        self.guard = Some(guard);
        self
    }
}

impl<A: OpenApi> OpenApi for Checked<A> {
    fn meta() -> Vec<MetaApi> {
        A::meta()
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        let mut own = HashMap::new();
        self.inner.add_routes(&mut own);
        for (path, methods) in own {
            for (method, inner) in methods {
                let operation = self
                    .operations
                    .iter()
                    .find(|operation| operation.method == method && same_path(&operation.path, &path))
                    .cloned()
                    .map(Arc::new);
                let checked =
                    CheckedEndpoint { inner, operation, limit: self.limit, guard: self.guard.clone() };
                routes
                    .entry(path.clone())
                    .or_default()
                    .insert(method, Box::new(poem::endpoint::ToDynEndpoint(checked)));
            }
        }
    }
}

/// Whether a document's `/users/{user_id}` and poem's `/users/:param0` are the same path: poem-openapi gives parameters names
/// of its own.
#[must_use]
pub fn same_path(template: &str, path: &str) -> bool {
    template.split('/').count() == path.split('/').count()
        && template
            .split('/')
            .zip(path.split('/'))
            .all(|(ours, theirs)| ours == theirs || (ours.starts_with('{') && theirs.starts_with(':')))
}

/// The name under which poem-openapi keeps the path parameter that the document calls `name`.
fn registered_name(template: &str, name: &str) -> Option<String> {
    let parameters = template.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    parameters.enumerate().find(|(_, own)| *own == name).map(|(index, _)| format!("param{index}"))
}

struct CheckedEndpoint {
    inner: BoxEndpoint<'static>,
    operation: Option<Arc<Operation>>,
    limit: BodyLimit,
    guard: Option<Arc<dyn Guard>>,
}

impl Endpoint for CheckedEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let answer = self.checked(request).await;
        match &self.operation {
            Some(operation) if operation.oauth => {
                answer.map_err(|error| crate::problem::of_error(error).for_oauth().into())
            }
            _ => answer,
        }
    }
}

impl CheckedEndpoint {
    async fn checked(&self, mut request: Request) -> Result<Response> {
        let Some(operation) = &self.operation else {
            // What no document describes has no rule by which a guard could let anybody in.
            return match self.guard {
                Some(_) => Err(Problem::internal("an operation without a description").into()),
                None => self.inner.call(request).await,
            };
        };
        match &self.guard {
            Some(guard) => {
                let caller = guard.caller(operation, request.headers())?;
                request.extensions_mut().insert(caller);
            }
            None => {
                if let Some(caller) = request.extensions().get::<Arc<Caller>>() {
                    operation.check_caller(caller)?;
                }
            }
        }
        crate::explain::tell("operation", || operation.told());
        crate::explain::tell("body_limit", || self.limit.bytes.into());
        check(operation, &mut request, self.limit).await?;
        if crate::explain::is_on() {
            return Ok(Response::builder().status(StatusCode::NO_CONTENT).finish());
        }
        self.inner.call(request).await
    }
}

/// Checks parameters and body; the body, read once, is put back.
///
/// # Errors
/// 400, 408, 413, 415 or 422.
pub async fn check(operation: &Operation, request: &mut Request, limit: BodyLimit) -> Result<(), Problem> {
    operation.check_parameters(
        |name| request.raw_path_param(&registered_name(&operation.path, name)?).map(Into::into),
        request.uri().query(),
        request.headers(),
    )?;
    if operation.takes_body() {
        let bytes = body::read(request, limit).await?;
        operation.check_request_body(content_type(request.headers()), &bytes)?;
        body::put(request, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_documents_whatever_its_parameters_are_called() {
        assert!(same_path("/users/{user_id}/keys/{key}", "/users/:param0/keys/:param1"));
        assert!(!same_path("/users/{user_id}", "/users/me"));
        assert!(!same_path("/users/me", "/users/:param0"));
        assert!(!same_path("/users", "/users/:param0"));
        assert_eq!(registered_name("/users/{user_id}/keys/{key}", "key").as_deref(), Some("param1"));
    }
}
