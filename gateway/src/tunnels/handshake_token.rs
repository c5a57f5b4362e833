//! The layer that reads the access token of a handshake from its subprotocols: a page can set no `Authorization` on a
//! WebSocket, and a token in a URL ends up in logs and histories.

use contract::{Problem, ProblemKind};
use http::{HeaderValue, header};
use poem::{Endpoint, Request, Response, Result, error::ResponseError};

use crate::policy::websocket::handshake::{is_asked_for, protocols, take_token};

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

    async fn call(&self, mut request: Request) -> Result<Response> {
        if is_asked_for(request.headers()) {
            match take_token(request.headers_mut()) {
                Ok(None) => {}
                Ok(Some(token)) => {
                    let alone = protocols(request.headers()).is_empty();
                    let mark =
                        if alone { TokenAmongProtocols::Alone } else { TokenAmongProtocols::WithOthers };
                    let mut value =
                        HeaderValue::try_from(format!("Bearer {token}")).map_err(Problem::internal)?;
                    value.set_sensitive(true);
                    request.headers_mut().insert(header::AUTHORIZATION, value);
                    request.extensions_mut().insert(mark);
                }
                Err(fault) => {
                    return Ok(Problem::new(ProblemKind::MalformedRequest, fault.to_string()).as_response());
                }
            }
        }
        self.inner.call(request).await
    }
}
