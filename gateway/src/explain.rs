//! What would happen to one request, without a running gateway and without anything being sent: `platform routes explain`.
//!
//! The request goes through the chain that serves (`composition.rs`), put together from the same configuration.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, Method, Uri, uri::Scheme};
use kit::database::Database;
use poem::{
    Addr, Endpoint, Request, RequestParts,
    web::{LocalAddr, RemoteAddr},
};
use serde_json::{Map, Value, json};

use crate::{Config, StartError, assembly::parts, composition, document::Builtin, identity::watch, store};

/// A request to explain.
#[derive(Debug, Clone)]
pub struct Explain {
    /// Its method.
    pub method: Method,
    /// Path and query, as they stand in the request line.
    pub target: Uri,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// What the stages tell of a request, and what the gateway would answer by itself: `answer` is there where nothing would be sent to
/// a service. The database must be there and have this schema; nothing but missing keys is written to it.
///
/// # Errors
/// [`StartError`], as for a gateway that starts.
pub async fn explain(config: &Config, request: Explain) -> Result<Map<String, Value>, StartError> {
    let database = Database::connect(&config.database_url, 2, "platform-explain").await?;
    database.require_schema(&store::SCHEMA).await?;
    let builtin = Builtin::new()?;
    let parts = parts(config, database.clone(), config.listen, &builtin).await?;
    // What was revoked and which keys verify is read once, as at a start.
    let own = Database::connect(&config.database_url, 1, "platform-explain-watch").await?;
    let _read = watch::begin(Arc::clone(&parts.revoked), Arc::clone(&parts.keyring), own).await?;
    let endpoint = composition::public(&parts, &builtin.all())?;
    let asked = asked(request);
    let (answer, mut told) = Box::pin(kit::explain::explained(endpoint.call(asked))).await;
    if !told.contains_key("calls")
        && let Ok(answer) = answer
    {
        let (head, body) = answer.into_parts();
        let body = body.into_bytes().await.unwrap_or_default();
        let own = told.contains_key("operation") && head.status.is_success();
        told.insert(
            "answer".to_owned(),
            if own {
                json!({ "by": "the gateway's own operation, which is not done" })
            } else {
                json!({
                    "status": head.status.as_u16(),
                    "body": serde_json::from_slice::<Value>(&body).unwrap_or(Value::Null),
                })
            },
        );
    }
    if let Err(error) = database.close().await {
        tracing::debug!(%error, "the database was not closed cleanly");
    }
    Ok(told)
}

/// The request as a listener would have read it, from this machine.
fn asked(request: Explain) -> Request {
    let (mut head, ()) = http::Request::new(()).into_parts();
    (head.method, head.uri, head.headers) = (request.method, request.target, request.headers);
    let here: Addr = SocketAddr::from(([127, 0, 0, 1], 0)).into();
    let head = RequestParts::from((head, LocalAddr(here.clone()), RemoteAddr(here), Scheme::HTTP));
    Request::from_parts(head, request.body.into())
}
