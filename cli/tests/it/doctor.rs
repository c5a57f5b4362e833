//! `platform doctor`: each test makes a fault and looks for the check that finds it, with why and what mends it.

mod configuration;
mod databases;
mod folder;
mod machine;
mod outside;
mod running;
mod tls;

use serde_json::Value;

use crate::process::{Place, Platform};

/// Every check as programs see it, and the exit code.
pub(crate) fn examined(place: &Place, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let arguments = [&["doctor", "-o", "json"], arguments].concat();
    let ended = place.run(&arguments);
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
    let rows = ended.json().as_array().unwrap().clone();
    for row in &rows {
        let told = |name: &str| row[name].as_str().is_some_and(|text| !text.is_empty());
        let explained = told("why") && told("mend");
        assert!(
            told("what") && (explained || matches!(row["verdict"].as_str(), Some("good" | "skipped"))),
            "{row}"
        );
        let whole = row.to_string();
        assert!(!whole.contains("hunter2") && !whole.contains("S3NT"), "a secret is told: {whole}");
    }
    (ended.code, rows)
}

/// The faults, each as its check and what was found.
fn faults(rows: &[Value]) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter()
        .filter(|row| row["verdict"] == "fault")
        .map(|row| (text(row, "check"), text(row, "what")))
        .collect()
}

/// The one fault that there is, of this check, with these words in what it tells; the whole of it.
pub(crate) fn only_fault(place: &Place, arguments: &[&str], check: &str, words: &str) -> Value {
    let (code, rows) = examined(place, arguments);
    let found = faults(&rows);
    assert_eq!(code, Some(1), "{found:#?}");
    assert!(matches!(&found[..], [(name, _)] if name == check), "not only {check}: {found:#?}");
    told(&rows, check, words)
}

/// A fault of this check, among others.
pub(crate) fn fault(place: &Place, arguments: &[&str], check: &str, words: &str) -> Value {
    let (code, rows) = examined(place, arguments);
    assert_eq!(code, Some(1), "{:#?}", faults(&rows));
    told(&rows, check, words)
}

fn told(rows: &[Value], check: &str, words: &str) -> Value {
    let is_it =
        |row: &&Value| row["check"] == check && row["verdict"] == "fault" && row.to_string().contains(words);
    rows.iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("no {check} with {words:?} in {:#?}", faults(rows)))
        .clone()
}

/// A platform with an administrator, in which nothing is wrong.
pub(crate) fn sound(place: Place) -> Platform {
    let platform = place.serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    platform
}

/// The same, stopped.
pub(crate) fn sound_and_stopped(place: Place) -> Platform {
    let mut platform = sound(place);
    platform.signal("TERM");
    assert_eq!(platform.end(), Some(0));
    platform
}

#[test]
fn nothing_is_wrong_with_an_empty_folder_a_running_platform_or_one_that_was_stopped() {
    let place = Place::new();
    let (code, rows) = examined(&place, &[]);
    assert_eq!((code, faults(&rows)), (Some(0), vec![]));
    assert!(!place.data().exists(), "looking makes nothing");
    let mut platform = sound(place);
    let (code, rows) = examined(&platform.place, &[]);
    assert_eq!((code, faults(&rows)), (Some(0), vec![]));
    let good = |check: &str| rows.iter().any(|row| row["check"] == check && row["verdict"] == "good");
    for check in
        ["running", "version", "administrator", "master-key", "schema", "service", "disk", "trusted-proxies"]
    {
        assert!(good(check), "{check}: {rows:#?}");
    }
    platform.signal("TERM");
    platform.end();
    let (code, rows) = examined(&platform.place, &[]);
    assert_eq!((code, faults(&rows)), (Some(0), vec![]));
}

#[test]
fn people_see_what_is_wrong_with_why_and_mend_and_all_of_it_when_they_ask() {
    let place = Place::new();
    let sound = place.run(&["doctor"]).done();
    assert!(sound.stdout.is_empty() && sound.stderr.contains("no fault"), "{sound:#?}");
    let verbose = place.run(&["doctor", "--verbose"]).done();
    assert!(verbose.stdout.lines().any(|line| line.starts_with("good    ")), "{verbose:#?}");
    let place = place.with("PLATFORM__GATEWAY__LISEN", "127.0.0.1:1");
    let told = place.run(&["doctor"]).ended(1);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{told:#?}");
    assert!(lines[0].starts_with("fault   ") && lines[0].contains("PLATFORM__GATEWAY__LISEN"), "{told:#?}");
    assert!(lines[1].starts_with("        why   "), "{told:#?}");
    assert!(
        lines[2].starts_with("        mend  ") && lines[2].contains("PLATFORM__GATEWAY__LISTEN"),
        "{told:#?}"
    );
    assert!(told.stderr.contains("error: 1 fault(s) in "), "{told:#?}");
}
