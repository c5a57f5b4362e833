//! A templated operation never leads to a concrete one beside it, which has other rules, whatever way the path is written.

use kit::testing::TestDatabase;
use serde_json::{Value, json};

use crate::support::{Gateway, Origin, Raw, answer, composed, config, exchange, named};

const RULES: &str = "[operations.getOrder]\naccess = \"public\"\n[operations.dropOrder]\naccess = \"public\"\n\
    [operations.listMine]\naccess = \"public\"\n[operations.getAdmin]\naccess = \"role:admin\"\n\
    [operations.getInternal]\nhidden = true\n";

fn document() -> Value {
    let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } });
    let any = json!({ "200": { "description": "", "content": { "application/json": { "schema": {} } } } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Orders", "version": "1" },
        "paths": {
            "/orders/{id}": { "parameters": [id], "get": { "operationId": "getOrder", "responses": any },
                "delete": { "operationId": "dropOrder", "responses": any } },
            "/orders/admin": { "get": { "operationId": "getAdmin", "responses": any } },
            "/orders/@mine": { "get": { "operationId": "listMine", "responses": any } },
            "/orders/internal": { "get": { "operationId": "getInternal", "responses": any } },
        },
    })
}

async fn start(url: &str, compose: &[&str]) -> (Gateway, (TestDatabase, tempfile::TempDir)) {
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.services = vec![named("orders", folder.path(), url, &document(), RULES)];
    config.composed = compose.iter().map(|text| composed(text)).collect();
    (Gateway::start(config).await, (database, folder))
}

#[tokio::test]
async fn a_path_is_held_to_the_rules_of_the_operation_that_the_service_reads_in_it() {
    let raw = Raw::answering(&answer("200 OK", "application/json", "{}")).await;
    let (gateway, _kept) = start(&raw.url(), &[]).await;
    for (method, path, status, sent) in [
        ("GET", "/orders/7", 200, Some("/orders/7")),
        ("GET", "/orders/admin", 401, None),
        ("GET", "/orders/%61dmin", 401, None),
        ("GET", "/orders/%61%64%6D%69%6e", 401, None),
        ("GET", "/%6Frders/admin", 401, None),
        ("HEAD", "/orders/%61dmin", 401, None),
        ("DELETE", "/orders/%61dmin", 405, None),
        ("OPTIONS", "/orders/%61dmin", 204, None),
        ("GET", "/orders/Admin", 404, None),
        ("GET", "/orders/admin;v=1", 404, None),
        ("GET", "/orders/admin.json", 404, None),
        ("GET", "/orders/administrator", 200, Some("/orders/administrator")),
        ("GET", "/orders/internal", 404, None),
        ("HEAD", "/orders/internal", 404, None),
        ("DELETE", "/orders/internal", 404, None),
        ("OPTIONS", "/orders/internal", 404, None),
        ("GET", "/orders/%69nternal", 404, None),
        ("GET", "/orders/INTERNAL", 404, None),
        ("GET", "/orders/@mine", 200, Some("/orders/@mine")),
        // A service that compares paths undecoded reads the same.
        ("GET", "/orders/%40mine", 200, Some("/orders/@mine")),
        ("GET", "/orders/a%7Eb%20c%3b", 200, Some("/orders/a~b%20c%3b")),
        ("GET", "/orders/%2561dmin", 200, Some("/orders/%2561dmin")),
    ] {
        let before = raw.requests().await.len();
        let head = format!("{method} /api/orders{path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
        let got = exchange(gateway.address, head.as_bytes()).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {got}");
        let seen = raw.requests().await;
        match sent {
            Some(target) => {
                assert!(
                    seen[before].starts_with(&format!("GET {target} HTTP/1.1\r\n")),
                    "{path}: {}",
                    seen[before]
                );
            }
            None => assert_eq!(seen.len(), before, "{method} {path} reached the service"),
        }
    }
    // A hidden path is told of by nothing.
    let nobody_s =
        exchange(gateway.address, b"GET /api/orders/none HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
            .await;
    let hidden = exchange(
        gateway.address,
        b"GET /api/orders/orders/internal HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n",
    )
    .await;
    let told = |answer: &str| {
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut body: Value = serde_json::from_str(body).unwrap();
        for name in ["instance", "request_id"] {
            body.as_object_mut().unwrap().remove(name);
        }
        body
    };
    assert_eq!(told(&hidden), told(&nobody_s));
}

#[tokio::test]
async fn a_value_that_makes_a_part_s_path_another_operation_s_leaves_the_part_out() {
    let origin = Origin::start(|target| {
        Box::pin(async move {
            let body =
                format!(r#"{{"next":{:?}}}"#, target.rsplit('/').next().unwrap().trim_start_matches("to-"));
            answer("200 OK", "application/json", &body).into_bytes()
        })
    })
    .await;
    let page = "name = \"page\"\npath = \"/api/pages/{order}\"\n\
        [[part]]\nname = \"first\"\nservice = \"orders\"\noperation = \"getOrder\"\nparameters.id = { path = \"order\" }\n\
        [[part]]\nname = \"second\"\nservice = \"orders\"\noperation = \"getOrder\"\nrequired = false\n\
        parameters.id = { from = \"first\", pointer = \"/next\" }\n";
    let (gateway, _kept) = start(&origin.url(), &[page]).await;
    for value in ["admin", "%61dmin", "ADMIN", "admin;x", "internal", "%69nternal", "@mine", "%40mine"] {
        let failed = gateway.get(&format!("/api/pages/{value}")).send().await.unwrap();
        assert_eq!(failed.status(), 502, "{value}");
        assert_eq!(failed.headers()["platform-missing"], "first;status=502", "{value}");
    }
    assert_eq!(origin.requests().len(), 0, "{:?}", origin.requests());
    for value in ["admin", "ADMIN", "internal", "@mine"] {
        let got = gateway.get(&format!("/api/pages/to-{value}")).send().await.unwrap();
        assert_eq!(got.status(), 200, "{value}");
        assert_eq!(got.headers()["platform-missing"], "second;status=502", "{value}");
        let body: Value = got.json().await.unwrap();
        assert_eq!(body, json!({ "first": { "next": value }, "second": null }));
    }
    let seen = origin.requests();
    assert!(seen.iter().all(|head| head.starts_with("GET /orders/to-")), "{seen:?}");
    let whole = gateway.get("/api/pages/to-%37").send().await.unwrap();
    assert_eq!(whole.headers()["platform-completed"], "true");
    assert_eq!((origin.count("/orders/to-7"), origin.count("/orders/7")), (1, 1));
}
