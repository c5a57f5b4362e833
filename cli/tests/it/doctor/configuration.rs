//! Faults of the configuration and of the secrets in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use kit::testing::TestDatabase;

use super::{fault, only_fault};
use crate::process::Place;

fn write(place: &Place, text: &str, mode: u32) {
    let path = place.path().join("platform.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn every_fault_of_the_file_is_found_with_its_line() {
    let place = Place::new();
    write(&place, "[gateway]\nlisen = \"x\"\n[users]\nregistration = \"maybe\"\n", 0o600);
    fault(&place, &[], "configuration", "platform.toml:2");
    fault(&place, &[], "configuration", "platform.toml:4");
}

#[test]
fn what_only_the_gateway_can_judge_is_found_too() {
    let place = Place::new().with("PLATFORM__GATEWAY__RATE_LIMIT", "often");
    only_fault(&place, &[], "configuration", "gateway.rate_limit");
}

#[test]
fn a_variable_that_no_setting_has_is_found() {
    let place = Place::new().with("PLATFORM__GATEWAY__LISEN", "127.0.0.1:1");
    only_fault(&place, &[], "variables", "did you mean PLATFORM__GATEWAY__LISTEN?");
}

#[test]
fn an_open_api_without_a_public_address_and_one_in_clear_are_found() {
    let open = ["--set", "gateway.listen=0.0.0.0:0"];
    only_fault(&Place::new(), &open, "public-url", "gateway.public_url is not set");
    let clear = ["--set", "gateway.public_url=http://api.example.com"];
    only_fault(&Place::new(), &clear, "public-url", "in clear");
    let elsewhere =
        ["--set", "gateway.listen=192.0.2.1:0", "--set", "gateway.public_url=http://127.0.0.1:8001"];
    fault(&Place::new(), &elsewhere, "public-url", "listens on 192.0.2.1:0 alone");
}

#[test]
fn addresses_that_must_be_proved_without_a_mail_server_are_found() {
    let place = Place::new().with("PLATFORM__MAIL__REQUIRE_VERIFIED_ADDRESS", "true");
    only_fault(&place, &[], "address-verification", "no letter can be sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_can_be_guessed_is_found_and_not_told() {
    let users = TestDatabase::postgres().await;
    let weak = users.url().expose().replace("postgres@", "postgres:hunter2@");
    let place = Place::new().with("PLATFORM__USERS__DATABASE_URL", &weak);
    fault(&place, &[], "weak-secrets", "users.database_url");
    let strong = users.url().expose().replace("postgres@", "postgres:xV7-q0Lk9mZ2wTf4@");
    let place = Place::new().with("PLATFORM__USERS__DATABASE_URL", &strong);
    let (_, rows) = super::examined(&place, &[]);
    assert!(rows.iter().any(|row| row["check"] == "weak-secrets" && row["verdict"] == "good"), "{rows:#?}");
}

#[test]
fn files_with_secrets_that_everybody_may_read_are_found() {
    let place = Place::new();
    // The folder of a test is its owner's alone, which would be enough.
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let url = "[users]\ndatabase_url = \"sqlite:users.db\"\n";
    write(&place, url, 0o644);
    let found = only_fault(&place, &[], "secret-files", "platform.toml");
    assert!(found["mend"].as_str().unwrap().contains("chmod 600"), "{found}");
    write(&place, url, 0o600);
    assert_eq!(super::examined(&place, &[]).0, Some(0));
    write(&place, url, 0o644);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(super::examined(&place, &[]).0, Some(0));
    write(&place, url, 0o600);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let secret = place.path().join("key");
    let key =
        secrecy::ExposeSecret::expose_secret(&gateway::MasterKey::generate().unwrap().to_base64()).to_owned();
    fs::write(&secret, &key).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let place = place.with("PLATFORM__GATEWAY__MASTER_KEY_FILE", secret.to_str().unwrap());
    let found = only_fault(&place, &[], "secret-files", "gateway.master_key");
    assert!(!found.to_string().contains(&key));
}
