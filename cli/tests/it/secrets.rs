//! No secret is ever in an argument, a help text, a log or an output that did not ask for it.

use std::fs;

use crate::process::{PASSWORD, Place};

const SENTINEL: &str = "S3NT";

#[test]
fn no_help_error_or_listing_shows_a_secret_of_the_environment() {
    let place = Place::new()
        .with("PLATFORM_TOKEN", SENTINEL)
        .with("PLATFORM_USER_PASSWORD", SENTINEL)
        .with("PLATFORM_URL", "http://u:S3NT@h/")
        .with("PLATFORM__USERS__DATABASE_URL", "postgres://u:S3NT@127.0.0.1:1/d?password=S3NT")
        .with("PLATFORM__GATEWAY__DATABASE_URL", "postgres://u:S3NT@127.0.0.1:1/e")
        .with("RUST_BACKTRACE", "1");
    let commands: &[&[&str]] = &[
        &["--help"],
        &["-h"],
        &["serve", "--help"],
        &["user", "create", "--help"],
        &["user", "list", "--help"],
        &["token", "issue", "-h"],
        &["token", "verify", "--help"],
        &["migrate", "up", "--help"],
        &["config", "show"],
        &["config", "show", "-o", "json"],
        &["config", "check"],
        &["completions", "bash"],
        &["user", "list"],
        &["user", "list", "--verbose"],
        &["token", "inspect"],
        &["no-such-command"],
    ];
    for arguments in commands {
        let ended = place.run(arguments);
        assert!(!ended.stdout.contains(SENTINEL) && !ended.stderr.contains(SENTINEL), "{ended:#?}");
    }
    let help = place.run(&["user", "create", "--help"]).done();
    assert!(help.stdout.contains("PLATFORM_USER_PASSWORD_FILE"), "names are shown");
}

#[test]
fn a_password_comes_by_standard_input_file_or_variable_with_one_line_break_less() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let file = place.path().join("password");
    fs::write(&file, format!("{PASSWORD} \r\n")).unwrap();
    let path = file.to_str().unwrap();
    place.run_with(&["user", "create", "a@b.example", "--password-stdin"], &format!("{PASSWORD} \n")).done();
    place.run(&["user", "create", "c@d.example", "--password-file", path]).done();
    for email in ["a@b.example", "c@d.example"] {
        // The space at the end is part of it, the line break is not.
        let issue = ["token", "issue", "-e", email, "--password-stdin"];
        place.run_with(&issue, &format!("{PASSWORD} ")).done();
        place.run_with(&issue, PASSWORD).ended(4);
        place.run(&["token", "issue", "-e", email, "--password-file", path]).done();
    }
    let by_variable = place
        .command(&["user", "create", "e@f.example"])
        .env("PLATFORM_USER_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert_eq!(by_variable.status.code(), Some(0));
    for (content, reason) in [("", "is empty"), ("S3NT\nS3NT\n", "more than one line")] {
        fs::write(&file, content).unwrap();
        let refused =
            place.run(&["user", "create", "x@y.example", "--password-file", path]).failed(1, reason);
        assert!(refused.stderr.contains(path) && !refused.stderr.contains(SENTINEL), "{refused:#?}");
    }
}

#[test]
fn the_log_of_a_whole_life_holds_no_secret() {
    let mut platform = Place::new().with("PLATFORM__LOG__LEVEL", "trace,sqlx=trace").serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    let issue = ["token", "issue", "-e", "ada@example.com", "--password-stdin", "-o", "json"];
    let tokens = platform.place.run_with(&issue, PASSWORD).done().json();
    let token = tokens["access_token"].as_str().unwrap();
    let used = platform.place.command(&["user", "list"]).env("PLATFORM_TOKEN", token).output().unwrap();
    assert!(used.status.success());
    let key = fs::read_to_string(platform.place.data().join("master.key")).unwrap();
    platform.signal("TERM");
    platform.end();
    let log = platform.log();
    assert!(log.len() > 1000);
    let signature = token.rsplit('.').next().unwrap();
    for secret in [PASSWORD, signature, tokens["refresh_token"].as_str().unwrap(), key.trim(), "$argon2id$"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
