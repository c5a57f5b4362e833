//! `platform audit` against a running platform.

use crate::process::{PASSWORD, Place};

#[test]
fn what_was_done_by_the_commands_is_in_the_log_and_the_log_is_intact() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let bob = platform.create("bob@example.com", &[]);
    place.run_with(&["token", "issue", "--email", "bob@example.com", "--password-stdin"], PASSWORD).done();
    place.run(&["user", "disable", "bob@example.com"]).done();

    let listed = place.run(&["audit", "list", "-o", "json"]).done().json();
    let told: Vec<(&str, &str)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["actor"].as_str().unwrap(), entry["action"].as_str().unwrap()))
        .collect();
    let bob = bob.to_string();
    assert_eq!(
        told,
        [("operator", "patch_user"), (bob.as_str(), "create_access_token"), ("operator", "create_user")]
    );
    let filtered = ["audit", "list", "--actor", "operator", "--limit", "1", "-o", "jsonl"];
    assert_eq!(place.run(&filtered).done().stdout.lines().count(), 1);
    let exported = place.run(&["audit", "export"]).done().stdout;
    assert_eq!(exported.lines().count(), 3);
    assert!(exported.lines().all(|line| line.starts_with("{\"id\":")), "{exported}");
    let verified = place.run(&["audit", "verify"]).done();
    assert!(verified.stderr.contains("3 entries"), "{verified:#?}");
    assert!(verified.stdout.is_empty());
}
