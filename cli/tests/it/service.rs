//! `platform service`: declaring, checking and pinning services, and where a new one can't be written.

use std::fs;

use serde_json::{Value, json};

use crate::process::Place;

const FILE: &str = "# What this machine serves.\n[log]\nlevel = \"warn\" # not more\n";

fn document() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": { "title": "Orders", "version": "1" },
        "paths": { "/orders": { "get": { "operationId": "listOrders", "responses": { "200": { "description": "", "content": {
            "application/json": { "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Order" } } } } } } } } },
        "components": { "schemas": { "Order": { "type": "object", "required": ["id"], "properties": {
            "id": { "type": "integer" }, "note": { "type": "string" } } } } },
    })
}

fn place() -> Place {
    let place = Place::new();
    fs::write(place.path().join("platform.toml"), FILE).unwrap();
    write(&place, &document());
    place
}

fn write(place: &Place, document: &Value) {
    fs::write(place.path().join("orders.json"), document.to_string()).unwrap();
}

fn file(place: &Place) -> String {
    fs::read_to_string(place.path().join("platform.toml")).unwrap()
}

/// Nobody listens at port 1: what a service tells of itself is not there.
const ADD: [&str; 7] = ["service", "add", "orders", "--openapi", "orders.json", "--at", "http://127.0.0.1:1"];

#[test]
fn a_service_is_declared_once_its_document_is_right_and_nothing_else_of_the_file_moves() {
    let place = place();
    let lines =
        "[[service]]\nname = \"orders\"\nopenapi = \"orders.json\"\nurls = [\"http://127.0.0.1:1\"]\n";
    assert_eq!(place.run(&[&ADD[..], &["--dry-run"]].concat()).done().stdout, lines);
    assert_eq!(file(&place), FILE);
    let added = place.run(&[&ADD[..], &["-o", "json"]].concat()).done();
    assert_eq!(added.json()[0]["path"], "/api/orders/orders");
    assert!(added.stderr.contains("platform.toml:5"), "{added:#?}");
    assert_eq!(file(&place), format!("{FILE}\n{lines}"));
    let pinned = fs::read_to_string(place.path().join("contracts/orders.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&pinned).unwrap(), document());
    place.run(&["service", "check"]).done();
    place.run(&ADD).failed(1, "platform.toml:5");
}

#[test]
fn what_can_not_be_bound_is_not_declared() {
    let place = place();
    let with = |more: &[&str]| place.run(&[&ADD[..], more].concat());
    with(&["--access", "everyone"]).failed(2, "everyone");
    with(&["--prefix", "/api_v1/orders"]).failed(1, "the gateway's own");
    let named = |name: &str| {
        place.run(&["service", "add", name, "--openapi", "orders.json", "--at", "http://127.0.0.1:1"])
    };
    named("users").failed(1, "of the platform's own");
    named("Orders").failed(2, "a service's name");
    let missing =
        place.run(&["service", "add", "carts", "--openapi", "carts.json", "--at", "http://127.0.0.1:1"]);
    missing.failed(1, "carts.json");
    let mut broken = document();
    broken["paths"]["/orders"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["items"]
        ["$ref"] = "#/components/schemas/None".into();
    write(&place, &broken);
    place.run(&ADD).failed(1, "points at nothing");
    assert_eq!(file(&place), FILE);
    assert!(!place.path().join("contracts").exists());
}

#[test]
fn a_document_that_breaks_clients_of_the_pinned_one_fails_the_check_with_each_pointer() {
    let place = place();
    place.run(&ADD).done();
    let mut more = document();
    more["components"]["schemas"]["Order"]["properties"]["total"] = json!({ "type": "number" });
    write(&place, &more);
    let compatible = place.run(&["service", "check"]).done();
    assert!(compatible.stderr.contains("1 compatible change"), "{compatible:#?}");
    let mut less = document();
    less["components"]["schemas"]["Order"]["properties"].as_object_mut().unwrap().shift_remove("note");
    less["info"]["title"] = "Orders, anew".into();
    write(&place, &less);
    let broken =
        place.run(&["service", "check", "orders"]).failed(1, "/components/schemas/Order/properties/note");
    assert!(broken.stdout.contains("/api/orders/orders"), "{broken:#?}");
    let changes = place.run(&["service", "check", "--changes", "-o", "json"]).ended(1).json();
    let weights: Vec<&str> =
        changes.as_array().unwrap().iter().map(|row| row["weight"].as_str().unwrap()).collect();
    assert_eq!(weights, ["breaking", "editorial"]);
    assert_eq!(changes[0]["operations"], json!(["GET /orders"]));
    place.run(&["service", "check", "--pin"]).done();
    place.run(&["service", "check"]).done();
}

#[test]
fn a_new_service_is_written_into_a_checkout_alone() {
    let place = place();
    place.run(&["service", "new", "orders"]).failed(1, "no checkout");
    place.run(&["service", "new", "Orders"]).failed(2, "can't be the name");
    place.run(&["service", "new", "stock"]).failed(2, "--item");
    assert!(!place.path().join("orders").exists());
}
