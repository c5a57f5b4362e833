//! Faults of what the platform uses of others, and of addresses to listen on.

use std::io::Write as _;
use std::net::TcpListener;

use kit::testing::TestValkey;

use super::{examined, only_fault};
use crate::process::Place;

#[test]
fn an_address_that_is_taken_or_not_this_machine_s_is_found() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for setting in ["gateway.listen", "users.listen", "ops.listen"] {
        let found =
            only_fault(&Place::new(), &["--set", &format!("{setting}={address}")], "listeners", setting);
        assert!(found["why"].as_str().unwrap().contains("another process"), "{found}");
    }
    only_fault(&Place::new(), &["--set", "users.listen=192.0.2.1:8002"], "listeners", "no such address");
}

#[test]
fn a_valkey_that_is_gone_is_found() {
    let mut valkey = TestValkey::start();
    let place = Place::new().with("PLATFORM__GATEWAY__VALKEY_URL", &valkey.url());
    assert_eq!(examined(&place, &[]).0, Some(0));
    valkey.stop();
    only_fault(&place, &[], "valkey", "gateway.valkey_url");
}

#[test]
fn a_mail_server_that_takes_nothing_is_found() {
    let place = |url: &str| {
        Place::new()
            .with("PLATFORM__MAIL__SMTP_URL", url)
            .with("PLATFORM__MAIL__FROM", "no-reply@example.com")
    };
    only_fault(&place("smtp://127.0.0.1:1"), &[], "mail", "mail.smtp_url");
    // One that closes its door at once.
    let closing = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", closing.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = closing.accept() {
            let _ = client.write_all(b"554 no service here\r\n");
        }
    });
    only_fault(&place(&url), &[], "mail", "no service here");
}

#[test]
fn a_collector_of_traces_that_is_gone_is_found() {
    let place = Place::new().with("PLATFORM__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:1");
    only_fault(&place, &[], "traces", "telemetry.otlp_endpoint");
}

#[test]
fn a_contract_that_can_t_be_bound_is_found() {
    let place = Place::new();
    let declared =
        "[[service]]\nname = \"orders\"\nopenapi = \"orders.json\"\nurls = [\"http://127.0.0.1:1\"]\n";
    std::fs::write(place.path().join("platform.toml"), declared).unwrap();
    only_fault(&place, &[], "contracts", "orders.json");
    std::fs::write(place.path().join("orders.json"), "{\"openapi\": \"3.0.3\"}").unwrap();
    only_fault(&place, &[], "contracts", "orders");
}
