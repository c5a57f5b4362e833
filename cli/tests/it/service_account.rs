//! `platform service-account` and the tokens of service accounts, against a running platform.

use serde_json::json;

use crate::process::Place;

#[test]
fn an_account_is_made_used_rotated_and_ended_by_the_commands_alone() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("bob@example.com", &[]);

    let create = [
        "service-account",
        "create",
        "orders",
        "--role",
        "admin",
        "--scope",
        "users:read,audit:read",
        "--audience",
        "users",
    ];
    let made = place.run(&create).done();
    let first = made.stdout.trim();
    assert!(first.starts_with("psk_") && made.stdout.lines().count() == 1, "{made:#?}");
    place.run(&create).failed(1, "exists already");

    let issue = ["token", "issue", "--service-account", "orders", "--secret-stdin"];
    let token = place.run_with(&issue, first).done().stdout;
    assert_eq!(
        place.run_as(token.trim(), &["user", "list", "-o", "jsonl"], "").done().stdout.lines().count(),
        1
    );
    place
        .run_as(
            token.trim(),
            &["user", "create", "x@example.com", "--password-stdin"],
            "seven green bicycles 42",
        )
        .failed(4, "users:write");
    place.run_with(&["token", "verify"], &token).done();
    std::fs::write(place.path().join("secret"), first).unwrap();
    let narrowed = [
        "token",
        "issue",
        "--service-account",
        "orders",
        "--secret-file",
        "secret",
        "--scope",
        "audit:read",
        "-o",
        "json",
    ];
    assert_eq!(place.run(&narrowed).done().json()["scope"], "audit:read");
    place.run(&[&narrowed[..6], &["--audience", "billing"]].concat()).failed(1, "audience");
    let internal = place.run(&[&narrowed[..6], &["--audience", "users"]].concat()).done().stdout;
    place.run_with(&["token", "inspect"], &internal).done();
    place.run_with(&issue, "psk_wrong").failed(4, "its secret is wrong");
    place.run(&issue[..4]).failed(2, "--secret-stdin");

    let rotated = place
        .run(&["service-account", "rotate", "orders", "--expires-in", "90d", "-o", "json"])
        .done()
        .json();
    let second = rotated["secret"].as_str().unwrap();
    assert!(rotated["expires_at"].is_string());
    let shown = place.run(&["service-account", "show", "orders", "-o", "json"]).done();
    assert!(!shown.stdout.contains("psk_"));
    let old = shown.json()["secrets"][0]["id"].to_string();
    place.run(&["service-account", "revoke-secret", "orders", &old]).failed(2, "--yes");
    place.run(&["service-account", "revoke-secret", "orders", &old, "--yes"]).done();
    place.run_as(token.trim(), &["user", "list"], "").ended(4);
    place.run_with(&issue, first).ended(4);
    let token = place.run_with(&issue, second).done().stdout;

    place.run(&["service-account", "disable", "orders"]).done();
    place.run_as(token.trim(), &["user", "list"], "").ended(4);
    place.run_with(&issue, second).ended(4);
    place.run(&["service-account", "enable", "orders"]).done();
    place.run_with(&issue, second).done();
    let updated = place
        .run(&["service-account", "update", "orders", "--scope", "users:read", "-o", "json"])
        .done()
        .json();
    assert_eq!((&updated["scopes"], &updated["roles"]), (&json!(["users:read"]), &json!(["admin"])));
    place.run(&["service-account", "update", "orders"]).failed(2, "nothing to change");
    let listed = place.run(&["service-account", "list"]).done().stdout;
    assert!(listed.starts_with("NAME") && listed.contains("orders"), "{listed}");
    place.run(&["service-account", "delete", "orders", "--yes"]).done();
    place.run(&["service-account", "show", "orders"]).failed(3, "orders");
    place.run_with(&issue, second).ended(4);
}

#[test]
fn no_secret_is_taken_from_an_argument_and_no_wrong_name_is_sent() {
    let place = Place::new();
    place.run(&["token", "issue", "--service-account", "orders", "--secret", "psk_x"]).ended(2);
    place.run(&["service-account", "create", "Orders"]).failed(2, "not a service's name");
    place.run(&["token", "issue", "--scope", "users:read"]).ended(2);
    place.run(&["token", "issue", "--service-account", "orders", "--operator"]).ended(2);
    place.run(&["service-account", "rotate", "orders", "--expires-in", "90"]).failed(2, "90d");
}

#[test]
fn a_token_is_revoked_by_whoever_may() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("bob@example.com", &[]);
    let issue = ["token", "issue", "--email", "bob@example.com", "--password-stdin"];
    let token = place.run_with(&issue, crate::process::PASSWORD).done().stdout;
    place.run_as(token.trim(), &["user", "show", "bob@example.com"], "").done();
    place.run_with(&["token", "revoke"], &token).done();
    place.run_as(token.trim(), &["user", "show", "bob@example.com"], "").ended(4);
    place.run_with(&["token", "revoke"], "garbage").done();

    let create = ["service-account", "create", "orders", "--role", "admin", "--scope", "users:read"];
    let secret = place.run(&create).done().stdout;
    std::fs::write(place.path().join("secret"), &secret).unwrap();
    let by = ["--service-account", "orders", "--secret-file", "secret"];
    let token = place.run(&[&["token", "issue"][..], &by].concat()).done().stdout;
    place.run_with(&["token", "revoke"], &token).failed(4, "Only the account");
    place.run_as(token.trim(), &["user", "list"], "").done();
    place.run_with(&[&["token", "revoke"][..], &by].concat(), &token).done();
    place.run_as(token.trim(), &["user", "list"], "").ended(4);
    let both = ["token", "revoke", "--service-account", "orders", "--secret-stdin"];
    place.run_with(&both, &secret).failed(2, "standard input");
}
