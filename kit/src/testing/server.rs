//! A PostgreSQL of one test, whose users have passwords, that can be stopped and started again.

use std::{fs, net::TcpListener, path::PathBuf, process::Command};

use tempfile::TempDir;

use super::postgres::{as_postgres, programs, run, user};

/// A server, until it is dropped.
#[derive(Debug)]
pub struct TestPostgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl TestPostgres {
    /// Makes one whose user `postgres` has this password; it does not run yet.
    #[must_use]
    pub fn with_password(password: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port is free")
            .port();
        let server = Self { folder, programs: programs(), port };
        let secret = server.folder.path().join("password");
        fs::create_dir(server.data()).expect("the cluster's directory can be made");
        fs::write(&secret, password).expect("the password can be written");
        if user() == "0" {
            run(Command::new("chown").arg("-R").arg("postgres").arg(server.folder.path()));
        }
        run(as_postgres(&server.programs.join("initdb"))
            .args([
                "--auth=scram-sha-256",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .arg(format!("--pwfile={}", secret.display()))
            .arg("-D")
            .arg(server.data()));
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it and waits until it answers.
    pub fn start(&self) {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c shared_buffers=16MB",
            self.port
        );
        run(as_postgres(&self.programs.join("pg_ctl"))
            .args(["start", "-w", "-s", "-l", "/dev/null", "-o", &options, "-D"])
            .arg(self.data()));
    }

    /// Stops it at once, as a crash does.
    pub fn stop(&self) {
        run(as_postgres(&self.programs.join("pg_ctl"))
            .args(["stop", "-m", "immediate", "-s", "-D"])
            .arg(self.data()));
    }

    /// Where a database of it is, for `postgres` with this password.
    #[must_use]
    pub fn url(&self, password: &str, database: &str) -> String {
        format!("postgres://postgres:{password}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            let mut stop = as_postgres(&self.programs.join("pg_ctl"));
            let _ = stop.args(["stop", "-m", "immediate", "-s", "-D"]).arg(self.data()).status();
        }
    }
}
