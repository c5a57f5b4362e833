//! The layer that reads the access token of a handshake from its subprotocols: a page can set no `Authorization` on a
//! WebSocket, and a token in a URL ends up in logs and histories.

use std::future::ready;

use contract::{Problem, ProblemKind};
use futures_util::future::Either;
use http::{HeaderValue, header};
use poem::{Endpoint, Request, Response, Result, error::ResponseError};

use crate::policy::websocket::handshake::{TokenFault, is_asked_for, protocols, take_token};

/// Marks a handshake whose token came among its subprotocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenAmongProtocols {
    /// Nothing else was offered: a browser needs an answer that takes `bearer`.
    Alone,
    /// Others were offered, of which the service takes one or none.
    WithOthers,
}

/// In front of everything that reads `Authorization`.
pub(crate) struct HandshakeToken<E> {
    pub(crate) inner: E,
}

impl<E: Endpoint<Output = Response>> Endpoint for HandshakeToken<E> {
    type Output = Response;

    fn call(&self, mut request: Request) -> impl Future<Output = Result<Response>> + Send {
        match move_token(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(problem) => Either::Right(ready(Ok(problem.as_response()))),
        }
    }
}

/// From where a page can put it to where all others do.
fn move_token(request: &mut Request) -> Result<(), Problem> {
    if !is_asked_for(request.headers()) {
        return Ok(());
    }
    let malformed = |fault: TokenFault| Problem::new(ProblemKind::MalformedRequest, fault.to_string());
    let Some(token) = take_token(request.headers_mut()).map_err(malformed)? else { return Ok(()) };
    let alone = protocols(request.headers()).is_empty();
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(Problem::internal)?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    request.extensions_mut().insert(if alone {
        TokenAmongProtocols::Alone
    } else {
        TokenAmongProtocols::WithOthers
    });
    Ok(())
}
