//! Tokens of other issuers: taken where a service says so, and nowhere else.

use std::time::Duration;

use kit::{
    config::IssuerSettings,
    internal_token::KEYS_PATH,
    testing::{TestDatabase, TestGateway},
};
use serde_json::{Value, json};

use crate::support::{self, Gateway, Raw, config, declared};

const ISSUER: &str = "https://login.example.com/realms/main";
const AUDIENCE: &str = "orders-api";

/// A gateway that knows one other issuer, in front of a service that takes its tokens and of one that does not.
struct World {
    gateway: Gateway,
    issuer: TestGateway,
    open: Raw,
    closed: Raw,
    users: Raw,
    _kept: (TestDatabase, tempfile::TempDir),
}

fn document() -> Value {
    let answers = json!({ "200": { "description": "" } });
    json!({
        "openapi": "3.0.3",
        "info": { "title": "Orders", "version": "1" },
        "paths": {
            "/orders": { "get": { "operationId": "listOrders", "responses": answers } },
            "/clerk": { "get": { "operationId": "clerkOnly", "responses": answers } },
            "/admin": { "get": { "operationId": "adminOnly", "responses": answers } },
            "/kept": { "get": { "operationId": "kept", "responses": answers } },
        },
    })
}

async fn start() -> World {
    let issuer = TestGateway::start().await;
    let (open, closed) = (Raw::json("200 OK", "1").await, Raw::json("200 OK", "1").await);
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let users = Raw::json("500 Internal Server Error", "{}").await;
    let mut config = config(&database, &users.url()).await;
    let more = "issuers = [\"corp\"]\ncontract = \"off\"\n[operations.clerkOnly]\naccess = \"role:clerk\"\n\
                [operations.adminOnly]\naccess = \"role:admin\"\n";
    let mut plain = support::named("plain", folder.path(), &closed.url(), &document(), "");
    plain.settings.contract = kit::config::ContractMode::Off;
    config.services = vec![declared(folder.path(), &open.url(), &document(), more), plain];
    let text = format!(
        "name = \"corp\"\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\nkeys = \"{}{KEYS_PATH}\"\n\
         roles_claim = \"/realm_access/roles\"\nroles = {{ \"Order Clerk\" = \"clerk\" }}",
        issuer.url()
    );
    let settings: IssuerSettings = toml_edit::de::from_str(&text).unwrap();
    config.issuers = vec![settings];
    let gateway = Gateway::start(config).await;
    World { gateway, issuer, open, closed, users, _kept: (database, folder) }
}

/// What a token of the issuer says.
fn claims() -> Value {
    let now = kit::clock::now().seconds();
    json!({
        "iss": ISSUER, "aud": [AUDIENCE, "account"], "sub": "auth0|5f7c8ec7", "exp": now + 300, "iat": now,
        "scope": "openid profile email", "realm_access": { "roles": ["Order Clerk", "admin", "offline_access"] },
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

impl World {
    async fn get(&self, path: &str, token: &str) -> u16 {
        self.gateway.get(path).bearer_auth(token).send().await.unwrap().status().as_u16()
    }

    fn token(&self) -> String {
        self.issuer.sign(&claims(), "JWT")
    }
}

/// What the service's internal token says of the caller.
async fn told(service: &Raw) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let request = service.requests().await.last().cloned().unwrap();
    let token = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[tokio::test]
async fn a_token_of_another_issuer_opens_the_services_that_take_it_with_the_roles_that_the_settings_give() {
    let world = start().await;
    assert_eq!(world.get("/api/echo/orders", &world.token()).await, 200);
    let told = told(&world.open).await;
    assert_eq!(told["sub"], "external:corp:auth0|5f7c8ec7");
    assert_eq!(told["roles"], json!(["clerk"]), "never admin, whatever the token says");
    assert_eq!(told["aud"], "echo");
    assert_eq!(world.get("/api/echo/clerk", &world.token()).await, 200);
    assert_eq!(world.get("/api/echo/admin", &world.token()).await, 403);
    let without = world.issuer.sign(&with("realm_access", json!({})), "JWT");
    assert_eq!(world.get("/api/echo/clerk", &without).await, 403);
}

#[tokio::test]
async fn it_opens_nothing_else_neither_another_service_nor_the_platform_s_own_operations() {
    let world = start().await;
    assert_eq!(world.get("/api/plain/orders", &world.token()).await, 403);
    assert!(world.closed.requests().await.is_empty());
    for path in ["/api_v1/users/me", "/api_v1/users", "/api_v1/auth/sessions", "/api_v1/audit"] {
        assert_eq!(world.get(path, &world.token()).await, 403, "{path}");
    }
    let introspected = world
        .gateway
        .post("/api_v1/auth/introspect")
        .bearer_auth(world.gateway.operator().await)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={}", world.token()))
        .send()
        .await
        .unwrap();
    assert_eq!(introspected.json::<Value>().await.unwrap(), json!({ "active": false }));
    assert!(world.users.requests().await.is_empty(), "the users service hears nothing of it");
}

#[tokio::test]
async fn what_is_not_its_own_good_token_for_this_platform_is_401() {
    let world = start().await;
    let now = kit::clock::now().seconds();
    let cases = [
        ("another audience", with("aud", json!("a-web-page")), "JWT"),
        ("no audience", with("aud", Value::Null), "JWT"),
        ("another issuer", with("iss", json!("https://login.example.com/realms/other")), "JWT"),
        ("the issuer with a slash", with("iss", json!(format!("{ISSUER}/"))), "JWT"),
        ("this gateway's own name", with("iss", json!(world.gateway.url(""))), "at+jwt"),
        ("expired", with("exp", json!(now - 60)), "JWT"),
        ("no end", with("exp", Value::Null), "JWT"),
        ("not yet", with("nbf", json!(now + 120)), "JWT"),
        ("no subject", with("sub", Value::Null), "JWT"),
        ("an empty subject", with("sub", json!("")), "JWT"),
        ("a subject that is none", with("sub", json!("a\nb")), "JWT"),
        ("a subject without end", with("sub", json!("a".repeat(256))), "JWT"),
        ("an internal token", claims(), "int+jwt"),
        ("a logout token", claims(), "logout+jwt"),
    ];
    for (what, claims, kind) in cases {
        assert_eq!(world.get("/api/echo/orders", &world.issuer.sign(&claims, kind)).await, 401, "{what}");
    }
    let another = TestGateway::start().await;
    assert_eq!(world.get("/api/echo/orders", &another.sign(&claims(), "JWT")).await, 401, "another's key");
    assert!(world.open.requests().await.is_empty());
    // Clocks differ, and `iat` is no limit.
    for claims in [with("nbf", json!(now + 20)), with("iat", json!(now + 120)), with("exp", json!(now - 20))]
    {
        assert_eq!(world.get("/api/echo/orders", &world.issuer.sign(&claims, "at+jwt")).await, 200);
    }
}

#[tokio::test]
async fn a_rotation_is_followed_by_one_fetch_however_many_ask_and_made_up_keys_cost_no_more() {
    let mut world = start().await;
    assert_eq!(world.get("/api/echo/orders", &world.token()).await, 200);
    assert_eq!(world.issuer.fetches(), 1);
    world.issuer.rotate();
    let token = world.token();
    let asked = (0..50).map(|_| world.gateway.get("/api/echo/orders").bearer_auth(&token).send());
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(world.issuer.fetches(), 2, "one fetch for all");
    let (_, rest) = token.split_once('.').unwrap();
    for number in 0..100 {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let header = json!({ "typ": "JWT", "alg": "EdDSA", "kid": format!("made-up-{number}") });
        let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()));
        assert_eq!(world.get("/api/echo/orders", &forged).await, 401);
    }
    assert_eq!(world.issuer.fetches(), 2, "asked for a moment ago");
    assert_eq!(world.get("/api/echo/orders", &token).await, 200);
}

#[tokio::test]
async fn while_an_issuer_is_down_its_last_keys_stay_and_before_it_was_ever_up_nothing_else_suffers() {
    let world = start().await;
    world.issuer.set_down(true);
    assert_eq!(world.get("/api/echo/orders", &world.token()).await, 401);
    let own = world.gateway.operator().await;
    assert_eq!(world.get("/api/echo/orders", &own).await, 200, "the gateway's own tokens go on");
    world.issuer.set_down(false);
    let taken = async {
        while world.get("/api/echo/orders", &world.token()).await != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), taken).await.expect("asked for again");
    world.issuer.set_down(true);
    for _ in 0..10 {
        assert_eq!(world.get("/api/echo/orders", &world.token()).await, 200);
    }
}
