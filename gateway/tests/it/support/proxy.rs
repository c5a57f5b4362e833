//! A way to a PostgreSQL server that a test can cut off and mend.

use std::net::SocketAddr;

use kit::{database::DatabaseUrl, testing::TestDatabase};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Passes connections on while it is whole.
pub(crate) struct Wire {
    address: SocketAddr,
    whole: watch::Sender<bool>,
}

impl Wire {
    /// To the server of this database.
    pub(crate) async fn to(database: &TestDatabase) -> Self {
        let url = url::Url::parse(&database.url().expose()).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (whole, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut state, server) = (state.clone(), server.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = state.wait_for(|whole| !whole) => {}
                        () = pass(client, &server) => {}
                    }
                });
            }
        });
        Self { address, whole }
    }

    /// The database, by way of this wire.
    pub(crate) fn url(&self, database: &TestDatabase) -> DatabaseUrl {
        let mut url = url::Url::parse(&database.url().expose()).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.as_str().parse().unwrap()
    }

    /// Breaks every connection, and every one that is made from now on.
    pub(crate) fn cut(&self) {
        self.whole.send(false).unwrap();
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.whole.send(true).unwrap();
    }
}

async fn pass(mut client: TcpStream, server: &str) {
    if let Ok(mut server) = TcpStream::connect(server).await {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
