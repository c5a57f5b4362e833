//! Faults of the machine: disk, descriptors, memory.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::{examined, only_fault};
use crate::process::{BINARY, Place};

#[test]
fn a_disk_that_is_nearly_full_is_found() {
    // A disk of its own, of 8 MiB, where this user may mount one.
    let line = format!(
        "mount -t tmpfs -o size=8m,mode=0700 tmpfs \"$0\" && exec {BINARY} doctor -o json --data-dir \"$0\""
    );
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    std::fs::set_permissions(place.data(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut small = Command::new("unshare");
    small.args(["--mount", "--map-root-user", "sh", "-c", &line]).arg(place.data()).current_dir(place.path());
    let as_ours = place.command(&[]);
    let variables = as_ours.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let ended = small.env_clear().envs(variables).output().unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    if text.is_empty() {
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(told.contains("unshare") || told.contains("mount"), "{told}");
    } else {
        assert!(text.contains("8 MiB are free") && text.contains("\"fault\""), "{text}");
        assert_eq!(ended.status.code(), Some(1));
    }
    only_fault(&place, &["--free", "1000000000"], "disk", "MiB are free");
    assert_eq!(examined(&place, &["--free", "1"]).0, Some(0));
}

#[test]
fn fewer_open_files_than_connections_need_are_found() {
    let place = Place::new();
    let limited = |arguments: &str| {
        let line = format!("ulimit -n 1000; exec {BINARY} doctor {arguments} -o json");
        let ours = place.command(&[]);
        let variables = ours.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(place.path()).env_clear().envs(variables);
        let ended = shell.output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stdout).unwrap())
    };
    let (code, told) = limited("");
    assert!(told.contains("1000 open files, and gateway.max_connections is 10000"), "{told}");
    assert_eq!(code, Some(1));
    let (code, told) = limited("--set gateway.max_connections=500");
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn hashing_that_takes_more_memory_than_there_is_is_found() {
    let much = ["--set", "users.argon2_memory_kib=1048576", "--set", "users.hash_workers=1024"];
    only_fault(&Place::new(), &much, "memory", "MiB are all there is");
}
