//! A data folder that a container's user can't use (R08): told at once with path, owner, mode and what mends it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cases_configuration::as_nobody;
use crate::process::{BINARY, Place, wait_for};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    fs::metadata("/proc/self").map(|data| std::os::unix::fs::MetadataExt::uid(&data)).unwrap() == 0
}

/// `serve` ends within a second with exit code 1; what it said.
fn refused(mut command: Command) -> String {
    let begun = Instant::now();
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    // A debug build on a busy machine takes its time to begin.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!told.contains("panicked") && told.contains("error: "), "{told}");
    told
}

#[test]
fn a_folder_of_another_user_is_told_with_both_users_its_mode_and_the_mend() {
    let place = Place::new();
    chmod(place.path(), 0o755);
    // Its parent is another's, it is another's, or only the folder is and the files in it are not.
    let folder = place.data();
    let missing = refused(as_nobody(&place, &["serve", "--data-dir", "/usr/platform-data"]));
    assert!(missing.contains("/usr/platform-data") && missing.contains("install -d"), "{missing}");
    if !is_root() {
        return;
    }
    fs::create_dir(&folder).unwrap();
    chmod(&folder, 0o700);
    let told = refused(as_nobody(&place, &["serve", "--data-dir", folder.to_str().unwrap()]));
    for words in [
        "belongs to 0:0 with mode 0700",
        "runs as 10001:10001",
        "chown 10001:10001",
        folder.to_str().unwrap(),
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let doctor = as_nobody(&place, &["doctor", "-o", "json", "--data-dir", folder.to_str().unwrap()])
        .output()
        .unwrap();
    let found = String::from_utf8(doctor.stdout).unwrap();
    assert!(found.contains("\"data-folder\"") && found.contains("chown 10001:10001"), "{found}");
}

#[test]
fn a_database_whose_folder_can_t_be_written_or_that_an_image_of_root_left_is_told() {
    if !is_root() {
        return;
    }
    let mut platform = Place::new().serve(&[]);
    platform.signal("TERM");
    platform.end();
    let place = &platform.place;
    chmod(place.path(), 0o755);
    let data = place.data();
    // The file is ours and its folder is not: SQLite writes beside the file.
    chmod(&data, 0o755);
    for file in ["users.db", "gateway.db", "master.key"] {
        chown(data.join(file), Some(10001), Some(10001)).unwrap();
    }
    let told = refused(as_nobody(place, &["serve"]));
    assert!(told.contains("platform-data") && told.contains("permission denied"), "{told}");
    // The folder is ours and what is in it is root's, as after an image that ran as root.
    chown(&data, Some(10001), Some(10001)).unwrap();
    for file in ["users.db", "gateway.db", "master.key"] {
        chown(data.join(file), Some(0), Some(0)).unwrap();
    }
    let before = fs::read(data.join("users.db")).unwrap();
    let told = refused(as_nobody(place, &["serve"]));
    assert!(told.contains("gateway.db") || told.contains("users.db"), "{told}");
    assert!(told.contains("chown 10001:10001"), "{told}");
    assert_eq!(fs::read(data.join("users.db")).unwrap(), before);
    // Mended as it was told.
    for file in ["users.db", "gateway.db", "master.key"] {
        chown(data.join(file), Some(10001), Some(10001)).unwrap();
    }
    chmod(&data, 0o700);
    let mut child = as_nobody(place, &["serve"])
        .stderr(fs::File::create(place.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    wait_for("platform.run", || data.join("platform.run").exists().then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn nothing_starts_on_a_folder_or_key_that_others_could_have_put_their_own_in_and_doctor_says_the_same() {
    let mut platform = Place::new().serve(&[]);
    platform.signal("TERM");
    platform.end();
    let place = &platform.place;
    chmod(place.path(), 0o755);
    let (data, key) = (place.data(), place.data().join("master.key"));
    let starts = |command: Command| {
        let mut command = command;
        let log = fs::File::create(place.path().join("log")).unwrap();
        let mut child = command.stderr(log).spawn().unwrap();
        wait_for("platform.run", || {
            let ended = child.try_wait().unwrap().map(|_| fs::read_to_string(place.path().join("log")));
            assert!(ended.is_none(), "{ended:?}");
            data.join("platform.run").exists().then_some(())
        });
        let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(stopped.success() && child.wait().unwrap().success());
    };
    let refused_for = |command: fn(&Place, &[&str]) -> Command, check: &str, words: &str| {
        let told = refused(command(place, &["serve"]));
        assert!(told.contains(words) && told.lines().count() <= 3, "{words}: {told}");
        let doctor = command(place, &["doctor", "-o", "json"]).output().unwrap();
        let found: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
        let is_it = |row: &&serde_json::Value| row["check"] == check && row["verdict"] == "fault";
        let row = found.as_array().unwrap().iter().find(is_it);
        assert!(row.is_some_and(|row| row["what"].as_str().unwrap().contains(words)), "{words}: {found}");
    };
    let ours: fn(&Place, &[&str]) -> Command = Place::command;
    for mode in [0o777, 0o702, 0o1777] {
        chmod(&data, mode);
        refused_for(ours, "data-folder-mode", "everybody on this machine may write in");
    }
    // A group is whom the owner chose.
    chmod(&data, 0o770);
    starts(ours(place, &["serve"]));
    chmod(&data, 0o700);
    for mode in [0o666, 0o602] {
        chmod(&key, mode);
        refused_for(ours, "master-key-mode", "may write the master key");
    }
    chmod(&key, 0o660);
    starts(ours(place, &["serve"]));
    chmod(&key, 0o600);
    if !is_root() {
        return;
    }
    let give = |path: &Path, user: u32| chown(path, Some(user), Some(10001)).unwrap();
    for entry in fs::read_dir(&data).unwrap() {
        give(&entry.unwrap().path(), 10001);
    }
    // Another's folder, into which this user may write by the group.
    give(&data, 10002);
    chmod(&data, 0o770);
    refused_for(as_nobody, "data-folder-mode", "belongs to another user (10002)");
    // Root's, as a volume of a group is.
    give(&data, 0);
    starts(as_nobody(place, &["serve"]));
    give(&key, 10002);
    chmod(&key, 0o640);
    refused_for(as_nobody, "master-key-mode", "belongs to another user (10002)");
    // Root may use what is a service's user's.
    give(&key, 10001);
    give(&data, 10001);
    chmod(&data, 0o700);
    starts(ours(place, &["serve"]));
}

#[test]
fn a_read_only_mount_is_told_as_such() {
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    let line =
        format!("mount -t tmpfs -o ro,mode=0700 tmpfs \"$0\" && exec {BINARY} serve --data-dir \"$0\"");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--map-root-user", "sh", "-c", &line])
        .arg(place.data())
        .current_dir(place.path());
    let ours = place.command(&[]);
    let variables = ours.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let output = command.env_clear().envs(variables).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    // Not everybody may mount.
    if told.contains("unshare:") || told.contains("mount:") {
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("read-only") && told.contains("Mount it writable"), "{told}");
}

#[test]
fn as_process_1_of_a_container_it_ends_on_sigterm_with_exit_code_0() {
    let place = Place::new();
    let ours = place.command(&[]);
    let variables = ours.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--pid", "--fork", "--mount-proc", BINARY, "serve"]);
    let log = fs::File::create(place.path().join("log")).unwrap();
    command
        .env_clear()
        .envs(variables)
        .current_dir(place.path())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let mut child = command.spawn().unwrap();
    let run = wait_for("platform.run", || {
        let ended = child.try_wait().unwrap().is_some();
        let run = fs::read_to_string(place.data().join("platform.run")).ok();
        (ended || run.is_some()).then_some(run)
    });
    // Not everybody may make such a space of processes.
    let Some(run) = run else {
        let told = fs::read_to_string(place.path().join("log")).unwrap();
        assert!(told.contains("unshare:"), "{told}");
        return;
    };
    assert!(run.contains("\"pid\": 1,"), "{run}");
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let begun = Instant::now();
    let kill = Command::new("kill").args(["-TERM", children.trim()]).status().unwrap();
    assert!(kill.success());
    let ended = wait_for("its end", || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0), "{}", fs::read_to_string(place.path().join("log")).unwrap());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
