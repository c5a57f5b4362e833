//! Services that serve another contract than they were bound by.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use contract::handshake::{Offer, PATH};
use kit::{
    server::{Limits, Server},
    testing::TestDatabase,
};
use poem::{EndpointExt, IntoResponse, Response, Route, endpoint::make_sync, http::StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{self, Gateway, config, declared};

/// A service whose contract a test changes while it runs; without one it answers 404 there.
struct Service {
    url: String,
    served: Arc<Mutex<Option<Value>>>,
    _stop: DropGuard,
}

impl Service {
    async fn start(served: Option<Value>) -> Self {
        let listening = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
        let (url, served) = (format!("http://{}", listening.address()), Arc::new(Mutex::new(served)));
        let shown = Arc::clone(&served);
        let contract = make_sync(move |_| match shown.lock().unwrap().clone() {
            Some(document) => poem::web::Json(Offer::new(document)).into_response(),
            None => Response::from(StatusCode::NOT_FOUND),
        });
        let order = make_sync(|_| poem::web::Json(json!({ "id": 1, "note": "x" })).into_response());
        let carts = make_sync(|_| poem::web::Json(json!([])).into_response());
        let app = Route::new().at(PATH, contract).at("/orders/:id", order).at("/carts", carts).boxed();
        let stop = CancellationToken::new();
        tokio::spawn(listening.run(app, stop.clone()));
        Self { url, served, _stop: stop.drop_guard() }
    }

    fn serve(&self, document: Value) {
        *self.served.lock().unwrap() = Some(document);
    }
}

fn document() -> Value {
    let of = |schema: Value| json!({ "200": { "description": "", "content": { "application/json": { "schema": schema } } } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Orders", "version": "1" },
        "paths": {
            "/orders/{id}": { "get": { "operationId": "getOrder",
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } }],
                "responses": of(json!({ "$ref": "#/components/schemas/Order" })) } },
            "/carts": { "get": { "operationId": "listCarts", "responses": of(json!({ "type": "array" })) } },
        },
        "components": { "schemas": { "Order": { "type": "object", "required": ["id"], "properties": {
            "id": { "type": "integer" }, "note": { "type": "string" } } } } },
    })
}

/// The document without a field that clients read.
fn without_note() -> Value {
    let mut served = document();
    served["components"]["schemas"]["Order"]["properties"].as_object_mut().unwrap().shift_remove("note");
    served
}

async fn start(service: &Service) -> (Gateway, (TestDatabase, tempfile::TempDir)) {
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.services = vec![declared(folder.path(), &service.url, &document(), "access = \"public\"")];
    config.contract_every = Some(Duration::from_millis(20));
    (Gateway::start(config).await, (database, folder))
}

async fn ops(gateway: &Gateway, path: &str) -> String {
    let asked = gateway.client.get(format!("http://{}{path}", gateway.ops)).send().await.unwrap();
    asked.text().await.unwrap()
}

/// Waits until a service stands so; how it stands then.
async fn standing(gateway: &Gateway, service: &str, agreement: &str) -> Value {
    let looking = async {
        loop {
            let told: Value = serde_json::from_str(&ops(gateway, "/services").await).unwrap();
            let services = told["services"].as_array().unwrap().clone();
            let found = services.into_iter().find(|one| one["service"] == service).unwrap();
            if found["agreement"] == agreement {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looking).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_is_served_otherwise_than_bound_is_503_and_no_other_is_until_it_is_mended() {
    let service = Service::start(Some(document())).await;
    let (gateway, _kept) = start(&service).await;
    standing(&gateway, "echo", "equal").await;
    let get = async |path: &str| gateway.get(path).send().await.unwrap();
    assert_eq!(get("/api/echo/orders/1").await.status(), 200);
    service.serve(without_note());
    let told = standing(&gateway, "echo", "breaking").await;
    let pointer = "/components/schemas/Order/properties/note";
    assert_eq!(told["breaks"][0]["pointer"], pointer);
    assert_eq!(told["breaks"][0]["operations"], json!(["GET /orders/{}"]));
    let refused = get("/api/echo/orders/1").await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    let problem = support::problem(refused).await;
    assert!(problem["detail"].as_str().unwrap().contains("has changed this operation"), "{problem}");
    assert_eq!(get("/api/echo/carts").await.status(), 200);
    let metrics = ops(&gateway, "/metrics").await;
    let series = format!(
        "platform_contract_broken{{service=\"echo\",operation=\"GET /orders/{{}}\",pointer=\"{pointer}\"}} 1"
    );
    assert!(metrics.contains(&series), "{metrics}");
    let mut more = document();
    more["paths"]["/new"] = json!({ "get": { "responses": {} } });
    service.serve(more);
    standing(&gateway, "echo", "compatible").await;
    assert_eq!(get("/api/echo/orders/1").await.status(), 200);
    assert!(!ops(&gateway, "/metrics").await.contains("platform_contract_broken{"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_tells_no_contract_is_left_alone() {
    let service = Service::start(None).await;
    let (gateway, _kept) = start(&service).await;
    // A contract that is told later is seen; until then nothing is known, and nothing is refused.
    assert_eq!(gateway.get("/api/echo/orders/1").send().await.unwrap().status(), 200);
    standing(&gateway, "echo", "unknown").await;
    service.serve(document());
    standing(&gateway, "echo", "equal").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_of_the_platform_s_own_is_held_to_the_contract_the_gateway_was_built_with() {
    let bound = contract::handshake::shared("users", contract::users::documents().unwrap()).unwrap();
    let service = Service::start(Some(bound.clone())).await;
    let database = TestDatabase::sqlite();
    let mut config = config(&database, &service.url).await;
    config.contract_every = Some(Duration::from_millis(20));
    let gateway = Gateway::start(config).await;
    standing(&gateway, "users", "equal").await;
    let mut served = bound;
    served["paths"].as_object_mut().unwrap().shift_remove("/api_v1/users/me");
    service.serve(served);
    standing(&gateway, "users", "breaking").await;
    let operator = gateway.operator().await;
    let get = async |path: &str| gateway.get(path).bearer_auth(&operator).send().await.unwrap();
    assert_eq!(get("/api_v1/users/me").await.status(), 503);
    // Another operation is sent on: this double has no users, which breaks the contract in its own way.
    assert_eq!(get("/api_v1/users/7").await.status(), 502);
    assert_eq!(
        gateway.get("/api_v1/users/me").send().await.unwrap().status(),
        401,
        "who may not call learns nothing"
    );
}
