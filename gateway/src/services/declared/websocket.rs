//! Operations that are a WebSocket: which they are, and how one is opened. What then goes through is the tunnel's.

use std::sync::Arc;

use contract::{Problem, ProblemKind};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::combinators::BoxBody;
use kit::{
    config::{OperationSettings, ServiceSettings},
    edge::AskedForHead,
    trace,
};
use poem::{Request, Response};
use serde_json::{Map, Value, json};

use super::{
    answer::Conditions,
    forward::{Shared, Target, into_poem},
    prepare::{PrepareFault, followed},
};
use crate::{
    policy::websocket::handshake::{self, BEARER, HandshakeFault, Key},
    services::proxied::{client_address, is_secure, request_id},
    tunnels::{Account, TokenAmongProtocols, Tunnel, Watched},
    upstream::{
        Call, CallBody, Reads, UpstreamBody, UpstreamFault,
        headers::{Told, to_client},
    },
};

const UPGRADE: HeaderValue = HeaderValue::from_static("Upgrade");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Adds the paths that a document does not tell of: some frameworks write none of a WebSocket.
pub(super) fn add_paths(settings: &ServiceSettings, document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for path in &settings.websockets {
        let item = paths.entry(path.clone()).or_insert_with(|| json!({}));
        let Some(item) = item.as_object_mut() else { continue };
        item.entry("get").or_insert_with(|| {
            let names = path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0));
            let parameters: Vec<Value> = names
                .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
                .collect();
            json!({ "summary": "A WebSocket", "parameters": parameters, "responses": {} })
        });
    }
}

/// Whether an operation is a WebSocket: its document has a response 101, or the settings say so.
pub(super) fn is_one(
    settings: &ServiceSettings,
    overrides: Option<&OperationSettings>,
    (id, method, path): (&str, &Method, &str),
    operation: &Value,
) -> Result<bool, PrepareFault> {
    let named = overrides.is_some_and(|overrides| overrides.websocket);
    let is_get = *method == Method::GET;
    if named && !is_get {
        return Err(PrepareFault::WebSocket(id.to_owned(), method.clone()));
    }
    let declared = operation.pointer("/responses/101").is_some();
    Ok(named || is_get && (declared || settings.websockets.iter().any(|known| known == path)))
}

/// Says so in the document.
pub(super) fn mark(document: &Value, operation: &mut Map<String, Value>) {
    operation.insert("x-platform-websocket".to_owned(), true.into());
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    let declared = responses.get("101").map(|declared| followed(document, declared).clone());
    let switching = declared.unwrap_or_else(|| json!({ "description": "A WebSocket (RFC 6455)" }));
    responses.insert("101".to_owned(), switching);
}

impl Target {
    /// Opens a tunnel, if the page, the caller, the request and the service agree to it.
    pub(super) async fn open_tunnel(
        self: &Arc<Self>,
        shared: &Shared,
        parameters: &[(&str, String)],
        sent: Uri,
        request: &mut Request,
    ) -> Result<Response, Problem> {
        // A browser lets any page open a WebSocket to anywhere, and tells here alone which page it is.
        if !shared.origins.admit(request.headers()) {
            let told = "Pages of this origin may not open a WebSocket here";
            return Err(Problem::new(ProblemKind::Forbidden, told));
        }
        let caller =
            shared.authenticator.admit_from(&self.operation, request.headers(), &self.service.issuers)?;
        self.service.handshake.require(&self.key)?;
        self.check_parameters(parameters, &sent, request.headers())?;
        let key = key(request)?;
        let service = &self.service;
        let permit = Arc::clone(&service.tunnels).try_acquire_owned();
        let permit = permit.map_err(|_| UpstreamFault::Shed(service.max_tunnels))?;
        let client = request.take_upgrade().map_err(Problem::internal)?;
        let request_id = request_id(request)?;
        let told = Told {
            request_id: &request_id,
            authorization: shared
                .authenticator
                .exchange(&caller, &service.name)
                .map_err(Problem::internal)?,
            client: client_address(request, &shared.trusted_proxies),
            secure: is_secure(request),
            host: request.headers().get(header::HOST).cloned(),
        };
        let offered = handshake::protocols(request.headers());
        let mut headers = self.headers(std::mem::take(request.headers_mut()), told);
        headers.insert(header::CONNECTION, UPGRADE);
        headers.insert(header::UPGRADE, WEBSOCKET);
        let call = Call {
            method: Method::GET,
            target: self.target(&sent)?,
            headers,
            body: CallBody::Whole(bytes::Bytes::new()),
            total: None,
            idempotent: true,
            hedge: None,
            reads: Reads::Nothing,
        };
        let mut answer = service.upstream.send(call).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return self.refused(answer).await;
        }
        if let Err(fault) = handshake::check_answer(answer.headers(), &key, &offered) {
            self.broken("handshake", &fault, true)?;
            return Err(
                Problem::new(ProblemKind::BadUpstream, "The service's handshake is wrong").because(fault)
            );
        }
        let upgrade = hyper::upgrade::on(&mut answer);
        let (head, body) = answer.into_parts();
        let place = body.into_place().ok_or_else(|| Problem::internal("a 101 without a place"))?;
        shared.tunnels.open(Tunnel {
            client,
            service: upgrade,
            idle: service.idle,
            watched: Watched { authenticator: Arc::clone(&shared.authenticator), caller },
            account: Account {
                service: service.name.clone(),
                operation: self.name.clone(),
                request_id,
                trace: trace::current(),
            },
            place,
            permit,
        });
        let mut response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).finish();
        let token = request.extensions().get::<TokenAmongProtocols>().copied();
        *response.headers_mut() = self.switching(head.headers, token);
        Ok(response)
    }

    /// The fields of a 101 as the client gets them.
    fn switching(&self, mut headers: HeaderMap, token: Option<TokenAmongProtocols>) -> HeaderMap {
        to_client(&mut headers);
        self.rules.response.headers(&mut headers);
        headers.insert(header::CONNECTION, UPGRADE);
        headers.insert(header::UPGRADE, WEBSOCKET);
        // A browser that offered something breaks off unless something is taken.
        if token == Some(TokenAmongProtocols::Alone) {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(BEARER));
        }
        headers
    }

    /// What a service answers instead of 101. A refusal is passed on; anything else must be declared.
    async fn refused(&self, answer: http::Response<UpstreamBody>) -> Result<Response, Problem> {
        let (mut head, body) = answer.into_parts();
        let status = head.status;
        if !status.is_client_error() && !status.is_server_error() {
            let nothing = Conditions::of(&HeaderMap::new());
            return self.answer(head, body, nothing, false).await.map(into_poem);
        }
        let length = head.headers.get(header::CONTENT_LENGTH).cloned();
        to_client(&mut head.headers);
        if let Some(length) = length {
            head.headers.insert(header::CONTENT_LENGTH, length);
        }
        self.rules.response.headers(&mut head.headers);
        self.confine(status, &mut head.headers);
        Ok(into_poem(http::Response::from_parts(head, BoxBody::new(body))))
    }
}

fn key(request: &Request) -> Result<Key, Problem> {
    let is_head = request.extensions().get::<AskedForHead>().is_some();
    let checked = if is_head {
        Err(HandshakeFault::NoUpgrade)
    } else {
        handshake::check(request.version(), request.headers())
    };
    checked.map_err(|fault| match fault {
        HandshakeFault::NoUpgrade | HandshakeFault::Version => {
            Problem::new(ProblemKind::UpgradeRequired, fault.to_string())
                .header(header::UPGRADE, WEBSOCKET)
                .header(header::CONNECTION, UPGRADE)
                .header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        }
        HandshakeFault::Key | HandshakeFault::Body => {
            Problem::new(ProblemKind::MalformedRequest, fault.to_string())
        }
    })
}
