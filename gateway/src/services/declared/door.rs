//! The layer that takes the requests for declared services out of the way, before the gateway's own router sees them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use contract::{Problem, ProblemKind};
use http::{HeaderValue, header};
use poem::{Endpoint, Request, Response, Result, error::ResponseError};

use super::{
    Bound, Route, allow,
    forward::{Asked, Shared},
    paths::with_path,
    router::Match,
};
use crate::compression::MayCompress;

/// In front of `inner`, which has every other path.
pub(crate) struct Door<E> {
    pub(crate) inner: E,
    pub(crate) bound: Arc<ArcSwap<Bound>>,
    pub(crate) shared: Arc<Shared>,
}

impl<E: Endpoint<Output = Response>> Endpoint for Door<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        // Held until the answer's head is there: a reload swaps under it, and what was bound goes with its last request.
        let bound = self.bound.load_full();
        // The trailing slash that the outermost layer drops for the gateway's own paths counts here.
        let path = request.original_uri().path().to_owned();
        match bound.router.find(&path, request.method()) {
            Match::Operation { target, parameters, path } => {
                let uri = with_path(request.original_uri(), &path);
                let uri =
                    uri.ok_or_else(|| Problem::internal("a path that is none when it is normalised"))?;
                Ok(self.forward(target, Asked { parameters, uri }, request).await)
            }
            Match::OtherMethods(methods) => {
                let problem = Problem::new(ProblemKind::MethodNotAllowed, "Method Not Allowed");
                let allow = HeaderValue::try_from(allow(&methods)).map_err(Problem::internal)?;
                Ok(problem.header(header::ALLOW, allow).as_response())
            }
            // Boxed, as in `forward`: no request takes more than one of these ways.
            Match::Nothing => Box::pin(self.inner.call(request)).await,
        }
    }
}

impl<E> Door<E> {
    async fn forward(&self, route: &Route, asked: Asked<'_>, request: Request) -> Response {
        // Boxed: every request of the gateway's own operations passes here too, and would carry the room for these.
        let (answer, name) = match route {
            Route::Declared(target) => {
                (Box::pin(target.forward(&self.shared, asked, request)).await, &target.name)
            }
            Route::Composed(composed) => {
                (Box::pin(composed.forward(&self.shared, asked, request)).await, &composed.name)
            }
        };
        let mut response = match answer {
            Ok(response) => response,
            // Not by way of `poem::Error`: that drops the extension in which the problem travels.
            Err(problem) => problem.as_response(),
        };
        response.set_data(name.clone());
        if let Route::Declared(target) = route {
            response.extensions_mut().insert(MayCompress(target.rules.compress));
        }
        response
    }
}
