//! A contract that the gateway has never heard of is routed, documented, guarded and checked by what it says of itself.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use contract::{
    document::{self, About, Policy},
    operation::{Access, Operation},
    payload::Json,
};
use kit::{
    body::BodyLimit,
    client_address::TrustedProxies,
    edge::{Edge, Trust},
    routes::Routes,
    server::{Limits, Server},
    testing::TestDatabase,
    token::Expected,
};
use poem::{EndpointExt, Route, endpoint::make_sync};
use poem_openapi::{Object, OpenApi, param::Path};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Binding, forwards};
use crate::{
    identity::{
        access_token,
        algorithm::{Algorithm, generate},
        audit::Audit,
        authenticate::Authenticator,
        keys::{Keys, Purpose},
        links::Links,
        master_key::MasterKey,
        revocation::Revoked,
        sessions::{Lifetimes, Sessions},
    },
    mail::{Outbox, Postman, Templates},
    rate_limits::RateLimits,
    services::{limited::Limiting, typed::TypedDoor},
    store::keys::{State, StoredKey},
    upstream::{PoolConfig, Upstream, UsersClient},
};

/// An order.
#[derive(Debug, Serialize, Deserialize, Object)]
struct Order {
    /// Its number.
    id: i64,
    /// A field that was added to the contract, and to nothing else.
    #[serde(default)]
    #[oai(validator(max_length = 5))]
    note: String,
}

struct OrdersApi;

#[expect(clippy::unused_async, reason = "operations are async by form")]
#[OpenApi]
impl OrdersApi {
    /// Fetch an order
    #[oai(path = "/orders/:order_id", method = "get", operation_id = "get_order")]
    async fn get_order(&self, order_id: Path<i64>) -> Json<Order> {
        Json(Order { id: order_id.0, note: String::new() })
    }

    /// Place an order: an operation that was added to the contract, and to nothing else.
    #[oai(path = "/orders", method = "post", operation_id = "place_order")]
    async fn place_order(&self, order: Json<Order>) -> Json<Order> {
        order
    }
}

fn document() -> Value {
    let policies = [
        Policy::new("get_order", Access::Public, &[404]),
        Policy::new("place_order", Access::SignedIn, &[]).scope("orders:write"),
    ];
    let about = About { title: "Orders".into(), version: "1".into(), description: "Orders.".into() };
    document::merge(&about, [document::of::<OrdersApi>(&policies).unwrap()]).unwrap()
}

/// A service that answers every request alike, and a gateway that binds the contract to it.
async fn start(answer: Value) -> (String, TestDatabase) {
    let database = TestDatabase::sqlite();
    let shutdown = CancellationToken::new();
    let service = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let service_url = format!("http://{}", service.address());
    let respond = make_sync(move |_| {
        poem::Response::builder().content_type("application/json").body(answer.to_string())
    });
    tokio::spawn(service.run(Route::new().nest("/", respond), shutdown.clone()));

    let operations = Arc::new(Operation::all(&document()).unwrap());
    let paths = Arc::new(Routes::of(&operations));
    let binding = Arc::new(binding(&service_url, operations, &database).await);
    let elsewhere = Route::new().at("/orders/latest", make_sync(|_| "the gateway's own")).map_to_response();
    let own = std::iter::once("/orders/latest");
    let door = TypedDoor::new(elsewhere, forwards::<OrdersApi>(&binding), own).unwrap();
    let gateway = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let url = format!("http://{}", gateway.address());
    let app = Edge::new(door, "gateway", paths, Trust::Nobody);
    tokio::spawn(gateway.run(app, shutdown));
    (url, database)
}

async fn binding(service_url: &str, operations: Arc<Vec<Operation>>, database: &TestDatabase) -> Binding {
    let master = MasterKey::generate().unwrap();
    let keys = |purpose| {
        let made = generate(purpose, Algorithm::EdDsa, &master, 0).unwrap();
        let stored = [StoredKey { state: State::Active, ..made }];
        Arc::new(ArcSwap::from_pointee(Keys::open(purpose, &stored, &master, 0).unwrap()))
    };
    let (access, internal) = (keys(Purpose::Access), keys(Purpose::Internal));
    let revoked = Arc::new(Revoked::new(Duration::from_mins(1)));
    let expected = Expected::of_ours(access_token::KIND, "http://g", "platform");
    let time = Duration::from_secs(5);
    let upstream = Arc::new(
        Upstream::new(PoolConfig {
            connect_time: time,
            total_time: time,
            ..PoolConfig::new("users", vec![service_url.to_owned()])
        })
        .unwrap(),
    );
    let authenticator =
        Arc::new(Authenticator::new(Arc::clone(&access), internal, expected, Arc::clone(&revoked)));
    let links = Links { database: database.open().await, master_key: master.clone(), base: String::new() };
    let postman = Postman {
        links,
        templates: Templates::load(None).unwrap(),
        transport: None,
        platform: String::new(),
    };
    let users = UsersClient::new(Arc::clone(&upstream), Arc::clone(&authenticator));
    let limiting = Arc::new(Limiting {
        rules: Vec::new(),
        limits: Arc::new(RateLimits::new(None)),
        authenticator: Arc::clone(&authenticator),
        trusted_proxies: TrustedProxies::default(),
    });
    Binding {
        handshake: None,
        outbox: Outbox::new(Arc::new(users), Arc::new(postman)),
        service: "orders",
        upstream,
        operations,
        authenticator,
        sessions: Arc::new(Sessions {
            database: database.open().await,
            keys: access,
            refresh_key: master.refresh_key().unwrap(),
            revoked: Arc::clone(&revoked),
            lifetimes: Lifetimes { access: time, sliding: time, absolute: time },
            issuer: "http://g".to_owned(),
            audience: "platform".to_owned(),
        }),
        audit: Arc::new(Audit::new(database.open().await, revoked)),
        limit: BodyLimit::default(),
        trusted_proxies: TrustedProxies::default(),
        limiting,
    }
}

async fn status(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn an_operation_of_a_new_contract_is_routed_guarded_and_checked() {
    let (url, _database) = start(json!({ "id": 7, "note": "new", "internal": "x" })).await;
    let client = reqwest::Client::builder().build().unwrap();
    let (code, body) = status(client.get(format!("{url}/orders/7"))).await;
    assert_eq!((code, body), (200, json!({ "id": 7, "note": "new" })));
    assert_eq!(status(client.get(format!("{url}/orders/%37"))).await.0, 200, "a digit, escaped");
    assert_eq!(status(client.get(format!("{url}/orders/x"))).await.0, 422);
    assert_eq!(status(client.delete(format!("{url}/orders/7"))).await.0, 405);
    assert_eq!(status(client.post(format!("{url}/orders")).json(&json!({ "id": 7 }))).await.0, 401);
}

#[tokio::test]
async fn a_concrete_path_of_the_gateway_s_own_goes_before_a_templated_one_of_a_service() {
    let (url, _database) = start(json!({ "id": 7, "note": "" })).await;
    let client = reqwest::Client::builder().build().unwrap();
    let answer = client.get(format!("{url}/orders/latest")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "the gateway's own");
    let other = client.post(format!("{url}/orders/latest")).send().await.unwrap();
    assert_eq!(other.text().await.unwrap(), "the gateway's own", "its methods are its own matter");
    let unknown = client.get(format!("{url}/orders/7/lines")).send().await.unwrap();
    assert_eq!(unknown.status().as_u16(), 404);
}

#[tokio::test]
async fn a_field_of_a_new_contract_is_checked_in_answers() {
    let (url, _database) = start(json!({ "id": 7, "note": "too long" })).await;
    let client = reqwest::Client::builder().build().unwrap();
    assert_eq!(status(client.get(format!("{url}/orders/7"))).await.0, 502);
}
