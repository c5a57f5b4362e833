//! `platform routes explain`.

use std::fs;

use serde_json::{Value, json};

use crate::process::Place;

fn sent<'v>(told: &'v Value, name: &str) -> Option<&'v str> {
    let headers = told["calls"][0]["headers"].as_array().unwrap();
    headers.iter().find(|pair| pair[0] == name).and_then(|pair| pair[1].as_str())
}

#[test]
fn a_request_is_explained_without_a_server_and_without_keys() {
    let place = Place::new();
    let explain =
        |arguments: &[&str]| place.run(&[&["routes", "explain", "-o", "json"], arguments].concat()).done();
    let anonymous = explain(&["GET", "/api_v1/users/7?x=1"]);
    assert!(anonymous.stderr.contains("keys are not at hand"), "{anonymous:#?}");
    let told = anonymous.json();
    assert_eq!(
        (&told["operation"]["id"], &told["operation"]["scope"]),
        (&"get_user".into(), &"users:read".into())
    );
    assert_eq!((&told["service"], &told["caller"]["subject"]), (&"users".into(), &"anonymous".into()));
    assert_eq!((&told["answer"]["status"], &told["calls"]), (&401.into(), &Value::Null));
    // Open to everybody: what would be sent is told, and the account is not made.
    let body = "{\"email\":\"a@example.com\",\"password\":\"correct horse battery\"}";
    let told = explain(&["POST", "/api_v1/users", "--data", body, "-H", "X-Forwarded-For: 1.1.1.1"]).json();
    assert_eq!(
        (&told["calls"][0]["service"], &told["calls"][0]["target"]),
        (&"users".into(), &"/api_v1/users".into())
    );
    assert_eq!(told["calls"][0]["retry"]["may_be_repeated"], false);
    assert!(sent(&told, "authorization").unwrap().contains("*** (aud: users, sub: anonymous"), "{told:#}");
    assert_ne!(sent(&told, "x-forwarded-for"), Some("1.1.1.1"));
    let told = explain(&["POST", "/api_v1/users", "--data", "{}"]).json();
    assert_eq!(told["answer"]["body"]["errors"][0]["pointer"], "/email");
    assert_eq!(explain(&["GET", "/nothing"]).json()["answer"]["status"], 404);
    assert_eq!(explain(&["DELETE", "/api_v1/users"]).json()["answer"]["status"], 405);
    assert_eq!(explain(&["GET", "/api_v1/../users"]).json()["answer"]["status"], 400);
    let table = place.run(&["routes", "explain", "GET", "/api_v1/users/7"]).done();
    assert!(table.stdout.contains("get_user") && table.stdout.contains("401"), "{table:#?}");
    assert!(!place.data().exists());
    place.run(&["routes", "explain", "GET", "users"]).failed(2, "path");
}

#[test]
fn a_declared_operation_is_explained_with_its_changes_its_cache_and_its_rates() {
    let place = Place::new();
    let of = json!({ "200": { "description": "", "content": { "application/json": { "schema": { "type": "object" } } } } });
    let document = json!({ "openapi": "3.1.0", "info": { "title": "O", "version": "1" }, "paths": { "/orders/{id}": {
        "get": { "operationId": "getOrder", "responses": of,
            "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } }] } } } });
    fs::write(place.path().join("orders.json"), document.to_string()).unwrap();
    let text = "[[service]]\nname = \"orders\"\nopenapi = \"orders.json\"\nurls = [\"http://127.0.0.1:1/base\"]\naccess = \"public\"\n\
        cache = true\nrate_limit = \"5/min by address\"\ntimeout = \"1500ms\"\nrequest.query.remove = [\"debug\"]\n\
        request.headers.set = { x-tenant = \"acme\" }\n";
    fs::write(place.path().join("platform.toml"), text).unwrap();
    let told = place
        .run(&["routes", "explain", "GET", "/api/orders/orders/7?debug=1&q=%20a", "-o", "json"])
        .done()
        .json();
    assert_eq!((&told["operation"]["id"], &told["service"]), (&"getOrder".into(), &"orders".into()));
    let call = &told["calls"][0];
    assert_eq!((&call["target"], &call["time"]["total_ms"]), (&"/orders/7?q=%20a".into(), &1500.into()));
    assert_eq!(call["urls"], json!(["http://127.0.0.1:1/base"]));
    assert_eq!(
        (sent(&told, "x-tenant"), sent(&told, "x-forwarded-prefix")),
        (Some("acme"), Some("/api/orders"))
    );
    assert_eq!(told["cache"]["kept_for"], "everybody");
    assert_eq!(told["rate_limits"].as_array().unwrap().len(), 1);
    let refused =
        place.run(&["routes", "explain", "GET", "/api/orders/orders/x", "-o", "json"]).done().json();
    assert_eq!((&refused["answer"]["status"], &refused["calls"]), (&422.into(), &Value::Null));
}

#[test]
fn with_the_keys_at_hand_a_token_is_told_for_what_it_is() {
    let platform = Place::new().serve(&[]);
    let ann = platform.create("ann@example.com", &[]);
    let explain = |token: &str| {
        platform
            .place
            .run_as(token, &["routes", "explain", "GET", "/api_v1/users/me", "-o", "json"], "")
            .done()
            .json()
    };
    let token = platform.place.run_with(
        &["token", "issue", "--email", "ann@example.com", "--password-stdin"],
        crate::process::PASSWORD,
    );
    let token = token.done().stdout.trim().to_owned();
    let told = explain(&token);
    assert_eq!(told["caller"]["subject"], ann.to_string());
    assert!(sent(&told, "authorization").unwrap().contains(&format!("sub: {ann}")), "{told:#}");
    assert!(!told.to_string().contains(&token), "the token is not repeated");
    let told = explain("no.token.atall");
    assert_eq!(told["answer"]["status"], 401);
    assert!(told["caller"]["refused"].is_string(), "{told:#}");
}
