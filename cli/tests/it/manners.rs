//! Streams, exit codes, pipes: how every command behaves towards a script.

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::process::{PASSWORD, Place};

#[test]
fn each_exit_code_means_what_it_says() {
    let place = Place::new();
    place.run(&["--help"]).done();
    place.run(&["--version"]).done();
    place.run(&["no-such-command"]).ended(2);
    place.run(&["user", "show"]).ended(2);
    place.run(&["user", "show", "neither id nor address"]).ended(2);
    place.run(&["user", "list", "--url", "not a url"]).failed(2, "--url");
    let nowhere = ["--url", "http://127.0.0.1:1", "token", "issue", "-e", "a@b.example", "--password-stdin"];
    place.run_with(&nowhere, PASSWORD).failed(5, "can't be reached");
    place.run(&["user", "list", "--url", "http://127.0.0.1:1"]).failed(4, "not signed in");
    place.command(&["user", "list"]).env("PLATFORM_TOKEN", "x");
    let platform = place.serve(&[]);
    let place = &platform.place;
    place.run(&["user", "show", "4711"]).failed(3, "does not exist");
    place.run_with(&["user", "create", "a@b.example", "--password-stdin"], "short").failed(1, "password");
    place.run_with(&["user", "create", "nonsense", "--password-stdin"], PASSWORD).failed(1, "email");
    let stranger = place.command(&["user", "list"]).env("PLATFORM_TOKEN", "x.y.z").output().unwrap();
    assert_eq!(stranger.status.code(), Some(4));
    platform.create("a@b.example", &[]);
    let token =
        place.run_with(&["token", "issue", "-e", "a@b.example", "--password-stdin"], PASSWORD).done().stdout;
    let member = place.command(&["user", "list"]).env("PLATFORM_TOKEN", token.trim()).output().unwrap();
    assert_eq!(member.status.code(), Some(4), "{}", String::from_utf8_lossy(&member.stderr));
}

#[test]
fn nothing_is_asked_for_where_nobody_can_answer() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let begun = Instant::now();
    place.run(&["user", "create"]).failed(2, "--email");
    let missing = place.run(&["user", "create", "a@b.example"]).failed(2, "--password-stdin");
    assert!(missing.stderr.contains("--password-file") && missing.stderr.contains("PLATFORM_USER_PASSWORD"));
    place.run(&["user", "create", "a@b.example", "--password", "x"]).ended(2);
    place.run_with(&["user", "create", "a@b.example", "--password-stdin"], "").failed(1, "is empty");
    place.run_with(&["token", "inspect"], "").failed(2, "PLATFORM_TOKEN");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let place = Place::new();
    for variable in
        ["PLATFORM_CONTEXT", "PLATFORM_OUTPUT", "PLATFORM_URL", "PLATFORM_CONFIG", "PLATFORM_QUIET"]
    {
        let shown = place.command(&["--strict", "config", "show"]).env(variable, "").output().unwrap();
        assert!(shown.status.success(), "{variable}: {}", String::from_utf8_lossy(&shown.stderr));
        assert!(shown.stderr.is_empty(), "{variable}: {}", String::from_utf8_lossy(&shown.stderr));
    }
}

#[test]
fn a_service_on_a_picked_port_is_listed_with_that_port() {
    let platform = Place::new().serve(&[]);
    let listed = platform.place.run(&["service", "list", "-o", "json"]).done().json();
    let url = listed[0]["urls"][0].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with(":0"), "{listed}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    for arguments in [
        &["openapi"][..],
        &["--help"],
        &["routes", "-o", "json"],
        &["config", "init", "-"],
        &["completions", "bash"],
        &["man"],
        &["man", "--markdown"],
    ] {
        let mut child = place.command(arguments).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {stderr}");
        assert_eq!(stderr, "", "{arguments:?}");
    }
}

#[test]
fn a_list_of_thousands_ends_with_its_reader() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let rows: Vec<String> = (0..5000).map(|row| format!("user-{row}@example.com,,Somebody\n")).collect();
    let rows = rows.concat();
    std::fs::write(place.path().join("users.csv"), format!("email,password_hash,first_name\n{rows}"))
        .unwrap();
    place.run(&["user", "import", "users.csv", "--batch", "1000", "-q"]).done();
    for form in ["table", "json", "jsonl", "yaml", "csv"] {
        let mut child = place.command(&["user", "list", "-o", form]).spawn().unwrap();
        let mut first = [0; 10];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut first).unwrap();
        drop(stdout);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{form}");
    }
    let counted = place.run(&["user", "list", "-o", "jsonl"]).done().stdout.lines().count();
    assert_eq!(counted, 5000, "every page is followed, and nobody is listed twice");
}

#[test]
fn a_full_disk_is_a_failure_told_in_one_line() {
    let place = Place::new();
    for arguments in [&["openapi"][..], &["--help"], &["routes"], &["config", "schema"], &["config", "show"]]
    {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = place.command(arguments).stdout(Stdio::from(full)).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("No space left"), "{stderr}");
    }
}

#[test]
fn commands_that_need_no_server_need_none() {
    let place = Place::new();
    let routes = place.run(&["routes", "-o", "json"]).done().json();
    let create = routes.as_array().unwrap().iter().find(|row| row["operation"] == "create_user").unwrap();
    assert_eq!((&create["method"], &create["service"]), (&"POST".into(), &"users".into()));
    let document = place.run(&["openapi"]).done();
    assert!(document.json()["paths"]["/api_v1/users"].is_object());
    assert_eq!(document.stdout, place.run(&["openapi"]).done().stdout, "byte for byte the same between runs");
    place.run(&["openapi", "--file", "api.json"]).done();
    assert_eq!(std::fs::read_to_string(place.path().join("api.json")).unwrap(), document.stdout);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(place.run(&["completions", shell]).done().stdout.contains("_PLATFORM_COMPLETE"), "{shell}");
    }
    assert!(!place.data().exists());
}

#[test]
fn quiet_leaves_only_data() {
    let platform = Place::new().serve(&[]);
    let arguments = ["-q", "user", "create", "a@b.example", "--password-stdin", "-o", "json"];
    assert_eq!(platform.place.run_with(&arguments, PASSWORD).done().stderr, "");
    assert_eq!(platform.place.run(&["-q", "user", "delete", "a@b.example", "-y"]).done().stdout, "");
}
