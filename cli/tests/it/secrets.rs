//! No secret is ever in an argument, a help text, a log or an output that did not ask for it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::process::{PASSWORD, Place, wait_for};

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
    let mut helps = Vec::new();
    every_help(&cli::tree(), &[], &mut helps);
    assert!(helps.len() > 100, "the whole tree: {helps:?}");
    for help in &helps {
        let ended = place.run(&help.iter().map(String::as_str).collect::<Vec<_>>()).done();
        assert!(!ended.stdout.contains(SENTINEL) && !ended.stderr.contains(SENTINEL), "{ended:#?}");
    }
    let commands: &[&[&str]] = &[
        &["config", "show"],
        &["config", "show", "-o", "json"],
        &["config", "check"],
        &["completions", "bash"],
        &["man", "--markdown"],
        &["man", "user", "create"],
        &["user", "list"],
        &["user", "list", "--verbose"],
        &["token", "inspect"],
        &["no-such-command"],
        &["user", "list", "--limit", "many"],
        &["whoami"],
        &["routes"],
    ];
    for arguments in commands {
        let ended = place.run(arguments);
        assert!(!ended.stdout.contains(SENTINEL) && !ended.stderr.contains(SENTINEL), "{ended:#?}");
    }
    let help = place.run(&["user", "create", "--help"]).done();
    assert!(help.stdout.contains("PLATFORM_USER_PASSWORD_FILE"), "names are shown");
}

/// `--help` and `-h` of every command below this one.
fn every_help(command: &clap::Command, words: &[&str], found: &mut Vec<Vec<String>>) {
    for flag in ["--help", "-h"] {
        found.push(words.iter().copied().chain([flag]).map(str::to_owned).collect());
    }
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        every_help(inner, &[words, &[inner.get_name()]].concat(), found);
    }
}

#[test]
fn a_password_is_in_no_argument_that_other_users_of_the_machine_see() {
    let platform = Place::new().serve(&[]);
    let create = ["user", "create", "a@b.example", "--password-stdin"];
    let mut child = platform.place.command(&create).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let process = format!("/proc/{}", child.id());
    writeln!(stdin, "{PASSWORD}").unwrap();
    // It waits for the end of its input, and has read what came so far or will.
    let seen = wait_for("the command to run", || {
        let arguments = fs::read_to_string(format!("{process}/cmdline")).ok()?;
        arguments.contains("a@b.example").then_some(arguments)
    });
    assert!(seen.contains("--password-stdin") && !seen.contains(PASSWORD), "{seen}");
    let environment = fs::read_to_string(format!("{process}/environ")).unwrap();
    assert!(!environment.contains(PASSWORD));
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_secret_s_file_gives_it_without_one_line_break_or_is_told_by_variable_and_path() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("ada@example.com", &["--admin"]);
    let issue = ["token", "issue", "-e", "ada@example.com", "--password-stdin"];
    let token = place.run_with(&issue, PASSWORD).done().stdout.trim().to_owned();
    let file = place.path().join("secret");
    let path = file.to_str().unwrap();
    let by_file = |arguments: &[&str], name: &str| {
        let output = place.command(arguments).env(name, path).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for ending in ["", "\n", "\r\n"] {
        fs::write(&file, format!("{token}{ending}")).unwrap();
        assert_eq!(by_file(&["user", "list"], "PLATFORM_TOKEN_FILE").0, Some(0), "{ending:?}");
        fs::write(&file, format!("\u{feff}{PASSWORD}{ending}")).unwrap();
        let issued = by_file(&["token", "issue", "-e", "ada@example.com"], "PLATFORM_USER_PASSWORD_FILE");
        assert_eq!(issued.0, Some(0), "{issued:?}");
    }
    fs::write(&file, format!("{PASSWORD} \n")).unwrap();
    let spaced = by_file(&["token", "issue", "-e", "ada@example.com"], "PLATFORM_USER_PASSWORD_FILE");
    assert_eq!(spaced.0, Some(4), "the space is part of it: {spaced:?}");

    let refused = |name: &str, arguments: &[&str], reason: &str| {
        let (code, told) = by_file(arguments, name);
        assert_eq!(code, Some(1), "{name}: {told}");
        assert!(told.contains(path) && told.contains(reason) && !told.contains(SENTINEL), "{name}: {told}");
        assert!(told.lines().count() <= 3, "{told}");
    };
    let all: [(&str, &[&str]); 4] = [
        ("PLATFORM_TOKEN_FILE", &["user", "list"]),
        ("PLATFORM_USER_PASSWORD_FILE", &["token", "issue", "-e", "ada@example.com"]),
        ("PLATFORM__USERS__DATABASE_URL_FILE", &["config", "check"]),
        ("PLATFORM__GATEWAY__MASTER_KEY_FILE", &["config", "check"]),
    ];
    for (name, arguments) in all {
        for (content, reason) in
            [("", "is empty"), ("\n", "is empty"), ("S3NT\nS3NT\n", "more than one line")]
        {
            fs::write(&file, content).unwrap();
            refused(name, arguments, reason);
        }
        fs::remove_file(&file).unwrap();
        refused(name, arguments, "does not exist");
        fs::create_dir(&file).unwrap();
        refused(name, arguments, "is a folder");
        fs::remove_dir(&file).unwrap();
        // Nobody but root may read this.
        fs::write(&file, SENTINEL).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::read(&file).is_err() {
            refused(name, arguments, "may not read");
        }
        fs::remove_file(&file).unwrap();
        fs::write(&file, "x").unwrap();
        let both = name.trim_end_matches("_FILE");
        let output = place.command(arguments).env(name, path).env(both, SENTINEL).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(
            told.contains(both) && told.to_lowercase().contains("only one") && !told.contains(SENTINEL),
            "{told}"
        );
        fs::remove_file(&file).unwrap();
    }
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
