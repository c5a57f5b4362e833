//! What a person on a terminal meets: questions, hidden passwords, tables that fit. `script` makes the terminal.

use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use crate::process::{BINARY, PASSWORD, Place, wait_for};

/// Runs a shell line on a terminal of that width; answers each question once it is shown. Exit code and all that was shown.
pub(crate) fn on_terminal(
    place: &Place,
    columns: u16,
    line: &str,
    answers: &[(&str, &str)],
) -> (Option<i32>, String) {
    let line = format!("stty rows 24 cols {columns}; exec {BINARY} {line}");
    let mut command = place.command(&[]);
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(place.path()).env_clear();
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    command = script;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` makes terminals");
    let shown = Arc::new(Mutex::new(Vec::new()));
    let mut stdout = child.stdout.take().unwrap();
    let reader = {
        let shown = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stdout.read(&mut buffer) {
                shown.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        })
    };
    let text = || String::from_utf8_lossy(&shown.lock().unwrap()).into_owned();
    let mut stdin = child.stdin.take().unwrap();
    for (question, answer) in answers {
        wait_for(question, || text().contains(question).then_some(()));
        writeln!(stdin, "{answer}").unwrap();
    }
    let status = wait_for("the command's end", || child.try_wait().unwrap());
    drop(stdin);
    reader.join().unwrap();
    let text = text();
    (status.code(), text)
}

#[test]
fn a_password_is_asked_for_twice_and_never_shown() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let asked = |second: &str| {
        let answers =
            [("E-mail address", "ada@example.com"), ("Password:", PASSWORD), ("once more:", second)];
        on_terminal(place, 80, "user create --admin", &answers)
    };
    let (code, shown) = asked("something else 42");
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("not the same") && !shown.contains(PASSWORD), "{shown}");
    let (code, shown) = asked(PASSWORD);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("The user is created.") && !shown.contains(PASSWORD), "{shown}");
    let (code, shown) = on_terminal(place, 80, "user delete 1", &[("for good?", "n")]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("the answer was no"), "{shown}");
}

#[test]
fn a_password_that_must_be_changed_is_changed_on_the_way_to_a_token() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("bob@example.com", &["--must-change"]);
    let issue = ["token", "issue", "--email", "bob@example.com", "--password-stdin"];
    let refused = place.run_with(&issue, PASSWORD).failed(4, "a new password must be set first");
    assert!(refused.stderr.contains("--new-password-file") && refused.stdout.is_empty(), "{refused:#?}");

    let answers = [
        ("Password:", PASSWORD),
        ("New password:", "nine purple whales 43"),
        ("New password, once more:", "nine purple whales 43"),
    ];
    let (code, shown) = on_terminal(place, 80, "token issue --email bob@example.com", &answers);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("The new password is set.") && shown.contains("eyJ"), "{shown}");
    assert!(!shown.contains(PASSWORD) && !shown.contains("whales"), "{shown}");
    place.run_with(&issue, PASSWORD).failed(4, "Incorrect email or password");
    place.run_with(&issue, "nine purple whales 43").done();

    // An admin's password for somebody else is marked unless said otherwise, and a script sets the next by a file.
    let set = ["user", "set-password", "bob@example.com", "--password-stdin", "-o", "json"];
    assert_eq!(place.run_with(&set, PASSWORD).done().json()["must_change_password"], true);
    std::fs::write(place.path().join("new"), "ten yellow drums 44\n").unwrap();
    let weak = place.path().join("weak");
    std::fs::write(&weak, "password1").unwrap();
    let by_file =
        |file: &str| place.run_with(&[&issue[..], &["--new-password-file", file]].concat(), PASSWORD);
    by_file("weak").failed(1, "new_password: is too easily guessed");
    by_file("new").done();
    place.run_with(&issue, "ten yellow drums 44").done();
    let kept = [&set[..], &["--no-must-change"]].concat();
    assert_eq!(place.run_with(&kept, PASSWORD).done().json()["must_change_password"], false);
    place.run_with(&issue, PASSWORD).done();
}

#[test]
fn tables_fit_the_terminal() {
    let place = Place::new();
    for columns in [40, 80, 120] {
        for line in ["config show", "routes", "migrate status"] {
            let (code, shown) = on_terminal(&place, columns, line, &[]);
            assert_eq!(code, Some(0), "{shown}");
            let plain = without_escapes(&shown);
            assert!(plain.lines().count() > 3);
            let widest = plain.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
            assert!(widest <= usize::from(columns), "{line} at {columns}: {widest}\n{plain}");
        }
    }
}

#[test]
fn colours_are_for_terminals_and_go_with_no_color() {
    let place = Place::new();
    assert!(on_terminal(&place, 80, "routes", &[]).1.contains('\u{1b}'));
    let refused = on_terminal(&place, 80, "user list", &[]).1;
    assert!(refused.contains("\u{1b}[1;31merror:"), "{refused}");
    assert!(place.run(&["user", "list"]).ended(5).stderr.starts_with("error: "));
    assert!(!place.run(&["routes"]).done().stdout.contains('\u{1b}'));
    let place = place.with("NO_COLOR", "1");
    assert!(!on_terminal(&place, 80, "routes", &[]).1.contains('\u{1b}'));
    assert!(!on_terminal(&place, 80, "user list", &[]).1.contains('\u{1b}'));
}

fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character == '\u{1b}' {
            for inside in rest.by_ref() {
                if inside.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            plain.push(character);
        }
    }
    plain
}

#[test]
fn top_shows_the_running_platform_until_q_and_gives_the_terminal_back() {
    let place = Place::new();
    let (code, shown) = on_terminal(&place, 80, "top", &[]);
    assert_eq!(code, Some(5), "{shown}");
    let platform = place.serve(&[]);
    let place = &platform.place;
    platform.create("ada@example.com", &["--admin"]);
    place.run(&["top"]).failed(2, "platform status");
    let (code, shown) = on_terminal(place, 80, "top --every 100ms", &[("create_user", "q")]);
    assert_eq!(code, Some(0), "{shown}");
    // What is blank already is not written.
    for words in ["ready", "requests/s", "OPERATION", "services", "cache", "equal"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(shown.contains("\u{1b}[?1049h") && shown.trim_end().contains("\u{1b}[?1049l"), "{shown:?}");
}

#[test]
fn an_import_shows_how_far_it_is_on_a_terminal_alone() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let rows: Vec<String> = (0..2000).map(|number| format!("u{number}@example.com")).collect();
    std::fs::write(place.path().join("users.csv"), format!("email\n{}\n", rows.join("\n"))).unwrap();
    let (code, shown) = on_terminal(place, 80, "user import users.csv --batch 100", &[]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains(" rows, ") && shown.contains(" a second, ") && shown.contains(" % "), "{shown:?}");
    // Then it makes room for the report.
    let report = shown.rsplit("\u{1b}[2K").next().unwrap();
    assert!(report.contains("Created") && !report.contains(" a second"), "{shown:?}");
    let (code, shown) = on_terminal(place, 80, "user import users.csv --quiet", &[]);
    assert!(code == Some(0) && !shown.contains(" a second"), "{shown:?}");
    let piped = place.run(&["user", "import", "users.csv"]).done();
    assert!(piped.stderr.is_empty(), "{piped:#?}");
}
