//! A throw-away PostgreSQL server, shared by all test processes of this user, stopped by itself when no longer used.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Runs beside the server: once no test has touched `last-used` for five minutes, stops the server and removes its files,
/// under the same lock that a starting test takes.
const WATCH: &str = r#"
while sleep 20; do
  flock "$1/lock" sh -c '
    [ -z "$(find "$1/last-used" -mmin -5 2>/dev/null)" ] || exit 1
    rm -f "$1/url"; kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"; sleep 2; rm -rf "$1/data"' sh "$1" && exit
done
"#;

/// The URL of a running server whose user may create databases.
pub(super) fn server() -> String {
    if let Ok(url) = env::var("PLATFORM_TEST_POSTGRES_URL") {
        return url;
    }
    let home = env::temp_dir().join(format!("platform-test-postgres-{}", user()));
    fs::create_dir_all(&home).expect("the temporary directory can be written");
    let lock = File::create(home.join("lock")).expect("the lock file can be made");
    lock.lock().expect("the lock file can be locked");
    File::create(home.join("last-used")).expect("the mark of use can be made");
    let known = fs::read_to_string(home.join("url")).unwrap_or_default();
    if !known.is_empty() && answers(&known) {
        return known;
    }
    start(&home)
}

pub(super) fn user() -> String {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn answers(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let address = format!("127.0.0.1:{}", url.port().unwrap_or_default());
    std::net::TcpStream::connect(address).is_ok()
}

fn start(home: &Path) -> String {
    let programs = programs();
    let data = home.join("data");
    if data.exists() {
        let _ = as_postgres(&programs.join("pg_ctl")).args(stop(&data)).output();
        fs::remove_dir_all(&data).expect("the old cluster can be removed");
    }
    fs::create_dir(&data).expect("the cluster's directory can be made");
    if user() == "0" {
        run(Command::new("chown").arg("postgres").arg(&data));
        run(Command::new("chmod").arg("711").arg(home));
    }
    run(as_postgres(&programs.join("initdb"))
        .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
        .arg(&data));
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port is free")
        .port();
    let options = format!(
        "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 \
         -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB"
    );
    run(as_postgres(&programs.join("pg_ctl"))
        .args(["start", "-w", "-s", "-l", "/dev/null", "-o", &options, "-D"])
        .arg(&data));
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    fs::write(home.join("url"), &url).expect("the URL can be kept");
    // With --fork, setsid itself ends at once and the watcher outlives this test.
    run(Command::new("setsid")
        .args(["--fork", "sh", "-c", WATCH, "sh"])
        .arg(home)
        .current_dir("/")
        .stderr(Stdio::null()));
    url
}

fn stop(data: &Path) -> Vec<&OsStr> {
    let mut arguments: Vec<&OsStr> = ["stop", "-m", "immediate", "-s", "-D"].iter().map(OsStr::new).collect();
    arguments.push(data.as_os_str());
    arguments
}

/// The newest server installed.
pub(super) fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    found.retain(|programs| programs.join("initdb").exists());
    found.sort();
    found.pop().or_else(|| on_path("initdb")).expect(
        "these tests need a real PostgreSQL: install the package `postgresql`, or name a server in \
         PLATFORM_TEST_POSTGRES_URL",
    )
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).find(|directory| directory.join(program).exists())
}

/// PostgreSQL refuses to run as root.
pub(super) fn as_postgres(program: &Path) -> Command {
    let mut command = if user() == "0" {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

pub(super) fn run(command: &mut Command) {
    // Never a pipe to the server: it would keep the test waiting for the end of its output.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "failed: {command:?}");
}
