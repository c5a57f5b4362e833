//! `platform key` against a running platform.

use serde_json::Value;

use crate::process::{PASSWORD, Place, wait_for};

fn keys(place: &Place, state: &str) -> Vec<Value> {
    let listed = place.run(&["key", "list", "--purpose", "access", "-o", "json"]).done().json();
    listed.as_array().unwrap().iter().filter(|key| key["state"] == state).cloned().collect()
}

#[test]
fn a_key_is_followed_by_one_of_another_algorithm_and_tokens_of_both_verify() {
    let platform = Place::new().with("PLATFORM__GATEWAY__KEY_PUBLISH_TIME", "1s").serve(&[]);
    let place = &platform.place;
    platform.create("bob@example.com", &[]);
    let issue = ["token", "issue", "--email", "bob@example.com", "--password-stdin"];
    let old = place.run_with(&issue, PASSWORD).done().stdout;
    let before = keys(place, "active")[0]["kid"].clone();

    let rotated = place.run(&["key", "rotate", "--algorithm", "es256", "-o", "json"]).done();
    assert!(rotated.stderr.contains("signs from"), "{rotated:#?}");
    let next = rotated.json();
    assert_eq!((&next["state"], &next["algorithm"]), (&"next".into(), &"ES256".into()));
    wait_for("the next key signs", || (keys(place, "active")[0]["kid"] == next["kid"]).then_some(()));
    assert_eq!(keys(place, "retired")[0]["kid"], before);
    let new = place.run_with(&issue, PASSWORD).done().stdout;
    for (token, algorithm) in [(&old, "EdDSA"), (&new, "ES256")] {
        place.run_with(&["token", "verify"], token).done();
        let inspected = place.run_with(&["token", "inspect", "-o", "csv"], token).done();
        assert!(inspected.stdout.contains(algorithm), "{inspected:#?}");
    }

    // The key before is compromised: its tokens stop, the others go on.
    let before = before.as_str().unwrap();
    place.run(&["key", "retire", before]).failed(2, "--yes");
    let retired = place.run(&["key", "retire", before, "--yes", "-o", "json"]).done().json();
    assert_eq!((&retired["kid"], &retired["state"]), (&before.into(), &"retired".into()));
    place.run_with(&["token", "verify"], &old).failed(1, "not good");
    place.run_with(&["token", "verify"], &new).done();
    place.run_as(old.trim(), &["user", "show", "bob@example.com"], "").ended(4);
    place.run(&["key", "retire", "nobody", "--yes"]).failed(3, "no such key");
    place.run(&["key", "rotate", "--algorithm", "HS256"]).failed(2, "HS256");

    let audited = place.run(&["audit", "list", "--action", "rotate_key", "-o", "json"]).done().json();
    assert_eq!(audited[0]["target"], format!("keys/{}", next["kid"].as_str().unwrap()));
}
