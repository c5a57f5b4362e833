//! `platform config`, and that every command refuses a wrong configuration.

use std::fs;

use crate::process::Place;

#[test]
fn everything_wrong_is_told_before_anything_is_opened() {
    let place = Place::new().with("PLATFORM__GATEWAY__IDLE_TIMEOUT", "75");
    fs::write(
        place.path().join("platform.toml"),
        "[gateway]\nlisen = \"x\"\n[users]\nregistration = \"maybe\"\n",
    )
    .unwrap();
    for arguments in [&["config", "check"][..], &["serve"], &["user", "list"]] {
        let ended = place.run(arguments).ended(1);
        for words in [
            "3 faults",
            "platform.toml:2: gateway.lisen",
            "did you mean gateway.listen?",
            "platform.toml:4",
            "open or closed",
            "PLATFORM__GATEWAY__IDLE_TIMEOUT",
        ] {
            assert!(ended.stderr.contains(words), "{words}: {ended:#?}");
        }
    }
    assert!(!place.data().exists());
}

#[test]
fn init_writes_a_file_that_is_right_and_never_over_another() {
    let place = Place::new();
    place.run(&["config", "init"]).done();
    place.run(&["config", "check"]).done();
    place.run(&["config", "init"]).failed(1, "--force");
    place.run(&["config", "init", "--force"]).done();
    assert_eq!(
        place.run(&["config", "init", "-"]).done().stdout,
        fs::read_to_string(place.path().join("platform.toml")).unwrap()
    );
    assert!(place.run(&["config", "schema"]).done().json()["properties"]["gateway"].is_object());
}

#[test]
fn show_tells_value_and_origin_of_each_setting() {
    let place = Place::new().with("PLATFORM__USERS__HASH_QUEUE", "7");
    fs::write(place.path().join("platform.toml"), "[users]\nhash_queue = 6\nregistration = \"closed\"\n")
        .unwrap();
    let shown = place.run(&["config", "show", "-o", "json", "--set", "ops.listen=127.0.0.1:5"]).done().json();
    let of = |key: &str| {
        let row = shown.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
        (row["value"].as_str().unwrap().to_owned(), row["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("users.hash_queue"), ("7".into(), "PLATFORM__USERS__HASH_QUEUE".into()));
    assert_eq!(of("users.registration"), ("closed".into(), "platform.toml:3".into()));
    assert_eq!(of("ops.listen"), ("127.0.0.1:5".into(), "--set ops.listen".into()));
    assert_eq!(of("gateway.access_token_ttl"), ("15m".into(), "default".into()));
}

#[test]
fn a_typo_in_a_variable_is_a_warning_and_an_error_when_strict() {
    let place =
        Place::new().with("PLATFORM__GATEWAY__LISEN", "x").with("PLATFORM_PORT", "tcp://10.1.2.3:8080");
    let warned = place.run(&["config", "check"]).done();
    assert!(warned.stderr.contains("did you mean PLATFORM__GATEWAY__LISTEN?"), "{warned:#?}");
    assert!(!warned.stderr.contains("PLATFORM_PORT"), "{warned:#?}");
    place.run(&["config", "check", "--strict"]).failed(1, "PLATFORM__GATEWAY__LISEN");
}
