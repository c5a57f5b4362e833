//! The whole main path, by the commands alone.

use serde_json::json;

use crate::process::{PASSWORD, Place};

#[test]
fn from_an_empty_folder_to_a_managed_user() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;

    let ada = platform.create("Ada@Example.com", &["--admin", "--first-name", "Ada"]);
    let bob = platform.create("bob@example.com", &[]);

    let listed = place.run(&["user", "list", "-o", "json"]).done().json();
    assert_eq!(listed[0]["id"], ada);
    assert_eq!(listed[0]["roles"], json!(["admin", "user"]));
    assert_eq!(listed[1]["email"], "bob@example.com");
    assert_eq!(listed.as_array().unwrap().len(), 2);

    let shown = place.run(&["user", "show", "ada@example.com", "-o", "json"]).done().json();
    assert_eq!((&shown["id"], &shown["email"]), (&json!(ada), &json!("Ada@Example.com")));

    // A token of a user: good here, and not any more once the user is disabled.
    let issue = ["token", "issue", "--email", "bob@example.com", "--password-stdin"];
    let token = place.run_with(&issue, PASSWORD).done().stdout;
    assert_eq!(token.lines().count(), 1);
    place.run_with(&["token", "verify"], &token).done();
    let inspected = place.run_with(&["token", "inspect"], &token).done();
    assert!(inspected.stdout.contains("expires"), "{inspected:#?}");
    let me = |code| {
        place
            .command(&["user", "show", &bob.to_string()])
            .env("PLATFORM_TOKEN", token.trim())
            .output()
            .unwrap()
            .status
            .code()
            == Some(code)
    };
    assert!(me(0));
    let disabled = place.run(&["user", "disable", "bob@example.com", "-o", "json"]).done().json();
    assert_eq!(disabled["is_active"], false);
    assert!(me(4));
    place.run_with(&issue, PASSWORD).failed(4, "Inactive user");
    place.run(&["user", "enable", "bob@example.com"]).done();
    place.run_with(&issue, PASSWORD).done();

    place
        .run_with(
            &["user", "set-password", "bob@example.com", "--no-must-change", "--password-stdin"],
            "nine purple whales 43\n",
        )
        .done();
    place.run_with(&issue, PASSWORD).failed(4, "Incorrect email or password");
    place.run_with(&issue, "nine purple whales 43\n").done();

    place.run(&["role", "create", "editor"]).done();
    let updated = place.run(&[
        "user",
        "update",
        &bob.to_string(),
        "--first-name",
        "Bob",
        "--role",
        "user",
        "--role",
        "editor",
        "-o",
        "json",
    ]);
    let updated = updated.done().json();
    assert_eq!((&updated["first_name"], &updated["roles"]), (&json!("Bob"), &json!(["editor", "user"])));
    let cleared =
        place.run(&["user", "update", &bob.to_string(), "--clear", "first-name", "-o", "json"]).done().json();
    assert!(cleared["first_name"].is_null());

    place.run(&["user", "delete", "bob@example.com"]).failed(2, "--yes");
    place.run(&["user", "delete", "bob@example.com", "--yes"]).done();
    place.run(&["user", "show", &bob.to_string()]).failed(3, "does not exist");
    place.run(&["user", "show", "bob@example.com"]).failed(3, "there is no user");
    place.run(&["user", "delete", "ada@example.com", "--yes"]).ended(1);
}

#[test]
fn create_if_not_exists_never_changes_who_is_there() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("ada@example.com", &["--admin"]);
    let again = ["user", "create", "ADA@example.com", "--password-stdin", "--first-name", "Eve"];
    place.run_with(&again, "another good password 1").failed(1, "exists already");
    let kept =
        place.run_with(&[&again[..], &["--if-not-exists", "-o", "json"]].concat(), "another good password 1");
    let kept = kept.done().json();
    assert!(kept["first_name"].is_null());
    assert_eq!(kept["roles"], json!(["admin", "user"]));
    place.run_with(&["token", "issue", "--email", "ada@example.com", "--password-stdin"], PASSWORD).done();
}

#[test]
fn every_form_of_output_holds_the_same_users() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("ada@example.com", &["--first-name", "Ada, \"Countess\""]);
    platform.create("grace@example.com", &[]);
    let form = |form: &str| place.run(&["user", "list", "-o", form]).done().stdout;
    assert_eq!(form("jsonl").lines().count(), 2);
    assert!(form("yaml").starts_with("- id: 1\n"));
    let csv = form("csv");
    assert!(csv.starts_with("id,email,first_name,"), "{csv}");
    assert!(csv.contains("\"Ada, \"\"Countess\"\"\""), "{csv}");
    let table = form("table");
    assert!(table.starts_with("ID  E-MAIL"), "{table}");
    assert_eq!(table.lines().count(), 3);
    let limited = place.run(&["user", "list", "--skip", "1", "--limit", "1", "-o", "json"]).done().json();
    assert_eq!(limited[0]["email"], "grace@example.com");
    assert_eq!(limited.as_array().unwrap().len(), 1);
    assert_eq!(place.run(&["user", "list", "--limit", "0", "-o", "json"]).done().stdout, "[]\n");
}

#[test]
fn a_list_is_narrowed_ordered_and_followed_page_by_page() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    for (email, flags) in [
        ("ada@example.com", &["--admin", "--first-name", "Ada"][..]),
        ("grace@example.com", &["--first-name", "Grace"]),
        ("alan@example.org", &["--last-name", "Turing"]),
    ] {
        platform.create(email, flags);
    }
    place.run(&["user", "disable", "alan@example.org"]).done();
    let emails = |flags: &[&str]| -> Vec<String> {
        let listed = place.run(&[&["user", "list", "-o", "json"], flags].concat()).done().json();
        listed.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(emails(&["--search", "EXAMPLE.COM"]), ["ada@example.com", "grace@example.com"]);
    assert_eq!(emails(&["--search", "turing"]), ["alan@example.org"]);
    assert_eq!(emails(&["--role", "admin"]), ["ada@example.com"]);
    assert_eq!(emails(&["--inactive"]), ["alan@example.org"]);
    assert_eq!(emails(&["--active", "--sort", "-email"]), ["grace@example.com", "ada@example.com"]);
    assert_eq!(emails(&["--email", "Grace@Example.com"]), ["grace@example.com"]);
    assert_eq!(emails(&["--sort=-id", "-n", "1", "--skip", "1"]), ["grace@example.com"]);
    assert!(emails(&["--created-after", "2100-01-01T00:00:00Z"]).is_empty());
    place.run(&["user", "list", "--sort", "password"]).failed(1, "sort");
    place.run(&["user", "list", "--active", "--inactive"]).ended(2);
    let by_variable =
        place.command(&["user", "list", "-o", "jsonl"]).env("PLATFORM_USER_ROLE", "admin").output();
    assert_eq!(String::from_utf8(by_variable.unwrap().stdout).unwrap().lines().count(), 1);
}

#[test]
fn a_token_of_another_platform_is_not_good_here() {
    let one = Place::new().serve(&[]);
    let other = Place::new().serve(&[]);
    let token = one.place.run(&["token", "issue", "--operator"]).done().stdout;
    other.place.run_with(&["token", "verify"], &token).failed(1, "the token is not good");
    // The operator's token goes to the own platform only.
    let url = format!("http://{}", other.gateway());
    one.place.run(&["--url", &url, "user", "list"]).failed(4, "not signed in");
}

#[test]
fn a_user_without_roles_manages_the_own_account_and_no_other() {
    let platform = Place::new().serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    platform.create("bob@example.com", &[]);
    let issue = ["token", "issue", "--email", "bob@example.com", "--password-stdin"];
    let token = platform.place.run_with(&issue, PASSWORD).done().stdout;
    let as_bob = |arguments: &[&str], input: &str| platform.place.run_as(token.trim(), arguments, input);
    as_bob(&["user", "show", "ada@example.com"], "").ended(4);
    as_bob(&["user", "list"], "").ended(4);
    as_bob(&["user", "update", "BOB@example.com", "--first-name", "Bob"], "").done();
    as_bob(&["user", "update", "bob@example.com", "--role", "admin"], "").ended(4);
    let set = ["user", "set-password", "bob@example.com", "--password-stdin"];
    as_bob(&set, "nine purple whales 43").failed(4, "--current-password-file");
    std::fs::write(platform.place.path().join("current"), PASSWORD).unwrap();
    as_bob(&[&set[..], &["--current-password-file", "current"]].concat(), "nine purple whales 43").done();
    as_bob(&["user", "show", "bob@example.com"], "").ended(4);
}
