//! The one ordered chain that a request to the public listener goes through, each layer with the reason for its place.
//!
//! 1. `kit::server`: limits on heads, connections and time come first, where nothing has been spent on a request yet.
//! 2. `kit::edge::Edge`: names the request before anything can fail, and turns every failure inside into a problem answer;
//!    refuses paths and framing that two readers could read differently before any route sees them.
//!    `Compressed` stands next, so that everything inside sees entity tags and bodies as they are.
//! 3. `LookUpKeys`: the key of a token that was signed a moment ago elsewhere is read before the token can be refused for it.
//!    Before it `HandshakeToken` finds the token of a WebSocket where a page can send one.
//! 4. `TypedDoor`: operations of the platform's own services leave here, for `Forward`.
//! 5. `Door`: operations of declared services leave here, by a router that a reload swaps; their further way is in
//!    `services/declared/forward.rs`.
//! 6. The router, then `Limited`: a path that nobody has costs no token check; the gateway's own rate limits come before the
//!    caller is checked, so that bad tokens are counted as well. `Forward` counts in the same way.
//! 7. `Forward` or `Checked`: the caller first (who may not call learns nothing of the schema), then parameters, then the
//!    body, read only for who may send one; then the call, and the check of what came back.

use std::sync::Arc;

use contract::operation::Operation;
use kit::{
    checked::Checked,
    edge::{Edge, Trust},
    health::Live,
    routes::Routes,
};
use matchit::InsertError;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Response, Route, http::Method};
use poem_openapi::{OpenApi, OpenApiService};

use crate::{
    api::{
        account::AccountApi,
        account_pages, admin_page,
        all_sessions::AllSessionsApi,
        audit::AuditApi,
        audit_trail::AuditTrail,
        auth::AuthApi,
        client_door::ClientDoor,
        docs,
        keys::{JwkSetEndpoint, LookUpKeys},
        metadata::{self, Metadata},
        oauth::OAuthApi,
        password::PasswordApi,
        second_factor::SecondFactorApi,
        service_accounts::ServiceAccountsApi,
        services::ServicesApi,
        sessions::SessionsApi,
        signing_keys::SigningKeysApi,
        tokens::TokensApi,
        user_sessions::UserSessionsApi,
    },
    compression::Compressed,
    identity::{introspection::Introspection, keys::Purpose},
    parts::Parts,
    services::{
        declared::{Door, Shared},
        limited::{Limited, Limiting},
        proxied::{Binding, Forward},
        typed::TypedDoor,
    },
    standing::Standings,
    tunnels::HandshakeToken,
};

/// Paths beside the operations: the keys, the documents, the pages.
const PLAIN: [&str; 4] =
    ["/healthz", "/.well-known/jwks.json", metadata::PATH, kit::internal_token::KEYS_PATH];

/// Paths of the documents and pages.
const DOCS: [&str; 8] = [
    "/api_v1/openapi.json",
    "/docs",
    "/docs/start.js",
    "/docs/swagger-ui.js",
    "/docs/swagger-ui.css",
    "/redoc",
    "/redoc/start.js",
    "/redoc/redoc.js",
];

/// The public listener's endpoint.
///
/// # Errors
/// Two operations whose paths are the same.
pub(crate) fn public(
    parts: &Parts,
    operations: &Arc<Vec<Operation>>,
) -> Result<impl Endpoint<Output = Response> + use<>, InsertError> {
    let (limit, docs) = (parts.limit, parts.docs);
    let mut paths = Routes::of(operations);
    for path in PLAIN.into_iter().chain(account_pages::PATHS) {
        paths.add(path, Method::GET);
    }
    let auth = AuthApi {
        users: Arc::clone(&parts.users),
        sessions: Arc::clone(&parts.sessions),
        throttle: Arc::clone(&parts.throttle),
        outbox: Arc::clone(&parts.outbox),
        require_verified_address: parts.require_verified_address,
        factors: Arc::clone(&parts.factors),
        trail: trail(parts),
    };
    let password = PasswordApi {
        users: Arc::clone(&parts.users),
        sessions: Arc::clone(&parts.sessions),
        throttle: Arc::clone(&parts.throttle),
        outbox: Arc::clone(&parts.outbox),
        require_verified_address: parts.require_verified_address,
        factors: Arc::clone(&parts.factors),
        trail: trail(parts),
    };
    let sessions = SessionsApi { sessions: Arc::clone(&parts.sessions), trail: trail(parts) };
    let audit = AuditApi { audit: Arc::clone(&parts.audit) };
    let metadata = Metadata::new(&parts.client_grants.issuer, &parts.service_accounts.known.scopes, docs);
    let administration = administration(parts);
    let guard: Arc<dyn kit::checked::Guard> = Arc::clone(&parts.authenticator) as _;
    let limiting = Arc::new(Limiting {
        rules: parts.rate_limit.clone(),
        limits: Arc::clone(&parts.rate_limits),
        authenticator: Arc::clone(&parts.authenticator),
        trusted_proxies: parts.trusted_proxies.clone(),
    });
    let forwards = forwards(parts, operations, &limiting);
    let own = (auth, password, accounts(parts), sessions, audit, administration);
    let checked = Checked::new(own, Arc::clone(operations), limit).guarded(guard);
    let limited = Limited::new(checked, Arc::clone(operations), limiting);
    let api = OpenApiService::new(limited, "Platform", env!("CARGO_PKG_VERSION"));
    let mut route = Route::new()
        .at("/healthz", poem::get(Live))
        .at(metadata::PATH, poem::get(metadata))
        .at("/.well-known/jwks.json", poem::get(JwkSetEndpoint::new(&parts.keyring, Purpose::Access)))
        .at(
            kit::internal_token::KEYS_PATH,
            poem::get(JwkSetEndpoint::new(&parts.keyring, Purpose::Internal)),
        );
    route = account_pages::routes(route);
    if docs {
        for path in DOCS {
            paths.add(path, Method::GET);
        }
        route = docs::routes(route, &parts.declared);
    }
    if parts.admin {
        for path in admin_page::paths() {
            paths.add(path, Method::GET);
        }
        route = admin_page::routes(route);
    }
    let entrance = docs && parts.root_leads_to_docs;
    for path in docs::ROOTS.into_iter().filter(|_| entrance) {
        paths.add(path, Method::GET);
    }
    let route = route.nest_no_strip("/", api.into_endpoint()).map_to_response();
    let route = docs::Entrance { inner: route, open: entrance };
    let route = Door { inner: route, bound: Arc::clone(&parts.declared), shared: Arc::new(shared(parts)) };
    let others = operations.iter().map(|operation| operation.path.as_str()).chain(DOCS);
    let route = TypedDoor::new(route, forwards, others)?;
    let route =
        LookUpKeys { inner: route, keyring: Arc::clone(&parts.keyring), issuers: Arc::clone(&parts.issuers) };
    let route = Compressed { inner: HandshakeToken { inner: route } };
    let (bound, slashes) = (Arc::clone(&parts.declared), Arc::clone(&parts.declared));
    Ok(Edge::new(route, "gateway", Arc::new(paths), Trust::Nobody)
        .shared_with(parts.cors.clone())
        .behind(parts.trusted_proxies.clone())
        .asking(Arc::new(move |path| bound.load().methods(path)))
        .with_encoded_slashes(Arc::new(move |path| slashes.load().lets_encoded_slashes(path))))
}

/// The operations of the platform's own services.
fn forwards(parts: &Parts, operations: &Arc<Vec<Operation>>, limiting: &Arc<Limiting>) -> Vec<Forward> {
    let handshakes = parts.handshakes.all();
    parts
        .upstreams
        .map(|service, upstream| {
            let handshake = handshakes.iter().find(|(name, _)| *name == service);
            Arc::new(Binding {
                service,
                upstream: Arc::clone(upstream),
                handshake: handshake.map(|(_, handshake)| Arc::clone(handshake)),
                operations: Arc::clone(operations),
                authenticator: Arc::clone(&parts.authenticator),
                sessions: Arc::clone(&parts.sessions),
                audit: Arc::clone(&parts.audit),
                outbox: Arc::clone(&parts.outbox),
                limit: parts.limit,
                trusted_proxies: parts.trusted_proxies.clone(),
                limiting: Arc::clone(limiting),
            })
        })
        .forwards()
}

/// What the operations of declared services share.
fn shared(parts: &Parts) -> Shared {
    Shared {
        authenticator: Arc::clone(&parts.authenticator),
        trusted_proxies: parts.trusted_proxies.clone(),
        limit: parts.limit,
        cache: Arc::clone(&parts.cache),
        rate_limits: Arc::clone(&parts.rate_limits),
        rate_limit: parts.rate_limit.clone(),
        origins: parts.cors.clone().and(&parts.client_grants.issuer),
        tunnels: Arc::clone(&parts.tunnels),
    }
}

fn trail(parts: &Parts) -> AuditTrail {
    AuditTrail { audit: Arc::clone(&parts.audit), trusted_proxies: parts.trusted_proxies.clone() }
}

/// What users do about their own account without a token: links that were sent to them, second factors.
fn accounts(parts: &Parts) -> impl OpenApi + use<> {
    let account = AccountApi {
        users: Arc::clone(&parts.users),
        sessions: Arc::clone(&parts.sessions),
        authenticator: Arc::clone(&parts.authenticator),
        links: parts.postman.links.clone(),
        postman: Arc::clone(&parts.postman),
        outbox: Arc::clone(&parts.outbox),
        throttle: Arc::clone(&parts.letter_throttle),
        trail: trail(parts),
    };
    let second_factor = SecondFactorApi {
        users: Arc::clone(&parts.users),
        sessions: Arc::clone(&parts.sessions),
        factors: Arc::clone(&parts.factors),
        throttle: Arc::clone(&parts.throttle),
        trail: trail(parts),
    };
    (account, second_factor)
}

/// Signing keys, service accounts with their tokens, others' sessions, and how services stand.
fn administration(parts: &Parts) -> impl OpenApi + use<> {
    let signing_keys = SigningKeysApi { keyring: Arc::clone(&parts.keyring), trail: trail(parts) };
    let service_accounts =
        ServiceAccountsApi { accounts: Arc::clone(&parts.service_accounts), trail: trail(parts) };
    let door = Arc::new(ClientDoor { grants: Arc::clone(&parts.client_grants), trail: trail(parts) });
    let oauth = OAuthApi { door: Arc::clone(&door) };
    let tokens = TokensApi {
        door,
        introspection: Arc::new(Introspection {
            sessions: Arc::clone(&parts.sessions),
            authenticator: Arc::clone(&parts.authenticator),
            accounts: Arc::clone(&parts.service_accounts),
            users: Arc::clone(&parts.users),
        }),
    };
    let user_sessions = UserSessionsApi {
        sessions: Arc::clone(&parts.sessions),
        users: Arc::clone(&parts.users),
        throttle: Arc::clone(&parts.throttle),
        trail: trail(parts),
    };
    let all_sessions = AllSessionsApi { sessions: Arc::clone(&parts.sessions) };
    let services = ServicesApi { standings: Standings::of(parts) };
    (signing_keys, service_accounts, oauth, tokens, user_sessions, all_sessions, services)
}
