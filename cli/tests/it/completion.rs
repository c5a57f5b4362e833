//! What Tab offers: asked as the scripts of the shells ask, and in the shells themselves where they are installed.

use std::process::Command;

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
fn nothing_is_offered_and_nothing_said_where_no_platform_answers() {
    let place = Place::new();
    assert!(offered(&place, &["user", "show", "a"]).is_empty());
    assert!(offered(&place, &["--url", "http://127.0.0.1:1", "role", "delete", "a"]).is_empty());
    std::fs::write(place.path().join("platform.toml"), "nonsense").unwrap();
    assert!(offered(&place, &["user", "show", "a"]).is_empty());
    assert_eq!(offered(&place, &["user", "expo"]), ["export"]);
}

#[test]
fn bash_completes_by_the_script() {
    let platform = prepared();
    let place = &platform.place;
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
