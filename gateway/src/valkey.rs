//! The connection to Valkey (or Redis): what replicas share and may lose.
//!
//! No request waits for a connection: there is one, or there is none. A task of its own makes it anew, and it counts only once
//! the server takes a write, so that a replica or a full server is not taken for one that is back.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Notify, time};
use tokio_util::sync::CancellationToken;

/// How long a request waits for an answer of Valkey at most; after one such wait none waits until it is back.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(1);

/// Between two attempts to make one.
const PAUSE: Duration = Duration::from_millis(500);

/// What is written to see whether writes are taken.
const PROBE: &str = "platform:probe";

/// The setting holds no URL of a Valkey.
#[derive(Debug, thiserror::Error)]
#[error("is not of the form redis://user:password@host:port/number or rediss://…")]
pub struct BadValkeyUrl;

/// Where a Valkey is.
#[derive(Clone)]
pub struct ValkeyUrl(Arc<Client>);

// By hand, since the client holds a password.
impl fmt::Debug for ValkeyUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ValkeyUrl({})", self.0.get_connection_info().addr())
    }
}

impl ValkeyUrl {
    /// From `redis://user:password@host:port/number`, or `rediss://` with TLS.
    ///
    /// # Errors
    /// It is none. The text, which may hold a password, is not repeated.
    pub fn new(url: &SecretString) -> Result<Self, BadValkeyUrl> {
        let url = url.expose_secret();
        // As the project itself spells its own scheme.
        let url = url.strip_prefix("valkey").map_or_else(|| url.to_owned(), |rest| format!("redis{rest}"));
        Client::open(url).map(Arc::new).map(Self).map_err(|_| BadValkeyUrl)
    }
}

impl ValkeyUrl {
    /// Whether it is there and takes writes.
    ///
    /// # Errors
    /// Why not; nothing of the URL is in it.
    pub async fn probe(self) -> Result<(), String> {
        Valkey::closed(self).connect().await.map_err(|gone| gone.to_string())
    }
}

/// A Valkey that is there, or gone.
pub(crate) struct Valkey {
    client: Arc<Client>,
    connection: ArcSwapOption<MultiplexedConnection>,
    lost: Notify,
}

/// Why Valkey was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Gone {
    #[error("no connection")]
    NoConnection,
    #[error("no answer within {PATIENCE:?}")]
    Timeout,
    #[error(transparent)]
    Refused(#[from] RedisError),
}

impl Valkey {
    /// Connected, where that is possible at once; the rest is [`Valkey::run`]'s.
    pub(crate) async fn open(url: ValkeyUrl) -> Self {
        let valkey = Self::closed(url);
        if let Err(gone) = valkey.connect().await {
            told_gone(&gone);
        }
        valkey
    }

    fn closed(url: ValkeyUrl) -> Self {
        // Two providers are compiled in, and rustls would not choose between them. One that is chosen already stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self { client: url.0, connection: ArcSwapOption::empty(), lost: Notify::new() }
    }

    /// Asks Valkey, if it is there.
    ///
    /// # Errors
    /// [`Gone`], at once where it was gone before.
    pub(crate) async fn ask<T, F>(&self, ask: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, Gone>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let Some(connection) = self.connection.load_full() else { return Err(Gone::NoConnection) };
        match within(PATIENCE, ask(MultiplexedConnection::clone(&connection))).await {
            Ok(answer) => Ok(answer),
            Err(gone) => {
                self.lose(&connection, &gone);
                Err(gone)
            }
        }
    }

    /// The first of those whose call failed on a connection takes it away, and tells.
    fn lose(&self, connection: &Arc<MultiplexedConnection>, gone: &Gone) {
        let before = self.connection.compare_and_swap(&Some(Arc::clone(connection)), None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, connection)) {
            told_gone(gone);
            self.lost.notify_one();
        }
    }

    async fn connect(&self) -> Result<(), Gone> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(PATIENCE));
        let connecting = async {
            let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
            redis::cmd("SET").arg(PROBE).arg(1).arg("EX").arg(1).exec_async(&mut connection).await?;
            Ok(connection)
        };
        let connection = within(CONNECT, connecting).await?;
        self.connection.store(Some(Arc::new(connection)));
        Ok(())
    }

    /// Makes the connection anew whenever it is lost, until `shutdown`.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let keeping = async {
            loop {
                if self.connection.load().is_some() {
                    self.lost.notified().await;
                } else if self.connect().await.is_ok() {
                    tracing::info!("Valkey is back: what replicas share is shared again");
                } else {
                    time::sleep(PAUSE).await;
                }
            }
        };
        shutdown.run_until_cancelled(keeping).await;
    }
}

async fn within<T>(most: Duration, answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, Gone> {
    match time::timeout(most, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Gone::Timeout),
    }
}

fn told_gone(gone: &Gone) {
    tracing::warn!(%gone, "Valkey is gone: each replica goes on by itself until it is back");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_is_told_without_its_password_and_a_right_one_shows_none() {
        let parse = |text: &str| ValkeyUrl::new(&SecretString::from(text));
        for text in ["", "http://user:hunter2@host", "redis://user:hunter2@host/x"] {
            assert!(!parse(text).unwrap_err().to_string().contains("hunter2"));
        }
        for text in
            ["redis://user:hunter2@host/1", "valkey://:hunter2@host", "rediss://user:hunter2@host:7000"]
        {
            let shown = format!("{:?}", parse(text).unwrap());
            assert!(shown.contains("host") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[tokio::test]
    async fn what_speaks_no_tls_is_gone_and_nothing_panics() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rediss://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let valkey = Valkey::open(ValkeyUrl::new(&SecretString::from(url)).unwrap()).await;
        assert!(valkey.connection.load().is_none());
    }
}
