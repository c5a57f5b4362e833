//! A service that is down keeps nobody else from being served, as long as its document was pinned.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::process::{Place, Platform, wait_for};

/// Nobody listens at port 1.
const ORDERS: &str = "[[service]]\nname = \"orders\"\nopenapi = \"http://127.0.0.1:1/openapi.json\"\n\
    urls = [\"http://127.0.0.1:1\"]\naccess = \"public\"\n";

const COMPOSED: &str = "[[compose]]\nname = \"page\"\npath = \"/api/pages\"\n[[compose.part]]\nname = \"orders\"\n\
    service = \"orders\"\noperation = \"listOrders\"\n";

fn document(path: &str) -> String {
    json!({ "openapi": "3.1.0", "info": { "title": "", "version": "1" }, "paths": { path: { "get": {
        "operationId": "listOrders", "responses": { "200": { "description": "", "content": {
            "application/json": { "schema": { "type": "array" } } } } } } } } })
    .to_string()
}

fn place(configuration: &str) -> Place {
    let place = Place::new();
    write(&place, configuration);
    place
}

fn write(place: &Place, configuration: &str) {
    fs::write(place.path().join("platform.toml"), configuration).unwrap();
}

fn pin(place: &Place, text: &str) {
    fs::create_dir_all(place.path().join("contracts")).unwrap();
    fs::write(place.path().join("contracts/orders.json"), text).unwrap();
}

fn status(platform: &Platform, path: &str) -> u16 {
    let mut client = TcpStream::connect(platform.gateway()).unwrap();
    write!(client, "GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_service_that_is_down_is_bound_by_its_pinned_document() {
    let place = place(ORDERS);
    pin(&place, &document("/orders"));
    let platform = place.serve(&[]);
    assert_eq!(status(&platform, "/healthz"), 200);
    assert!([502, 503].contains(&status(&platform, "/api/orders/orders")));
    if std::env::var("RUST_LOG").is_err() {
        let log = platform.log();
        let told = log.lines().find(|line| line.contains("bound by the pinned copy")).unwrap();
        for part in ["orders", "http://127.0.0.1:1/openapi.json can't be read", "contracts/orders.json"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    fs::write(platform.place.path().join("two.json"), document("/two")).unwrap();
    let two = ["service", "add", "two", "--openapi", "two.json", "--at", "http://127.0.0.1:1"];
    let added = platform.place.run(&two).done();
    assert!(added.stderr.trim_end().ends_with("Next: platform reload"), "{added:#?}");
    let listed = platform.place.run(&["service", "list"]).done().stdout;
    let marked =
        |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap().contains("not in force");
    assert!(marked("two") && !marked("orders") && !marked("users"), "{listed}");
    platform.place.run(&["reload"]).done();
    wait_for("the second service", || (status(&platform, "/api/two/two") != 404).then_some(()));
    assert!(!platform.place.run(&["service", "list"]).done().stdout.contains("not in force"));
}

#[test]
fn without_a_pinned_document_it_is_refused_and_told_how_to_make_one() {
    let place = place("");
    let platform = place.serve(&[]);
    write(&platform.place, ORDERS);
    for (pinned, part) in [(None, "No such file"), (Some("{"), "neither JSON nor YAML")] {
        if let Some(text) = pinned {
            pin(&platform.place, text);
        }
        let refused = platform.place.run(&["reload"]).ended(1).stderr;
        for part in ["service orders", "contracts/orders.json", "platform service check orders --pin", part] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
    }
    assert_eq!(status(&platform, "/healthz"), 200);
    let other = self::place(ORDERS);
    assert!(other.run(&["serve"]).ended(1).stderr.contains("platform service check orders --pin"));
    let free = self::place("");
    fs::write(free.path().join("two.json"), document("/two")).unwrap();
    let two = ["service", "add", "two", "--openapi", "two.json", "--at", "http://127.0.0.1:1"];
    assert!(free.run(&two).done().stderr.trim_end().ends_with("Next: platform serve"));
}

#[test]
fn the_check_of_the_configuration_looks_at_what_is_declared_as_far_as_it_can_be_read() {
    let place = place(&format!("{ORDERS}{COMPOSED}"));
    let told = place.run(&["config", "check"]).done().stderr;
    for part in ["is right", "not checked: ", "service orders", "compose page"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    pin(&place, &document("/orders"));
    let told = place.run(&["config", "check"]).done().stderr;
    assert!(!told.contains("not checked"), "{told}");
    write(&place, &format!("{ORDERS}{}", COMPOSED.replace("listOrders", "readOrders")));
    let refused = place.run(&["config", "check"]).ended(1).stderr;
    assert!(refused.contains("readOrders") && !refused.contains("is right"), "{refused}");
    write(&place, &format!("{ORDERS}[service.operations.readOrders]\nhidden = true\n"));
    assert!(place.run(&["config", "check"]).ended(1).stderr.contains("readOrders"));
}
