//! A widgets service of one test, with a gateway that signs for whoever the test says.

use std::net::SocketAddr;

use contract::{Role, Subject, UserId, widgets::SERVICE};
use kit::testing::{TestDatabase, TestGateway};
use reqwest::{Client, Method};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};
use widgets::Config;

/// A running service.
pub(crate) struct TestService {
    gateway: TestGateway,
    address: SocketAddr,
    client: Client,
    _stop: DropGuard,
    _database: TestDatabase,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// Whoever asks.
#[derive(Debug, Clone)]
pub(crate) struct As(Option<(Subject, Vec<Role>)>);

pub(crate) fn anonymous() -> As {
    As(None)
}

pub(crate) fn user(id: i64) -> As {
    As(Some((Subject::User(UserId(id)), vec![Role::USER])))
}

pub(crate) fn admin(id: i64) -> As {
    As(Some((Subject::User(UserId(id)), vec![Role::ADMIN, Role::USER])))
}

impl TestService {
    pub(crate) async fn start(database: TestDatabase) -> Self {
        kit::testing::log();
        migration::up(migration::Service::Widgets, database.url(), None).await.unwrap();
        let gateway = TestGateway::start().await;
        let config = Config::new(([127, 0, 0, 1], 0).into(), database.url().clone(), gateway.url().to_owned());
        let service = widgets::bind(config).await.unwrap_or_else(|error| panic!("{error}"));
        let (address, shutdown) = (service.address(), CancellationToken::new());
        tokio::spawn(service.run(shutdown.clone()));
        let client = Client::builder().no_proxy().build().unwrap();
        Self { gateway, address, client, _stop: shutdown.drop_guard(), _database: database }
    }

    pub(crate) async fn send(&self, who: &As, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        if let Some((subject, roles)) = &who.0 {
            request = request.bearer_auth(self.gateway.token(SERVICE, subject, roles));
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Answer { status, location, body }
    }

    pub(crate) async fn get(&self, who: &As, path: &str) -> Answer {
        self.send(who, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, who: &As, path: &str, body: Value) -> Answer {
        self.send(who, Method::POST, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, who: &As, path: &str) -> Answer {
        self.send(who, Method::DELETE, path, None).await
    }
}
