//! The layer that takes the requests for the platform's own services straight to them. The gateway's own router would move each
//! request, and set it up for handlers that these operations do not have, at every level of its nest.

use std::future::ready;

use futures_util::{FutureExt, future::Either};
use http::Method;
use matchit::{InsertError, Router};
use poem::{Endpoint, Request, Response, Result, error::MethodNotAllowedError};

use crate::services::proxied::{Forward, PathParameters};

/// In front of `inner`, which has every other path.
pub(crate) struct TypedDoor<E> {
    inner: E,
    router: Router<Path>,
}

/// What a path leads to.
enum Path {
    /// Operations of a service, by their methods.
    Forwarded(Vec<(Method, Forward)>),
    /// The gateway's own. It stands here so that a concrete path of its own goes before a templated one of a service.
    Own,
}

impl<E> TypedDoor<E> {
    /// With the operations of the services, and the paths that `inner` has beside them.
    ///
    /// # Errors
    /// A template that can't be read, or that stands for the same paths as another.
    pub(crate) fn new<'p>(
        inner: E,
        forwards: Vec<Forward>,
        paths: impl Iterator<Item = &'p str>,
    ) -> Result<Self, InsertError> {
        let mut by_path = indexmap::IndexMap::<String, Vec<(Method, Forward)>>::new();
        for forward in forwards {
            let (path, method) = (forward.path().to_owned(), forward.method().clone());
            by_path.entry(path).or_default().push((method, forward));
        }
        let mut own: Vec<&str> = paths.filter(|path| !by_path.contains_key(*path)).collect();
        own.sort_unstable();
        own.dedup();
        let mut router = Router::new();
        for path in own {
            router.insert(path, Path::Own)?;
        }
        for (path, methods) in by_path {
            router.insert(path, Path::Forwarded(methods))?;
        }
        Ok(Self { inner, router })
    }
}

/// Where a request goes.
enum Found<'d> {
    Operation(&'d Forward, PathParameters<'d>),
    OtherMethods,
    Elsewhere,
}

impl<E> TypedDoor<E> {
    fn find(&self, request: &Request) -> Found<'_> {
        let Ok(found) = self.router.at(request.uri().path()) else { return Found::Elsewhere };
        let Path::Forwarded(methods) = found.value else { return Found::Elsewhere };
        match methods.iter().find(|(method, _)| method == request.method()) {
            Some((_, forward)) => {
                // What can't be decoded was refused further out.
                let decoded = |(name, text)| Some((name, contract::path::decode(text).ok()?.into_owned()));
                Found::Operation(forward, PathParameters(found.params.iter().filter_map(decoded).collect()))
            }
            None => Found::OtherMethods,
        }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for TypedDoor<E> {
    type Output = Response;

    /// Each way is boxed: else every request would carry the room for the widest.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        match self.find(&request) {
            Found::Operation(forward, parameters) => {
                Either::Left(Box::pin(forward.call(request, parameters)).map(Ok))
            }
            Found::OtherMethods => Either::Right(Either::Left(ready(Err(MethodNotAllowedError.into())))),
            Found::Elsewhere => Either::Right(Either::Right(Box::pin(self.inner.call(request)))),
        }
    }
}
