//! Every command of the tree, in every form of output: a new command stands here, or the test fails.

use std::collections::BTreeMap;

use clap::Command;
use serde_json::Value;

use crate::process::{PASSWORD, Place, Platform};

/// What a command writes to standard output.
enum Writes {
    /// Things with columns, in each of the five forms; by these arguments.
    Things(&'static [&'static str]),
    /// A document without columns: JSON or YAML, and never CSV.
    Document(&'static [&'static str]),
    /// The same text in any form of output, and why that is right.
    Text(&'static str),
    /// Nothing: what it does is told on standard error.
    Nothing,
}

use Writes::{Document, Nothing, Text, Things};

/// What each command writes, without the word `platform`.
fn table() -> BTreeMap<&'static str, Writes> {
    BTreeMap::from([
        ("serve", Text("its banner; it is no list, and ends with the platform")),
        ("reload", Nothing),
        ("status", Things(&[])),
        ("doctor", Things(&[])),
        ("top", Text("a screen, on a terminal only; `platform status` is for programs")),
        ("backup", Text("as `status`, and makes a folder each time")),
        ("restore", Nothing),
        ("migrate up", Things(&["--dry-run"])),
        ("migrate down", Things(&["--dry-run"])),
        ("migrate redo", Things(&["--dry-run"])),
        ("migrate status", Things(&[])),
        ("migrate fresh", Text("as `migrate up`, which has no --dry-run of everything")),
        ("login", Nothing),
        ("logout", Nothing),
        ("whoami", Things(&[])),
        ("context list", Things(&[])),
        ("context use", Nothing),
        ("context remove", Nothing),
        ("user create", Things(&["ada@example.com", "--if-not-exists"])),
        ("user list", Things(&[])),
        ("user import", Things(&["users.csv", "--dry-run"])),
        ("user export", Text("in the form that --form says, which `import` reads")),
        ("user show", Things(&["ada@example.com"])),
        ("user update", Things(&["ada@example.com", "--first-name", "Ada"])),
        ("user disable", Things(&["bob@example.com"])),
        ("user enable", Things(&["bob@example.com"])),
        ("user unlock", Nothing),
        ("user reset-second-factor", Nothing),
        ("user set-password", Things(&["bob@example.com", "--password-file", "password"])),
        ("user reset", Things(&["bob@example.com", "--print-link"])),
        ("user invite", Text("as `user reset`, and makes a user each time")),
        ("user delete", Nothing),
        ("role list", Things(&[])),
        ("role create", Text("as `user show`, and makes a role each time")),
        ("role delete", Nothing),
        ("role grant", Things(&["bob@example.com", "editor"])),
        ("role revoke", Things(&["bob@example.com", "editor"])),
        ("token issue", Things(&["--operator"])),
        ("token inspect", Things(&["--token-file", "token"])),
        ("token verify", Things(&["--token-file", "token"])),
        ("token revoke", Nothing),
        ("session list", Things(&["--user", "ada@example.com"])),
        ("session revoke", Nothing),
        ("service-account create", Text("the secret alone, once; as `token issue` in the other forms")),
        ("service-account list", Things(&[])),
        ("service-account show", Things(&["orders"])),
        ("service-account update", Things(&["orders", "--description", "Orders"])),
        ("service-account rotate", Things(&["orders"])),
        ("service-account revoke-secret", Nothing),
        ("service-account disable", Things(&["orders"])),
        ("service-account enable", Things(&["orders"])),
        ("service-account delete", Nothing),
        ("audit list", Things(&[])),
        ("audit export", Text("JSON lines, whatever is asked for: it is for machines")),
        ("audit verify", Things(&[])),
        ("key list", Things(&[])),
        ("key rotate", Text("as `key list`, and makes a key each time")),
        ("key retire", Text("as `key list`, and ends a key each time")),
        ("service list", Things(&[])),
        ("service check", Things(&[])),
        ("service add", Text("the lines of TOML that are to be added")),
        ("service new", Nothing),
        ("config show", Things(&[])),
        ("config check", Nothing),
        ("config init", Text("TOML with comments")),
        ("config schema", Document(&[])),
        ("routes", Things(&[])),
        ("routes explain", Things(&["GET", "/api_v1/users"])),
        ("openapi", Document(&[])),
        ("completions", Text("a script for a shell")),
        ("man", Text("a man page, or Markdown")),
    ])
}

/// The commands that can be run, by their words.
fn runnable(command: &Command, words: &str, found: &mut Vec<String>) {
    let inner: Vec<&Command> = command.get_subcommands().filter(|inner| inner.get_name() != "help").collect();
    if inner.is_empty() || !(words.is_empty() || command.is_subcommand_required_set()) {
        found.push(words.to_owned());
    }
    for inner in inner {
        runnable(inner, format!("{words} {}", inner.get_name()).trim(), found);
    }
}

fn prepared() -> Platform {
    let platform = Place::new().serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    platform.create("bob@example.com", &[]);
    let place = &platform.place;
    let token = ["token", "issue", "-e", "ada@example.com", "--password-stdin"];
    let token = place.run_with(&token, PASSWORD).done().stdout;
    let write = |name: &str, text: &str| std::fs::write(place.path().join(name), text).unwrap();
    write("token", &token);
    write("password", PASSWORD);
    write("users.csv", "email,first_name\neve@example.com,Eve\n");
    place.run(&["role", "create", "editor"]).done();
    let scope = ["service-account", "create", "orders", "--scope", "users:read"];
    place.run(&scope).done();
    platform
}

/// Whether there is anything at all in each form, and the same number of things.
fn in_every_form(place: &Place, words: &str, arguments: &[&str]) -> Result<(), String> {
    let run = |form: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let ended = place.run(&[&words[..], arguments, &["-o", form]].concat());
        if ended.code == Some(0) { Ok(ended.stdout) } else { Err(format!("{form}: {ended:#?}")) }
    };
    let wrong = |form: &str, text: &str| format!("{form} is not as it should be:\n{text}");
    let table = run("table")?;
    if table.starts_with(['{', '[']) || table.contains("{\"") {
        return Err(wrong("table", &table));
    }
    let json: Value = serde_json::from_str(&run("json")?).map_err(|error| format!("json: {error}"))?;
    let yaml = run("yaml")?;
    let read: Value = serde_norway::from_str(&yaml).map_err(|error| format!("yaml: {error}\n{yaml}"))?;
    let lines = run("jsonl")?;
    let read_lines: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
    let read_lines = read_lines.map_err(|error| format!("jsonl: {error}\n{lines}"))?;
    let csv = run("csv")?;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let heading = reader.headers().map_err(|error| error.to_string())?.clone();
    let records: Result<Vec<csv::StringRecord>, _> = reader.records().collect();
    let records = records.map_err(|error| wrong("csv", &format!("{error}\n{csv}")))?;
    if heading.is_empty() || heading.iter().any(str::is_empty) {
        return Err(wrong("csv", &csv));
    }
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect()
    };
    match (&json, &read) {
        (Value::Array(rows), Value::Array(same)) => {
            // What happens between two commands, such as an entry of the audit log, may add one.
            let counts = [same.len(), read_lines.len(), records.len()];
            if counts.iter().any(|count| *count < rows.len() || *count > rows.len() + 8) {
                return Err(format!(
                    "{} rows of JSON, but {counts:?} of YAML, JSON lines and CSV",
                    rows.len()
                ));
            }
            if rows.first().map(keys) != read_lines.first().map(keys) {
                return Err(wrong("jsonl", &lines));
            }
        }
        (Value::Object(_), Value::Object(_)) => {
            if read_lines.len() != 1 || records.is_empty() || keys(&json) != keys(&read) {
                return Err(wrong("one thing", &format!("{lines}\n{csv}\n{yaml}")));
            }
        }
        _ => return Err(wrong("json", &yaml)),
    }
    Ok(())
}

#[test]
fn every_command_writes_what_it_shows_in_every_form() {
    let platform = prepared();
    let place = &platform.place;
    let table = table();
    let mut commands = Vec::new();
    runnable(&cli::tree(), "", &mut commands);
    let mut faults = Vec::new();
    for words in commands.iter().filter(|words| !words.is_empty()) {
        match table.get(words.as_str()) {
            None => faults.push(format!("{words}: say in this file what it writes")),
            Some(Text(reason)) => assert!(!reason.is_empty(), "{words}"),
            Some(Nothing) => {}
            Some(Things(arguments)) => {
                if let Err(fault) = in_every_form(place, words, arguments) {
                    faults.push(format!("{words}: {fault}"));
                }
            }
            Some(Document(arguments)) => {
                let words: Vec<&str> = words.split(' ').collect();
                let run = |form: &str| place.run(&[&words[..], arguments, &["-o", form]].concat());
                let json = run("json").done();
                assert_eq!(json.stdout, run("table").done().stdout);
                let yaml: Value = serde_norway::from_str(&run("yaml").done().stdout).unwrap();
                assert_eq!(json.json(), yaml);
                assert_eq!(run("jsonl").done().stdout.lines().count(), 1);
                run("csv").failed(2, "no rows");
            }
        }
    }
    faults.extend(
        table
            .keys()
            .filter(|words| !commands.iter().any(|known| known == *words))
            .map(|words| format!("{words}: there is no such command")),
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_command_that_only_does_something_writes_nothing_to_standard_output() {
    let platform = prepared();
    let place = &platform.place;
    let silent = |arguments: &[&str]| {
        let ended = place.run(&[arguments, &["-o", "json"]].concat()).done();
        assert_eq!(ended.stdout, "", "{ended:#?}");
        assert!(!ended.stderr.is_empty(), "{ended:#?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:#?}");
    };
    silent(&["config", "check"]);
    silent(&["user", "unlock", "bob@example.com"]);
    silent(&["session", "revoke", "--user", "bob@example.com", "--yes"]);
    silent(&["service-account", "revoke-secret", "orders", "1", "--yes"]);
    silent(&["service-account", "delete", "orders", "--yes"]);
    silent(&["token", "revoke", "--token-file", "token"]);
    silent(&["user", "delete", "bob@example.com", "--yes"]);
    silent(&["reload"]);
    silent(&["logout"]);
}

/// Commands that ask before they do what can't be undone, with the arguments they need.
const ASKING: &[(&str, &[&str])] = &[
    ("restore", &["backup"]),
    ("migrate down", &[]),
    ("migrate redo", &[]),
    ("migrate fresh", &[]),
    ("user reset-second-factor", &["bob@example.com"]),
    ("user delete", &["bob@example.com"]),
    ("role delete", &["editor"]),
    ("session revoke", &["--user", "bob@example.com"]),
    ("service-account revoke-secret", &["orders", "1"]),
    ("service-account delete", &["orders"]),
    ("key retire", &["KEY"]),
];

#[test]
fn what_can_t_be_undone_asks_first_or_wants_a_yes() {
    let platform = prepared();
    let place = &platform.place;
    let keys = place.run(&["key", "list", "-o", "json"]).done().json();
    let key = keys[0]["kid"].as_str().unwrap();
    let mut commands = Vec::new();
    runnable(&cli::tree(), "", &mut commands);
    let takes_yes = |words: &str| {
        let tree = cli::tree();
        let found = words.split(' ').try_fold(&tree, |found, word| found.find_subcommand(word));
        found.is_some_and(|command| command.get_arguments().any(|argument| argument.get_id() == "yes"))
    };
    for words in commands.iter().filter(|words| takes_yes(words)) {
        let asking = ASKING.iter().find(|(known, _)| known == words);
        let (_, arguments) = asking.unwrap_or_else(|| panic!("{words} takes --yes: put it into this test"));
        let arguments = arguments.iter().map(|argument| if *argument == "KEY" { key } else { argument });
        let line: Vec<&str> = words.split(' ').chain(arguments).collect();
        place.run(&line).failed(2, "--yes");
    }
    let destroying = ["delete", "fresh", "down", "redo", "retire", "revoke-secret"];
    for words in &commands {
        let verb = words.rsplit(' ').next().unwrap();
        assert!(!destroying.contains(&verb) || takes_yes(words), "{words} destroys, and takes no --yes");
    }
    // Nothing has happened.
    place.run(&["user", "show", "bob@example.com"]).done();
    assert_eq!(place.run(&["key", "list", "-o", "json"]).done().json()[0]["retired_at"], Value::Null);
}
