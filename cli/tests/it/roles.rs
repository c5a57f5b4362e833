//! `platform role` against a running platform.

use serde_json::{Value, json};

use crate::process::{PASSWORD, Place};

#[test]
fn a_role_is_created_given_taken_and_deleted() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let bob = platform.create("bob@example.com", &[]);

    place.run(&["role", "grant", "bob@example.com", "editor"]).failed(1, "there is no such role: editor");
    place.run(&["role", "create", "Not A Role"]).ended(2);
    let created = ["role", "create", "editor", "--description", "Writes", "-o", "json"];
    let role = place.run(&created).done().json();
    assert_eq!(
        (&role["name"], &role["description"], &role["built_in"]),
        (&json!("editor"), &json!("Writes"), &json!(false))
    );
    place.run(&created).failed(1, "exists already");
    let kept = ["role", "create", "editor", "--if-not-exists", "-o", "json"];
    assert_eq!(place.run(&kept).done().json()["description"], "Writes");
    let listed = place.run(&["role", "list", "-o", "json"]).done().json();
    let names: Vec<&Value> = listed.as_array().unwrap().iter().map(|role| &role["name"]).collect();
    assert_eq!(names, ["admin", "editor", "user"]);

    let granted = place.run(&["role", "grant", "bob@example.com", "editor", "-o", "json"]).done().json();
    assert_eq!(granted["roles"], json!(["editor", "user"]));
    let again = place.run(&["role", "grant", &bob.to_string(), "editor"]).done();
    assert!(again.stderr.contains("already"), "{again:#?}");
    place.run(&["role", "delete", "editor", "--yes"]).failed(1, "take it from them first");
    place.run(&["role", "delete", "editor"]).failed(2, "--yes");

    // The token of who loses a role has ended.
    let issue = ["token", "issue", "--email", "bob@example.com", "--password-stdin"];
    let token = place.run_with(&issue, PASSWORD).done().stdout;
    let shown = |code| place.run_as(token.trim(), &["user", "show", "bob@example.com"], "").ended(code);
    shown(0);
    let revoked = place.run(&["role", "revoke", "bob@example.com", "editor", "-o", "json"]).done().json();
    assert_eq!(revoked["roles"], json!(["user"]));
    shown(4);
    place.run(&["role", "revoke", "bob@example.com", "user"]).failed(2, "every user has");
    place.run(&["role", "delete", "editor", "--yes"]).done();
    place.run(&["role", "delete", "editor", "--yes"]).failed(3, "no such role");
    place.run(&["role", "delete", "admin", "--yes"]).failed(1, "built in");

    let token = place.run_with(&issue, PASSWORD).done().stdout;
    place.run_as(token.trim(), &["role", "list"], "").ended(4);
}
