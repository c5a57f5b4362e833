//! Faults of a platform that runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use kit::testing::TestDatabase;

use super::{examined, fault, only_fault, sound};
use crate::process::{Place, Platform, wait_for};

/// Sends a request with these fields, and reads its answer to the end.
fn get(platform: &Platform, path: &str, fields: &str) -> String {
    let mut client = TcpStream::connect(platform.gateway()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\n{fields}connection: close\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_process_that_hangs_is_found() {
    let platform = sound(Place::new());
    platform.signal("STOP");
    let found = fault(&platform.place, &[], "running", "did not answer in time");
    platform.signal("CONT");
    assert!(found["mend"].as_str().unwrap().contains(&platform.child.id().to_string()), "{found}");
    assert_eq!(examined(&platform.place, &[]).0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_not_ready_is_found() {
    let gateway = TestDatabase::postgres().await;
    let place = Place::new().with("PLATFORM__GATEWAY__DATABASE_URL", &gateway.url().expose());
    let platform = sound(place);
    assert_eq!(examined(&platform.place, &[]).0, Some(0));
    tokio::task::spawn_blocking(move || drop(gateway)).await.unwrap();
    let found = fault(&platform.place, &[], "running", "is not ready");
    assert!(found["why"].as_str().unwrap().contains("database"), "{found}");
    fault(&platform.place, &[], "database", "does not exist");
}

#[test]
fn another_version_than_this_command_s_is_found() {
    let platform = sound(Place::new());
    let path = platform.place.data().join("platform.run");
    let mut run = platform.run.clone();
    run["version"] = "0.0.1".into();
    fs::write(&path, run.to_string()).unwrap();
    only_fault(&platform.place, &[], "version", "version 0.0.1 runs");
}

#[test]
fn a_reload_that_was_refused_is_found() {
    let platform = sound(Place::new());
    let place = &platform.place;
    // The address can't change while it runs.
    fs::write(place.path().join("platform.toml"), "[gateway]\naudience = \"other\"\n").unwrap();
    place.run(&["reload"]).failed(1, "gateway.audience");
    only_fault(place, &[], "reload", "gateway.audience");
}

#[test]
fn a_proxy_that_is_not_believed_is_found() {
    let platform = sound(Place::new());
    for _ in 0..40 {
        get(&platform, "/healthz", "x-forwarded-for: 203.0.113.7\r\n");
    }
    only_fault(&platform.place, &[], "trusted-proxies", "gateway.trusted_proxies");
    let believing = sound(Place::new().with("PLATFORM__GATEWAY__TRUSTED_PROXIES", "127.0.0.0/8"));
    for _ in 0..40 {
        get(&believing, "/healthz", "x-forwarded-for: 203.0.113.7\r\n");
    }
    assert_eq!(examined(&believing.place, &[]).0, Some(0));
}

#[test]
fn a_public_address_that_leads_to_another_platform_is_found() {
    let other = Place::new().serve(&[]);
    let address = format!("http://{}", other.gateway());
    let platform = sound(Place::new().with("PLATFORM__GATEWAY__PUBLIC_URL", &address));
    only_fault(&platform.place, &[], "public-address", "leads to something else");
    drop(other);
    let (code, rows) = examined(&platform.place, &[]);
    assert_eq!(code, Some(0));
    assert!(
        rows.iter().any(|row| row["check"] == "public-address" && row["verdict"] == "warning"),
        "{rows:#?}"
    );
}

#[test]
fn a_service_that_is_down_is_found() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = Place::new();
    let document = serde_json::json!({
        "openapi": "3.0.3", "info": {"title": "Orders", "version": "1"},
        "paths": {"/orders": {"get": {"operationId": "listOrders", "responses": {"200": {"description": ""}}}}},
    });
    fs::write(place.path().join("orders.json"), document.to_string()).unwrap();
    let declared = format!(
        "[[service]]\nname = \"orders\"\nopenapi = \"orders.json\"\nurls = [\"http://{port}\"]\naccess = \"public\"\n"
    );
    fs::write(place.path().join("platform.toml"), declared).unwrap();
    let platform = sound(place);
    wait_for("the breaker", || {
        get(&platform, "/api/orders/orders", "");
        let (_, rows) = examined(&platform.place, &[]);
        rows.iter().any(|row| row["check"] == "service" && row["verdict"] == "fault").then_some(())
    });
    only_fault(&platform.place, &[], "service", "orders: 1 of 1 instances are down");
}
