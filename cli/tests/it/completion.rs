//! What Tab offers: asked as the scripts of the shells ask, and in the shells themselves where they are installed.

use std::process::Command;

use serde_json::json;

use crate::hostile::Hostile;
use crate::process::{BINARY, PASSWORD, Place, Platform};

/// What is offered for the last word of a line.
fn offered(place: &Place, words: &[&str]) -> Vec<String> {
    let mut command = place.command(&[]);
    let index = words.len() - 1;
    command.arg("--").arg("platform").args(words);
    command.env("_PLATFORM_COMPLETE", "fish").env("_CLAP_COMPLETE_INDEX", (index + 1).to_string());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

fn prepared() -> Platform {
    let place = Place::new();
    let home = place.path().join("home").to_str().unwrap().to_owned();
    let document = r#"{"openapi": "3.0.3", "info": {"title": "Orders", "version": "1"}, "paths": {}}"#;
    std::fs::write(place.path().join("orders.json"), document).unwrap();
    let declared =
        "[[service]]\nname = \"orders\"\nopenapi = \"orders.json\"\nurls = [\"http://127.0.0.1:1\"]\n";
    std::fs::write(place.path().join("platform.toml"), declared).unwrap();
    let platform = place.with("HOME", &home).serve(&[]);
    for email in ["ada@example.com", "alan@example.com", "grace@example.com"] {
        platform.create(email, &[]);
    }
    platform
}

#[test]
fn commands_flags_users_roles_services_and_contexts_are_offered() {
    let platform = prepared();
    let place = &platform.place;
    place.run(&["role", "create", "editor"]).done();
    place.run(&["service-account", "create", "billing", "--scope", "users:read"]).done();
    let login = ["login", "--context", "local", "-e", "ada@example.com", "--password-stdin"];

    assert_eq!(offered(place, &["user", "set-"]), ["set-password"]);
    assert!(offered(place, &["user", "list", "--crea"]).contains(&"--created-after".to_owned()));
    assert_eq!(offered(place, &["user", "show", "a"]), ["ada@example.com", "alan@example.com"]);
    assert_eq!(offered(place, &["user", "show", "GRACE"]), ["grace@example.com"]);
    assert_eq!(offered(place, &["token", "issue", "--email", "gr"]), ["grace@example.com"]);
    assert_eq!(offered(place, &["role", "grant", "ada@example.com", "ed"]), ["editor"]);
    assert_eq!(offered(place, &["user", "list", "--role", "ed"]), ["editor"]);
    assert_eq!(offered(place, &["service", "check", "o"]), ["orders"]);
    assert_eq!(offered(place, &["service-account", "show", "b"]), ["billing"]);
    assert_eq!(offered(place, &["context", "use", "l"]), ["local"]);
    assert_eq!(offered(place, &["serve", "ga"]), ["gateway"]);
    // Nobody who is there is offered as somebody new.
    assert!(offered(place, &["user", "create", "a"]).is_empty());

    // As somebody who may not list users: nothing, and no word of it.
    place.run_with(&login, PASSWORD).done();
    assert!(offered(place, &["user", "show", "gr"]).is_empty());
    // A flag of the line says where to ask.
    let url = format!("http://{}", platform.gateway());
    place.run(&["logout"]).done();
    let elsewhere = Place::new();
    assert!(offered(&elsewhere, &["--url", &url, "user", "show", "a"]).is_empty(), "not signed in there");
    assert_eq!(offered(place, &["--url", &url, "user", "show", "ad"]), ["ada@example.com"]);
}

#[test]
fn what_a_shell_would_run_is_not_offered_whatever_it_names_and_whoever_listed_it() {
    let platform = prepared();
    let place = &platform.place;
    for email in
        ["a`touch${IFS}pwned`@example.com", "a$(id)@example.com", "a'b@example.com", "a|b@example.com"]
    {
        // Not each of them is an address.
        place.run_with(&["user", "create", "--email", email, "--password-stdin"], PASSWORD);
    }
    let harmless = ["ada@example.com", "alan@example.com"];
    assert_eq!(offered(place, &["user", "show", "a"]), harmless);

    let names = [
        "a;id",
        "a&id",
        "a|id",
        "a$(id)",
        "a`id`",
        "a b",
        "a\nb",
        "a\u{1b}[2J",
        "a*",
        "a~",
        "a'",
        "a\"",
        "a\\",
        "a>x",
        "a{b,c}",
        "a!x",
        "a#",
        "a=b",
        "a%x",
        "a^b",
        "a:b",
        "a,b",
        "a(b)",
        "a[b]",
        "a?",
        "a\u{a0}b",
        "a\u{2028}b",
        "a\u{2019}",
        "-a",
        "--yes",
        "ada",
    ];
    let rows: Vec<_> = names.iter().map(|name| json!({"email": name, "name": name})).collect();
    let server = Hostile::of_json(json!(rows).to_string());
    let place = Place::new().with("PLATFORM_TOKEN", "x.y.z").with("PLATFORM_URL", &server.url());
    for words in [
        &["user", "show", "a"][..],
        &["token", "issue", "--email", "a"],
        &["user", "list", "--role", "a"],
        &["role", "grant", "ada@example.com", "a"],
        &["service-account", "show", "a"],
    ] {
        assert_eq!(offered(&place, words), ["ada"], "{words:?}");
    }
    assert!(server.heads().len() >= 5);
    // Nor a file that somebody else has put here.
    for name in ["copy`id`", "copy;id", "copy$(id)", "copy b", "copy"] {
        std::fs::create_dir(place.path().join(name)).unwrap();
    }
    assert_eq!(offered(&place, &["restore", "co"]), ["copy/"]);
}

#[test]
fn nothing_is_offered_and_nothing_said_where_no_platform_answers() {
    let place = Place::new();
    assert!(offered(&place, &["user", "show", "a"]).is_empty());
    assert!(offered(&place, &["--url", "http://127.0.0.1:1", "role", "delete", "a"]).is_empty());
    std::fs::write(place.path().join("platform.toml"), "nonsense").unwrap();
    assert!(offered(&place, &["user", "show", "a"]).is_empty());
    assert_eq!(offered(&place, &["user", "expo"]), ["export"]);
}

#[test]
fn bash_completes_by_the_script_and_is_given_nothing_to_run() {
    let platform = prepared();
    let place = &platform.place;
    let hostile = ["user", "create", "--email", "al`touch${IFS}pwned`@example.com", "--password-stdin"];
    place.run_with(&hostile, PASSWORD).done();
    let folder = std::path::Path::new(BINARY).parent().unwrap().display().to_string();
    // What bash does when Tab is pressed: the function, with the words and which of them it is.
    let script = r#"
        source <(platform completions bash) || exit 1
        complete -p platform >/dev/null || exit 2
        function_name=$(complete -p platform | sed 's/.*-F \([^ ]*\).*/\1/')
        COMP_WORDS=(platform user show al); COMP_CWORD=3; COMP_LINE="platform user show al"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
        "$function_name" platform al show
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", script]).current_dir(place.path()).env_clear();
    command.envs(place.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", format!("{folder}:/usr/bin:/bin"));
    let output = command.output().unwrap();
    let offered = String::from_utf8_lossy(&output.stdout);
    assert_eq!(offered.trim(), "alan@example.com", "{output:?}");
}
