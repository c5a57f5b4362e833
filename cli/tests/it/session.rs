//! `platform session`, `platform user unlock` and `platform audit list --follow`, against a running platform.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::{PASSWORD, Place, Platform, wait_for};

fn sign_in(platform: &Platform, email: &str) -> String {
    let issue = ["token", "issue", "--email", email, "--password-stdin"];
    platform.place.run_with(&issue, PASSWORD).done().stdout.trim().to_owned()
}

#[test]
fn sessions_are_listed_and_ended_by_their_user_and_by_the_operator() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("bob@example.com", &[]);
    let (one, two) = (sign_in(&platform, "bob@example.com"), sign_in(&platform, "bob@example.com"));
    let alive = |token: &str| place.run_as(token, &["user", "show", "bob@example.com"], "").code == Some(0);
    let own = place.run_as(&one, &["session", "list", "-o", "json"], "").done().json();
    let own = own.as_array().unwrap();
    assert_eq!(own.len(), 2);
    let other = own.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap();
    place.run_as(&one, &["session", "revoke", other], "").done();
    assert!(alive(&one) && !alive(&two));

    place.run(&["session", "list"]).failed(4, "--user");
    let of_bob = ["session", "list", "--user", "bob@example.com", "-o", "json"];
    let listed = place.run(&of_bob).done().json();
    let id = listed[0]["id"].as_str().unwrap();
    place.run(&["session", "revoke", id, "--user", "bob@example.com"]).done();
    assert!(!alive(&one));
    place.run(&["session", "revoke", id, "--user", "bob@example.com"]).failed(3, "no such session");
    let three = sign_in(&platform, "bob@example.com");
    place.run(&["session", "revoke", "--user", "bob@example.com"]).failed(2, "--yes");
    assert!(alive(&three));
    place.run(&["session", "revoke", "--user", "bob@example.com", "--yes"]).done();
    assert!(!alive(&three));
    assert_eq!(place.run(&of_bob).done().stdout, "[]\n");
    place.run(&["session", "revoke"]).ended(2);
}

#[test]
fn a_user_who_is_held_back_is_unlocked() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("bob@example.com", &[]);
    let issue = ["token", "issue", "--email", "bob@example.com", "--password-stdin"];
    for _ in 0..5 {
        place.run_with(&issue, "wrong").ended(4);
    }
    place.run_with(&issue, PASSWORD).failed(1, "Too many");
    place.run(&["user", "unlock", "bob@example.com"]).done();
    place.run_with(&issue, PASSWORD).done();
    place.run(&["user", "unlock", "999"]).ended(3);
}

#[test]
fn the_log_is_followed_until_ctrl_c_or_until_its_reader_goes_away() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("first@example.com", &[]);
    let follow = ["audit", "list", "--follow", "-o", "jsonl"];
    let begin = || {
        let mut child = place.command(&follow).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        (child, lines, first)
    };
    let (mut child, mut lines, first) = begin();
    assert_eq!(first["action"], "create_user");
    let second = platform.create("second@example.com", &[]);
    let told: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(
        (&told["action"], &told["target"]),
        (&"create_user".into(), &format!("users/{second}").into())
    );
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(wait_for("the end by Ctrl-C", || child.try_wait().unwrap()).code(), Some(130));

    let (mut child, lines, _) = begin();
    drop(lines);
    platform.create("third@example.com", &[]);
    assert_eq!(wait_for("the end of its reader", || child.try_wait().unwrap()).code(), Some(0));
    place.run(&["audit", "list", "--follow", "-o", "json"]).failed(2, "jsonl");
}
