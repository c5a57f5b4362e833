//! Sessions that are kept: `login`, `logout`, `whoami`, and platforms by name.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::process::{PASSWORD, Place, Platform, wait_for};

/// A place whose person has a home.
fn home() -> Place {
    let place = Place::new();
    let home = place.path().join("home").to_str().unwrap().to_owned();
    place.with("HOME", &home)
}

fn folder(place: &Place) -> PathBuf {
    place.path().join("home/.config/platform")
}

fn tokens(place: &Place, name: &str) -> Value {
    let path = folder(place).join("sessions").join(format!("{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn login(place: &Place, arguments: &[&str]) -> crate::process::Ended {
    place.run_with(&[&["login", "--password-stdin"], arguments].concat(), PASSWORD)
}

fn signed_in() -> Platform {
    let platform = home().serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    login(&platform.place, &["--email", "ada@example.com"]).done();
    platform
}

fn whoami(place: &Place, arguments: &[&str]) -> Value {
    place.run(&[&["whoami", "-o", "json"], arguments].concat()).done().json()
}

#[test]
fn a_session_is_used_by_later_commands_until_it_is_ended() {
    let platform = signed_in();
    let place = &platform.place;
    let who = whoami(place, &[]);
    assert_eq!(
        (&who["by"], &who["email"], &who["context"]),
        (&json!("session"), &json!("ada@example.com"), &json!("local"))
    );
    assert_eq!(who["roles"], json!(["admin", "user"]));
    // Only a session has sessions: this is not the operator.
    assert_eq!(place.run(&["session", "list", "-o", "json"]).done().json()[0]["current"], true);

    let kept = tokens(place, "local");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder(place)), 0o700);
    assert_eq!(mode(folder(place).join("contexts.toml")), 0o600);
    assert_eq!(mode(folder(place).join("sessions/local.json")), 0o600);
    let contexts = fs::read_to_string(folder(place).join("contexts.toml")).unwrap();
    assert!(!contexts.contains(kept["refresh_token"].as_str().unwrap()), "{contexts}");

    let out = place.run(&["logout"]).done();
    assert!(out.stderr.contains("Signed out"), "{out:#?}");
    assert!(!folder(place).join("sessions/local.json").exists());
    let token = kept["access_token"].as_str().unwrap();
    place.run_as(token, &["user", "list"], "").failed(4, "has been revoked");
    assert_eq!(whoami(place, &[])["by"], "operator");
    place.run(&["logout"]).done();
}

#[test]
fn what_a_sign_in_refuses_leaves_nothing_behind() {
    let platform = home().serve(&[]);
    platform.create("ada@example.com", &[]);
    let wrong = ["login", "-e", "ada@example.com", "--password-stdin"];
    platform.place.run_with(&wrong, "wrong").failed(4, "Incorrect email or password");
    assert!(!folder(&platform.place).exists());
    platform.place.run_with(&["login", "--password-stdin"], PASSWORD).failed(2, "--email");
    let homeless = Place::new();
    let url = format!("http://{}", platform.gateway());
    let refused = homeless.run_with(&[&wrong[..], &["--url", &url]].concat(), PASSWORD);
    refused.failed(1, "HOME");
}

#[test]
fn tokens_are_renewed_without_a_word_also_by_many_commands_at_once() {
    // Every command finds a token that is about to expire.
    let platform = home().with("PLATFORM__GATEWAY__ACCESS_TOKEN_TTL", "30s").serve(&[]);
    let place = &platform.place;
    platform.create("ada@example.com", &["--admin"]);
    login(place, &["-e", "ada@example.com"]).done();
    let before = tokens(place, "local");
    let listed = place.run(&["user", "list", "-o", "json"]).done();
    assert_eq!(listed.stderr, "");
    let after = tokens(place, "local");
    assert!(
        before["access_token"] != after["access_token"] && before["refresh_token"] != after["refresh_token"]
    );

    let mut children: Vec<_> = (0..8).map(|_| place.command(&["whoami"]).spawn().unwrap()).collect();
    for child in &mut children {
        assert!(wait_for("a command's end", || child.try_wait().unwrap()).success());
    }
    let sessions = place.run(&["session", "list", "-o", "json"]).done().json();
    assert_eq!(sessions.as_array().unwrap().len(), 1, "one session, and no theft was seen: {sessions}");
}

#[test]
fn a_token_that_the_platform_takes_no_more_is_exchanged_and_the_command_goes_on() {
    let platform = signed_in();
    let place = &platform.place;
    let operator = place.run(&["token", "issue", "--operator"]).done().stdout;
    let keys = place.run_as(operator.trim(), &["key", "list", "-o", "json"], "").done().json();
    let before = tokens(place, "local");
    let is_active = |key: &&Value| key["purpose"] == "access" && key["state"] == "active";
    let key = keys.as_array().unwrap().iter().find(is_active).unwrap_or_else(|| panic!("{keys}"));
    place.run_as(operator.trim(), &["key", "retire", key["kid"].as_str().unwrap(), "--yes"], "").done();
    wait_for("the key's end", || {
        let old = place.run_as(before["access_token"].as_str().unwrap(), &["user", "list"], "");
        (old.code == Some(4)).then_some(())
    });
    assert_eq!(place.run(&["user", "list"]).done().stderr, "");
    assert!(tokens(place, "local")["access_token"] != before["access_token"]);
}

#[test]
fn a_session_that_has_ended_is_told_and_nobody_becomes_the_operator() {
    let platform = signed_in();
    let place = &platform.place;
    let operator = place.run(&["token", "issue", "--operator"]).done().stdout;
    let revoke = ["session", "revoke", "--user", "ada@example.com", "--yes"];
    place.run_as(operator.trim(), &revoke, "").done();
    let refused = place.run(&["user", "list"]).failed(4, "ada@example.com");
    assert!(refused.stderr.contains("platform login --context local"), "{refused:#?}");
    // Who was signed in is known; the password is all that is needed.
    login(place, &[]).done();
    place.run(&["user", "list"]).done();
}

#[test]
fn several_platforms_are_told_apart_by_name_and_no_token_goes_to_another() {
    let (one, two) = (Place::new(), Place::new().with("PLATFORM__GATEWAY__AUDIENCE", "elsewhere"));
    let (one, two) = (one.serve(&[]), two.serve(&[]));
    one.create("ada@example.com", &["--admin"]);
    two.create("bob@example.com", &[]);
    let (first, second) = (format!("http://{}", one.gateway()), format!("http://{}", two.gateway()));
    let place = home();
    login(&place, &["--url", &first, "--context", "one", "-e", "ada@example.com"]).done();
    login(&place, &["--url", &second, "-e", "bob@example.com"]).done();

    let listed = place.run(&["context", "list", "-o", "json"]).done().json();
    let name_of_second = second.trim_start_matches("http://").replace(':', "-");
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["local", name_of_second.as_str(), "one"]);
    assert_eq!(listed[1]["current"], true);

    let bob = whoami(&place, &[]);
    assert_eq!((&bob["email"], &bob["audience"]), (&json!("bob@example.com"), &json!("elsewhere")));
    assert_eq!(whoami(&place, &["--context", "one"])["email"], "ada@example.com");
    assert_eq!(whoami(&place, &["--url", &first])["email"], "ada@example.com");
    place.run(&["context", "use", "one"]).done();
    assert_eq!(whoami(&place, &[])["email"], "ada@example.com");
    let by_variable = |name: &str, value: &str, arguments: &[&str]| {
        let output = place.command(arguments).env(name, value).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["email"].clone()
    };
    assert_eq!(
        by_variable("PLATFORM_CONTEXT", &name_of_second, &["whoami", "-o", "json"]),
        "bob@example.com"
    );
    let flag_first = ["whoami", "-o", "json", "--context", "one"];
    assert_eq!(
        by_variable("PLATFORM_URL", &second, &flag_first),
        "ada@example.com",
        "a flag wins over a variable"
    );

    // The other platform does not get this token, whatever is asked for.
    place.run(&["whoami", "--context", "one", "--url", &second]).failed(2, "two platforms");
    let third = Place::new().serve(&[]);
    let elsewhere = format!("http://{}", third.gateway());
    place.run(&["user", "list", "--url", &elsewhere]).failed(4, "not signed in");

    place.run(&["whoami", "--context", "nowhere"]).failed(3, "no context nowhere");
    place.run(&["context", "use", "nowhere"]).failed(3, "platform context list");
    place.run(&["whoami", "--context", "../one"]).ended(2);
    place.run(&["context", "remove", "one"]).done();
    assert!(!folder(&place).join("sessions/one.json").exists());
    place.run(&["user", "list"]).failed(5, "no platform runs here");
    place.run(&["logout", "--all"]).done();
    place.run(&["whoami", "--context", &name_of_second]).failed(4, "not signed in");
}

#[test]
fn a_platform_that_is_gone_is_signed_out_of_here() {
    let platform = Place::new().serve(&[]);
    platform.create("ada@example.com", &[]);
    let place = home();
    let url = format!("http://{}", platform.gateway());
    login(&place, &["--url", &url, "--context", "gone", "-e", "ada@example.com"]).done();
    drop(platform);
    place.run(&["whoami"]).failed(5, "can't be reached");
    let out = place.run(&["logout"]).done();
    assert!(out.stderr.contains("goes on there until it expires"), "{out:#?}");
    assert!(!folder(&place).join("sessions/gone.json").exists());
}

#[test]
fn a_spoilt_file_of_contexts_is_told_by_its_name() {
    let place = home();
    fs::create_dir_all(folder(&place)).unwrap();
    fs::write(folder(&place).join("contexts.toml"), "current = \"../x\"\n").unwrap();
    let refused = place.run(&["whoami"]).failed(1, "contexts.toml can't be understood");
    assert!(refused.stderr.contains("platform login"), "{refused:#?}");
}
