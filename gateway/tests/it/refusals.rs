//! Whatever is refused is refused as the document says, by the gateway's own operations and by those of declared services.

use kit::testing::TestDatabase;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{self, Gateway, Raw, config, declared};

const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];

/// One operation of the served document.
struct Published {
    method: Method,
    path: String,
    operation: Value,
    takes_json: bool,
}

impl Published {
    /// Of all of them, in the document's order.
    fn all(document: &Value) -> Vec<Self> {
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            let has = item.as_object().unwrap().iter().filter(|(name, _)| METHODS.contains(&name.as_str()));
            has.map(move |(method, operation)| Self {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                takes_json: operation["requestBody"]["content"].get("application/json").is_some(),
                operation: operation.clone(),
            })
        });
        operations.collect()
    }

    /// Its path with something in each parameter's place.
    fn filled(&self, value: &str) -> String {
        let parts = self.path.split('/');
        parts.map(|part| if part.starts_with('{') { value } else { part }).collect::<Vec<_>>().join("/")
    }

    /// Fails unless the document says that it may answer so.
    async fn says(&self, what: &str, answer: Response) {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let id = &self.operation["operationId"];
        let declared = &self.operation["responses"][status.as_str()];
        assert!(declared.is_object(), "{what}: {status} is not in the document of {id}");
        if status.is_success() {
            return;
        }
        let kind = headers["content-type"].to_str().unwrap().to_owned();
        assert!(declared["content"].get(&kind).is_some(), "{what}: {id} {status} in {kind}");
        if kind == "application/problem+json" {
            support::problem(answer).await;
        }
    }
}

async fn start(raw: &Raw, origins: &str, more: &str) -> (Gateway, (TestDatabase, tempfile::TempDir)) {
    let thing =
        json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" } } });
    let body = json!({ "content": { "application/json": { "schema": thing } } });
    let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } });
    let document = json!({
        "openapi": "3.0.3",
        "info": { "title": "Things", "version": "1" },
        "paths": {
            "/things": { "post": { "operationId": "addThing", "requestBody": body, "responses": { "200": { "description": "" } } } },
            "/things/{id}": {
                "parameters": [id],
                "get": { "operationId": "readThing", "responses": { "200": { "description": "" }, "404": { "description": "" } } },
                "put": { "operationId": "uploadThing", "requestBody": { "required": true, "content": { "application/octet-stream": {} } },
                    "responses": { "200": { "description": "" } } },
            },
        },
    });
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.cors = kit::cors::Origins::parse(origins).unwrap();
    config.services = vec![declared(folder.path(), &raw.url(), &document, more)];
    (Gateway::start(config).await, (database, folder))
}

async fn document(gateway: &Gateway) -> Value {
    gateway.get("/api_v1/openapi.json").send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn every_refusal_of_every_operation_stands_in_its_document_with_its_form() {
    let raw = Raw::json("200 OK", "1").await;
    let (gateway, _kept) = start(&raw, "", "").await;
    let operations = Published::all(&document(&gateway).await);
    assert!(operations.len() > 40, "{}", operations.len());
    for published in &operations {
        let ask = |value: &str| {
            gateway.client.request(published.method.clone(), gateway.url(&published.filled(value)))
        };
        let needed = published.operation["security"].as_array().unwrap();
        let is_open = needed.is_empty() || needed.iter().any(|scheme| scheme == &json!({}));
        let without = ask("1").send().await.unwrap();
        assert!(is_open || without.status() == 401, "{} {}", published.path, without.status());
        published.says("no token", without).await;
        let answer = ask("1").bearer_auth("nonsense").send().await.unwrap();
        published.says("a bad token", answer).await;
        let operator = gateway.operator().await;
        let answer = ask("1").bearer_auth(&operator).send().await.unwrap();
        published.says("nothing but a token", answer).await;
        let answer = ask("a%20b").bearer_auth(&operator).send().await.unwrap();
        published.says("parameters that do not fit", answer).await;
        if published.takes_json {
            let json = || ask("1").bearer_auth(&operator).header("content-type", "application/json");
            published.says("no JSON", json().body("{").send().await.unwrap()).await;
            published.says("another kind of value", json().body("[1]").send().await.unwrap()).await;
            let plain = ask("1").bearer_auth(&operator).header("content-type", "text/plain").body("x");
            published.says("another media type", plain.send().await.unwrap()).await;
            let large = format!("\"{}\"", "x".repeat(17 << 20));
            published.says("too large a body", json().body(large).send().await.unwrap()).await;
        }
    }
}

#[tokio::test]
async fn whether_an_operation_needs_a_token_stands_in_the_document() {
    let raw = Raw::json("200 OK", "1").await;
    let (gateway, _kept) = start(&raw, "", "").await;
    let document = document(&gateway).await;
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    for published in Published::all(&document) {
        let needed = published.operation["security"].as_array().or(document["security"].as_array());
        for requirement in needed.unwrap_or_else(|| panic!("{} says nothing", published.path)) {
            for scheme in requirement.as_object().unwrap().keys() {
                assert!(schemes.contains_key(scheme), "{}: {scheme}", published.path);
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_redirected_whatever_the_spelling_of_a_path() {
    let raw = Raw::json("200 OK", "1").await;
    let (gateway, _kept) = start(&raw, "", "access = \"public\"").await;
    for path in [
        "/api/echo/things/",
        "/api/echo/Things",
        "/api/echo//things",
        "/api/echo",
        "/api_v1//users",
        "/docs//",
    ] {
        for method in [Method::GET, Method::POST] {
            let wire = format!(
                "{method} {path} HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            );
            let answer = support::exchange(gateway.address, wire.as_bytes()).await;
            let status = answer.split(' ').nth(1).unwrap();
            assert!(["400", "404", "405"].contains(&status), "{method} {path}: {status}");
        }
    }
    assert!(raw.requests().await.is_empty());
}

#[tokio::test]
async fn what_a_service_says_of_other_origins_is_dropped_and_the_gateway_s_word_stands_once() {
    let own = "access-control-allow-origin: *\r\naccess-control-allow-credentials: true\r\naccess-control-expose-headers: x-secret\r\nvary: accept";
    let raw = Raw::answering(&format!("HTTP/1.1 200 OK\r\n{own}\r\ncontent-length: 0\r\n\r\n")).await;
    for (origins, allowed) in [("https://app.example", Some("https://app.example")), ("", None)] {
        let (gateway, _kept) = start(&raw, origins, "access = \"public\"").await;
        let asked = gateway.get("/api/echo/things/1").header("origin", "https://app.example");
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let said = |name: &str| -> Vec<String> {
            let lines = answer.headers().get_all(name).iter();
            lines.map(|line| line.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(said("access-control-allow-origin"), Vec::from_iter(allowed.map(ToOwned::to_owned)));
        assert!(said("access-control-allow-credentials").is_empty());
        assert!(!said("access-control-expose-headers").join(",").contains("x-secret"));
        let vary = said("vary").join(", ").to_ascii_lowercase();
        assert!(vary.contains("accept") && (allowed.is_none() || vary.contains("origin")), "{vary}");
    }
}

#[tokio::test]
async fn a_body_that_is_only_streamed_through_stands_in_the_document_nevertheless() {
    let raw = Raw::json("200 OK", "1").await;
    let (gateway, _kept) = start(&raw, "", "").await;
    let document = document(&gateway).await;
    let body = &document["paths"]["/api/echo/things/{id}"]["put"]["requestBody"];
    assert!(body["required"] == true && body["content"]["application/octet-stream"].is_object(), "{body}");
}
