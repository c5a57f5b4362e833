//! Faults of the data folder, its files and the master key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use secrecy::ExposeSecret as _;

use super::{fault, only_fault, sound_and_stopped};
use crate::process::{Place, wait_for};

fn chmod(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_data_folder_that_can_not_be_used_is_found() {
    let place = Place::new();
    fs::write(place.path().join("file"), "").unwrap();
    for folder in ["file", "file/inside"] {
        only_fault(&place, &["--data-dir", folder], "data-folder", folder);
    }
}

#[test]
fn what_others_can_read_is_found() {
    let platform = sound_and_stopped(Place::new());
    let place = &platform.place;
    let data = place.data();
    chmod(&data, 0o755);
    only_fault(place, &[], "data-folder-mode", "mode 0755");
    chmod(&data, 0o700);
    chmod(&data.join("users.db"), 0o644);
    only_fault(place, &[], "database-file-mode", "users.db");
    chmod(&data.join("users.db"), 0o600);
    chmod(&data.join("master.key"), 0o640);
    only_fault(place, &[], "master-key-mode", "master.key");
}

#[test]
fn a_master_key_that_is_missing_weak_or_of_another_platform_is_found() {
    let platform = sound_and_stopped(Place::new());
    let place = &platform.place;
    let path = place.data().join("master.key");
    let right = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    only_fault(place, &[], "master-key", "missing");
    let other = gateway::MasterKey::generate().unwrap().to_base64();
    for (key, words) in [(other.expose_secret(), "not the one"), ("short", "master.key"), ("", "empty")] {
        fs::write(&path, key).unwrap();
        chmod(&path, 0o600);
        only_fault(place, &[], "master-key", words);
    }
    fs::write(&path, right).unwrap();
    assert_eq!(super::examined(place, &[]).0, Some(0));
}

#[test]
fn what_a_killed_process_left_is_found() {
    let mut platform = super::sound(Place::new());
    platform.signal("KILL");
    platform.end();
    let found = only_fault(&platform.place, &[], "run-file", "is gone");
    assert!(found["what"].as_str().unwrap().contains(&platform.child.id().to_string()), "{found}");
    fs::write(platform.place.data().join("platform.run"), "{").unwrap();
    fault(&platform.place, &[], "run-file", "can't be read");
    wait_for("the end", || platform.child.try_wait().unwrap());
}
