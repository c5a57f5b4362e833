//! The master key: made at random where there is none, and never taken where it is weak.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;

use crate::process::{Place, wait_for};

/// 32 random bytes as text.
fn good() -> String {
    gateway::MasterKey::generate().unwrap().to_base64().expose_secret().to_owned()
}

#[test]
fn a_weak_key_starts_nothing_and_is_told_with_its_setting_and_the_way_to_a_good_one() {
    let keys = [
        "",
        "changeme",
        "secret",
        "c2VjcmV0",
        // 16 random bytes, and as hexadecimal digits.
        "n0NOpbtA6wJ4Vq0D4bGZ3A==",
        "9f434ea5bb40eb027856ad03e1b199dc9f434ea5bb40eb027856ad03e1b199dc",
        // 32 bytes that are no random ones: zeros, and letters that somebody typed.
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "VGhpcyBpcyBhIGtleSBvZiAzMiBieXRlcyBsZW5ndGg=",
    ];
    for key in keys {
        let place = Place::new().with("PLATFORM__GATEWAY__MASTER_KEY", key);
        let begun = Instant::now();
        let ended = place.run(&["serve", "--set", "log.level=error"]).ended(1);
        assert!(begun.elapsed() < Duration::from_secs(5), "{key:?}");
        assert!(ended.stderr.contains("gateway.master_key"), "{key:?} {ended:#?}");
        assert!(key.is_empty() || !ended.stderr.contains(key), "the key is repeated: {ended:#?}");
        assert!(!place.data().join("platform.run").exists() && !place.data().join("gateway.db").exists());
    }
    let typed = Place::new().with("PLATFORM__GATEWAY__MASTER_KEY", keys[7]);
    typed.run(&["serve", "--set", "log.level=error"]).failed(1, "head -c 32 /dev/urandom | base64");
}

#[test]
fn a_key_of_32_random_bytes_serves_from_a_variable_or_a_file() {
    Place::new().with("PLATFORM__GATEWAY__MASTER_KEY", &good()).serve(&[]).create("ada@example.com", &[]);
    let place = Place::new();
    let file = place.path().join("key");
    fs::write(&file, good() + "\n").unwrap();
    let path = file.to_str().unwrap().to_owned();
    place.with("PLATFORM__GATEWAY__MASTER_KEY_FILE", &path).serve(&[]).create("ada@example.com", &[]);
}

#[test]
fn a_key_file_that_others_may_read_is_warned_of() {
    let mut platform = Place::new().serve(&[]);
    platform.signal("TERM");
    platform.end();
    assert!(!platform.log().contains("chmod 600"));
    let file = platform.place.data().join("master.key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let mut child = platform.place.command(&["serve"]).spawn().unwrap();
    let run = platform.place.data().join("platform.run");
    wait_for("serve", || fs::read_to_string(&run).ok().filter(|run| run.contains(&child.id().to_string())));
    child.kill().unwrap();
    let told = child.wait_with_output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("chmod 600") && told.contains("master.key"), "{told}");
}

#[test]
fn two_installations_never_share_a_key() {
    let key = || {
        let platform = Place::new().serve(&[]);
        fs::read_to_string(platform.place.data().join("master.key")).unwrap()
    };
    assert_ne!(key(), key());
}
