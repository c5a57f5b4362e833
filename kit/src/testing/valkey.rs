//! A Valkey (or Redis) of one test, on a free port, that can be stopped, held and started again.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take to answer after its start.
const START: Duration = Duration::from_secs(20);

/// A server, until it is dropped.
#[derive(Debug)]
pub struct TestValkey {
    address: SocketAddr,
    server: Option<Child>,
}

impl TestValkey {
    /// Starts one, without anything in it.
    #[must_use]
    pub fn start() -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port is free");
        let mut valkey = Self { address, server: None };
        valkey.start_again();
        valkey
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Ends it at once, as a crash does. What was in it is gone.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("the server can be killed");
            server.wait().expect("the server ends");
        }
    }

    /// Starts it on the same port.
    pub fn start_again(&mut self) {
        let server = ["valkey-server", "redis-server"].into_iter().find_map(|program| {
            Command::new(program)
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp", "--port"])
                .arg(self.address.port().to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .ok()
        });
        self.server = Some(server.expect(
            "these tests need a real Valkey or Redis: install the package `valkey-server` or `redis-server`",
        ));
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(begun.elapsed() < START, "the server does not answer");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Freezes it, so that connections stay and nothing is answered; or lets it go on.
    pub fn hold(&self, held: bool) {
        let server = self.server.as_ref().expect("the server runs");
        let signal = if held { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").args([signal, &server.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal is sent");
    }
}

impl Drop for TestValkey {
    fn drop(&mut self) {
        self.stop();
    }
}
