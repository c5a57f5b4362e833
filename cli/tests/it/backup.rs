//! Backups of a running platform, and what comes back from them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use kit::database::DatabaseUrl;
use kit::testing::{TestDatabase, execute};
use serde_json::{Value, json};

use crate::process::{PASSWORD, Place, Platform, wait_for};

/// Sends JSON and reads the answer's status and body.
fn post(address: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut client = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    let head = "host: h\r\nconnection: close\r\ncontent-type: application/json";
    let request = format!("POST {path} HTTP/1.1\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

fn sign_in(address: &str, email: &str) -> (u16, Value) {
    post(address, "/api_v1/auth/access", &json!({"email": email, "password": PASSWORD}))
}

fn refresh(address: &str, token: &Value) -> u16 {
    post(address, "/api_v1/auth/refresh", &json!({ "refresh_token": token })).0
}

fn stop(platform: &mut Platform) {
    platform.signal("TERM");
    assert_eq!(platform.end(), Some(0), "{}", platform.log());
}

#[test]
fn a_backup_made_under_writes_is_restored_on_another_machine_where_everyone_signs_in_and_stays_signed_in() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("ada@example.com", &["--admin"]);
    let (status, tokens) = sign_in(&platform.gateway(), "ada@example.com");
    assert_eq!(status, 200);
    let (stop_writing, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writer = {
        let (address, stop, written) = (platform.gateway(), Arc::clone(&stop_writing), Arc::clone(&written));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let number = written.load(Ordering::Relaxed);
                let user = json!({"email": format!("user{number}@example.com"), "password": PASSWORD});
                assert_eq!(post(&address, "/api_v1/users", &user).0, 201);
                written.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    wait_for("some users", || (written.load(Ordering::Relaxed) > 5).then_some(()));
    let before = written.load(Ordering::Relaxed);
    let made = place.run(&["backup", "copy", "--with-master-key", "-o", "json"]).done();
    stop_writing.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    let after = written.load(Ordering::Relaxed);
    assert_eq!(made.json()["databases"], json!(["gateway", "users"]));
    let copy = place.path().join("copy");
    for (path, mode) in
        [(copy.clone(), 0o700), (copy.join("users.db"), 0o600), (copy.join("master.key"), 0o600)]
    {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }

    // On another machine, with the same public address.
    let issuer = format!("http://{}", platform.gateway());
    let elsewhere = Place::new().with("PLATFORM__GATEWAY__PUBLIC_URL", &issuer);
    elsewhere.run(&["restore", copy.to_str().unwrap()]).failed(2, "--yes");
    elsewhere.run(&["restore", copy.to_str().unwrap(), "--yes"]).done();
    let restored = elsewhere.serve(&[]);
    let (status, _) = sign_in(&restored.gateway(), "ada@example.com");
    assert_eq!(status, 200, "{}", restored.log());
    assert_eq!(refresh(&restored.gateway(), &tokens["refresh_token"]), 200, "who was signed in stays so");
    let listed = restored.place.run(&["user", "list", "-o", "json"]).done().json();
    let count = listed.as_array().unwrap().len() - 1;
    assert!((before..=after).contains(&count), "{before} <= {count} <= {after}");
    restored.place.run(&["audit", "verify"]).done();
    let (status, _) = post(
        &restored.gateway(),
        "/api_v1/users",
        &json!({"email": "new@example.com", "password": PASSWORD}),
    );
    assert_eq!(status, 201);
}

#[test]
fn a_running_platform_is_not_restored_over_and_what_was_there_is_kept() {
    let mut platform = Place::new().serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    platform.place.run(&["backup", "copy"]).done();
    platform.create("later@example.com", &[]);
    let pid = platform.child.id().to_string();
    platform.place.run(&["restore", "copy", "--yes"]).failed(1, &pid);
    // Also where it is not found by its file.
    let run_file = platform.place.data().join("platform.run");
    let told = fs::read(&run_file).unwrap();
    fs::remove_file(&run_file).unwrap();
    platform.place.run(&["restore", "copy", "--yes"]).failed(1, &pid);
    fs::write(&run_file, told).unwrap();
    stop(&mut platform);

    let place = &platform.place;
    let done = place.run(&["restore", "copy", "--yes"]).done();
    assert!(done.stderr.contains("before-restore-"), "{done:#?}");
    let kept = fs::read_dir(place.data()).unwrap().filter_map(Result::ok);
    let kept = kept
        .map(|entry| entry.path())
        .find(|path| path.to_str().unwrap().contains("before-restore-"))
        .unwrap();
    assert!(kept.join("users.db").exists() && kept.join("gateway.db").exists());
    let left = fs::read_dir(place.data()).unwrap().filter_map(Result::ok);
    assert!(left.map(|entry| entry.file_name()).all(|name| !name.to_str().unwrap().contains("restoring")));
    assert_eq!(place.run(&["doctor"]).code, Some(0));
}

#[test]
fn a_backup_without_its_master_key_brings_back_the_users_alone() {
    let platform = Place::new().serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    let made = platform.place.run(&["backup", "copy"]).done();
    assert!(made.stderr.contains("master.key") && made.stderr.contains("apart"), "{made:#?}");
    let copy = platform.place.path().join("copy");
    assert!(!copy.join("master.key").exists());
    let copy = copy.to_str().unwrap().to_owned();

    let elsewhere = Place::new();
    let refused = elsewhere.run(&["restore", &copy, "--yes"]).failed(1, "there is no master key");
    assert!(refused.stderr.contains("--service users"), "{refused:#?}");
    let other = Place::new().serve(&[]);
    let other_key = fs::read(other.place.data().join("master.key")).unwrap();
    drop(other);
    fs::write(elsewhere.data().join("master.key"), other_key).unwrap();
    elsewhere.run(&["restore", &copy, "--yes"]).failed(1, "is not the one of the backup's gateway");
    assert!(!elsewhere.data().join("gateway.db").exists(), "nothing was changed");
    elsewhere.run(&["restore", &copy, "--yes", "--service", "users"]).done();
    let restored = elsewhere.serve(&[]);
    assert_eq!(sign_in(&restored.gateway(), "ada@example.com").0, 200);

    // The key is kept apart and comes back by itself.
    let with_key = Place::new();
    fs::create_dir(with_key.data()).unwrap();
    fs::copy(platform.place.data().join("master.key"), with_key.data().join("master.key")).unwrap();
    with_key.run(&["restore", &copy, "--yes"]).done();
    assert_eq!(sign_in(&with_key.serve(&[]).gateway(), "ada@example.com").0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_newer_or_no_backup_changes_nothing() {
    let mut platform = Place::new().serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    stop(&mut platform);
    let place = &platform.place;
    place.run(&["backup", "copy", "--with-master-key"]).done();
    place.run(&["backup", "copy"]).failed(1, "is there already");
    let before = fs::read(place.data().join("users.db")).unwrap();
    place.run(&["restore", "nowhere", "--yes"]).failed(1, "is no backup");

    let file = place.path().join("copy/users.db");
    let whole = fs::read(&file).unwrap();
    let mut broken = whole.clone();
    *broken.last_mut().unwrap() ^= 1;
    fs::write(&file, &broken).unwrap();
    place.run(&["restore", "copy", "--yes"]).failed(1, "is damaged");
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    place.run(&["restore", "copy", "--yes"]).failed(1, "is damaged");
    assert_eq!(fs::read(place.data().join("users.db")).unwrap(), before);

    let url: DatabaseUrl = format!("sqlite://{}", place.data().join("users.db").display()).parse().unwrap();
    execute(&url, "INSERT INTO users_migrations (version, applied_at) VALUES ('m20990101_000001_later', 0)")
        .await;
    place.run(&["backup", "newer"]).done();
    place.run(&["restore", "newer", "--yes"]).failed(1, "is of a newer version");
}

#[test]
fn a_crafted_backup_moves_nothing_outside_and_neither_hangs_nor_fills_the_disk_nor_speaks_to_the_terminal() {
    let mut platform = Place::new().serve(&[]);
    platform.create("ada@example.com", &["--admin"]);
    stop(&mut platform);
    let place = &platform.place;
    place.run(&["backup", "copy"]).done();
    let (copy, data) = (place.path().join("copy"), place.data());
    let file = copy.join("manifest.json");
    let good: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let before = fs::read(data.join("users.db")).unwrap();
    let refused = |manifest: &Value, words: &str| {
        fs::write(&file, manifest.to_string()).unwrap();
        let ended = place.run(&["restore", "copy", "--yes", "--service", "users"]).failed(1, words);
        assert!(!ended.stderr.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{ended:#?}");
        assert_eq!(fs::read(data.join("users.db")).unwrap(), before);
    };
    for text in
        ["x/../../../outside/moved", "../x", "2026-11-28T10:00:00Z/../../x", "2026-11-28", "", "\u{1b}[2J"]
    {
        let mut manifest = good.clone();
        manifest["created_at"] = json!(text);
        refused(&manifest, "is no backup");
    }
    let mut twice = good.clone();
    let users = twice["databases"][1].clone();
    twice["databases"].as_array_mut().unwrap().push(users);
    refused(&twice, "two databases of users");
    let mut other = good.clone();
    (other["format"], other["platform"]) = (json!(99), json!("\u{1b}]0;x\u{7}\u{9b}2J\u{202e}"));
    refused(&other, "its form is 99");
    let mut larger = good.clone();
    larger["databases"][1]["bytes"] = json!(1_u64 << 60);
    refused(&larger, "can't be copied");

    // What is no file, or has no end.
    let database = copy.join("users.db");
    let whole = fs::read(&database).unwrap();
    let made = |program: &str, arguments: &[&std::ffi::OsStr]| {
        fs::remove_file(&database).unwrap();
        assert!(std::process::Command::new(program).args(arguments).status().unwrap().success());
    };
    made("ln", &["-s".as_ref(), "/dev/zero".as_ref(), database.as_os_str()]);
    refused(&good, "can't be copied");
    made("mkfifo", &[database.as_os_str()]);
    refused(&good, "can't be copied");
    made("mkdir", &[database.as_os_str()]);
    refused(&good, "can't be copied");
    fs::remove_dir(&database).unwrap();
    fs::write(&database, &whole).unwrap();
    fs::File::options().write(true).open(&database).unwrap().set_len(1 << 40).unwrap();
    refused(&good, "is damaged");

    fs::write(&database, &whole).unwrap();
    fs::write(&file, good.to_string()).unwrap();
    place.run(&["restore", "copy", "--yes", "--service", "users"]).done();
    let names = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let kept: Vec<String> = names.filter(|name| name.starts_with("before-restore-")).collect();
    assert!(matches!(&kept[..], [name] if name.contains("Z-") && !name.contains(':')), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_on_a_server_are_told_and_not_passed_over_in_silence() {
    let users = TestDatabase::postgres().await;
    let place = Place::new().with("PLATFORM__USERS__DATABASE_URL", &users.url().expose());
    place.run(&["backup", "copy"]).ended(1);
    place.run(&["migrate", "up"]).done();
    let made = place.run(&["backup", "copy", "-o", "json"]).done();
    assert_eq!(made.json()["databases"], json!(["gateway"]));
    assert!(made.stderr.contains("pg_dump"), "{made:#?}");
}
