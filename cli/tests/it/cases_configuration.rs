//! Cases of configuration: what Kubernetes puts into the environment, values that fit nothing, names that are close, and which
//! layer wins (C54); secrets from files (C45).

use std::fs;
use std::process::Command;

use crate::process::{BINARY, Place};

#[test]
fn variables_of_kubernetes_are_no_settings_and_are_passed_over() {
    let place = Place::new()
        .with("PLATFORM_PORT", "tcp://10.1.2.3:8080")
        .with("PLATFORM_SERVICE_HOST", "10.1.2.3")
        .with("PLATFORM_SERVICE_PORT", "8080")
        .with("PLATFORM_PORT_8080_TCP", "tcp://10.1.2.3:8080")
        .with("PLATFORM_PORT_8080_TCP_ADDR", "10.1.2.3");
    let checked = place.run(&["config", "check", "--strict"]).done();
    assert!(!checked.stderr.contains("PLATFORM_PORT") && !checked.stderr.contains("HOST"), "{checked:#?}");
    let platform = place.serve(&[]);
    platform.place.run(&["status"]).done();
}

#[test]
fn a_value_that_fits_nothing_is_told_with_its_variable_and_what_it_takes() {
    let cases = [
        ("PLATFORM__GATEWAY__LISTEN", "abc", "gateway.listen"),
        ("PLATFORM__GATEWAY__LISTEN", "127.0.0.1:70000", "gateway.listen"),
        ("PLATFORM__GATEWAY__LISTEN", "tcp://10.1.2.3:80", "gateway.listen"),
        ("PLATFORM__GATEWAY__LISTEN", "", "gateway.listen"),
        ("PLATFORM__GATEWAY__MAX_CONNECTIONS", "70000000000000000000", "gateway.max_connections"),
        ("PLATFORM__GATEWAY__IDLE_TIMEOUT", "-1s", "gateway.idle_timeout"),
        ("PLATFORM__GATEWAY__DOCS", "maybe", "gateway.docs"),
    ];
    for (name, value, key) in cases {
        let place = Place::new().with(name, value);
        for command in [&["config", "check"][..], &["serve"]] {
            let refused = place.run(command).failed(1, name);
            assert!(refused.stderr.contains(key) && refused.stderr.contains("it takes"), "{refused:#?}");
        }
        assert!(!place.data().exists(), "nothing is opened");
    }
}

#[test]
fn a_name_in_the_file_that_is_close_to_a_setting_is_an_error_with_the_one_that_was_meant() {
    for (text, meant) in [
        ("[gateway]\nrate_limt = \"1/s by address\"\n", "did you mean gateway.rate_limit?"),
        ("[gatway]\nlisten = \"127.0.0.1:0\"\n", "gatway"),
        ("[users]\nregistration = true\n", "users.registration"),
        ("[mail]\nrequire_verified_address = \"yes, please\"\n", "mail.require_verified_address"),
    ] {
        let place = Place::new();
        fs::write(place.path().join("platform.toml"), text).unwrap();
        let refused = place.run(&["config", "check"]).failed(1, meant);
        assert!(refused.stderr.contains("platform.toml:"), "{refused:#?}");
    }
}

#[test]
fn a_variable_without_its_section_is_a_warning_and_an_error_when_strict() {
    let place = Place::new().with("PLATFORM_RATE_LIMIT", "1");
    let warned = place.run(&["config", "check"]).done();
    assert!(warned.stderr.contains("warning: PLATFORM_RATE_LIMIT"), "{warned:#?}");
    place.run(&["config", "check", "--strict"]).failed(1, "PLATFORM_RATE_LIMIT");
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let shown = |place: &Place, flags: &[&str]| {
        let rows = place.run(&[&["config", "show", "-o", "json"], flags].concat()).done().json();
        let row =
            rows.as_array().unwrap().iter().find(|row| row["key"] == "users.hash_queue").unwrap().clone();
        (row["value"].as_str().unwrap().to_owned(), row["origin"].as_str().unwrap().to_owned())
    };
    let place = Place::new();
    assert_eq!(shown(&place, &[]).1, "default");
    fs::write(place.path().join("platform.toml"), "[users]\nhash_queue = 6\n").unwrap();
    assert_eq!(shown(&place, &[]), ("6".to_owned(), "platform.toml:2".to_owned()));
    let place = place.with("PLATFORM__USERS__HASH_QUEUE", "7");
    assert_eq!(shown(&place, &[]), ("7".to_owned(), "PLATFORM__USERS__HASH_QUEUE".to_owned()));
    let flag = ["--set", "users.hash_queue=8"];
    assert_eq!(shown(&place, &flag), ("8".to_owned(), "--set users.hash_queue".to_owned()));
}

/// The forms in which an editor may leave a secret, and whether it is taken.
const FORMS: &[(&str, &str)] =
    &[("\n", "is empty"), ("", "is empty"), ("S3NT\nS3NT\n", "more than one line")];

#[test]
fn a_secret_file_counts_without_its_last_line_break_and_what_is_no_secret_is_told_without_it() {
    let place = Place::new();
    let path = place.path().join("secret");
    let shown = path.to_str().unwrap().to_owned();
    let key =
        secrecy::ExposeSecret::expose_secret(&gateway::MasterKey::generate().unwrap().to_base64()).to_owned();
    let url = format!("sqlite:{}", place.path().join("u.db").display());
    for (variable, secret) in
        [("PLATFORM__GATEWAY__MASTER_KEY_FILE", &key), ("PLATFORM__USERS__DATABASE_URL_FILE", &url)]
    {
        let check = |content: Option<&str>| {
            match content {
                Some(content) => fs::write(&path, content).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let mut command = place.command(&["doctor", "-o", "json"]);
            command.env(variable, &path);
            let output = command.output().unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        };
        for good in
            [secret.clone(), format!("{secret}\n"), format!("{secret}\r\n"), format!("\u{feff}{secret}\n")]
        {
            let (_, told) = check(Some(&good));
            assert!(
                !told.contains("\"check\": \"configuration\",\n    \"verdict\": \"fault\""),
                "{good:?}: {told}"
            );
        }
        for (content, reason) in FORMS {
            let (code, told) = check(Some(content));
            assert_eq!(code, Some(1), "{content:?}");
            assert!(
                told.contains(reason) && told.contains(&shown) && told.contains(variable),
                "{content:?}: {told}"
            );
            assert!(!told.contains("S3NT"), "{told}");
        }
        let (code, told) = check(None);
        assert!(code == Some(1) && told.contains("does not exist"), "{told}");
        fs::create_dir(&path).unwrap();
        let mut command = place.command(&["config", "check"]);
        let told = String::from_utf8(command.env(variable, &path).output().unwrap().stderr).unwrap();
        assert!(told.contains("is a folder") && told.contains(&shown), "{told}");
        fs::remove_dir(&path).unwrap();
    }
    // Set twice.
    fs::write(&path, &key).unwrap();
    let place =
        place.with("PLATFORM__GATEWAY__MASTER_KEY", &key).with("PLATFORM__GATEWAY__MASTER_KEY_FILE", &shown);
    let refused = place.run(&["config", "check"]).failed(1, "set only one");
    assert!(!refused.stderr.contains(&key));
}

#[test]
fn a_secret_file_that_this_user_may_not_read_is_told_with_its_path() {
    let place = Place::new();
    let path = place.path().join("secret");
    fs::write(&path, "S3NT").unwrap();
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(&path, mode(0o000)).unwrap();
    fs::set_permissions(place.path(), mode(0o755)).unwrap();
    let mut command = as_nobody(&place, &["config", "check"]);
    let output = command.env("PLATFORM__GATEWAY__MASTER_KEY_FILE", &path).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("may not read") && told.contains(path.to_str().unwrap()) && !told.contains("S3NT"),
        "{told}"
    );
}

/// The command as a user without rights; as this one, where this one has none either.
pub(crate) fn as_nobody(place: &Place, arguments: &[&str]) -> Command {
    let ours = place.command(arguments);
    if std::fs::metadata("/proc/self").map(|data| std::os::unix::fs::MetadataExt::uid(&data)).unwrap() != 0 {
        return ours;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "10001", "--regid", "10001", "--clear-groups", BINARY]).args(arguments);
    let variables = ours.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.env_clear().envs(variables).current_dir(place.path());
    command
}
