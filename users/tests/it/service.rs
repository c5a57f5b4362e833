//! A users service of one test, with a gateway that signs for whoever the test says.

use std::net::SocketAddr;

use contract::{Role, Subject, UserId, users::SERVICE};
use kit::testing::{TestDatabase, TestGateway};
use reqwest::{Client, Method, header::HeaderMap};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use users::Config;

/// A password that every policy takes.
pub(crate) const PASSWORD: &str = "träumende Kühe 42 und mehr";

/// A running service.
pub(crate) struct TestService {
    pub(crate) gateway: TestGateway,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinHandle<Result<(), users::ServeError>>,
    pub(crate) database: TestDatabase,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The `detail` of a problem answer, which must be one in every part.
    pub(crate) fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.body["status"], status);
        for member in ["type", "title", "instance", "request_id"] {
            assert!(self.body[member].is_string(), "{member}: {self:?}");
        }
        self.body["detail"].as_str().unwrap()
    }

    /// The pointers of a 422.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        self.problem(422);
        self.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault["pointer"].as_str().unwrap())
            .collect()
    }

    pub(crate) fn ok(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// Whoever asks.
#[derive(Debug, Clone)]
pub(crate) struct As(Subject, Vec<Role>);

pub(crate) fn anonymous() -> As {
    As(Subject::Anonymous, Vec::new())
}

pub(crate) fn operator() -> As {
    As(Subject::Operator, vec![Role::ADMIN])
}

pub(crate) fn gateway() -> As {
    As(Subject::Service("gateway".to_owned()), Vec::new())
}

pub(crate) fn user(id: i64) -> As {
    As(Subject::User(UserId(id)), vec![Role::USER])
}

pub(crate) fn admin(id: i64) -> As {
    As(Subject::User(UserId(id)), vec![Role::ADMIN, Role::USER])
}

impl TestService {
    pub(crate) async fn start(database: TestDatabase) -> Self {
        Self::start_with(database, |_| {}).await
    }

    pub(crate) async fn start_with(database: TestDatabase, set: impl FnOnce(&mut Config)) -> Self {
        kit::testing::log();
        migration::up(migration::Service::Users, database.url(), None).await.unwrap();
        let gateway = TestGateway::start().await;
        let mut config =
            Config::new(([127, 0, 0, 1], 0).into(), database.url().clone(), gateway.url().to_owned());
        set(&mut config);
        let service = users::bind(config).await.unwrap_or_else(|error| panic!("{error}"));
        let (address, shutdown) = (service.address(), CancellationToken::new());
        let running = tokio::spawn(service.run(shutdown.clone()));
        let client = Client::builder().no_proxy().build().unwrap();
        Self { gateway, address, client, shutdown, running, database }
    }

    pub(crate) fn token(&self, who: &As) -> String {
        self.gateway.token(SERVICE, &who.0, &who.1)
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Answer { status, headers, body }
    }

    pub(crate) fn request(&self, who: &As, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address)).bearer_auth(self.token(who))
    }

    pub(crate) async fn get(&self, who: &As, path: &str) -> Answer {
        self.send(self.request(who, Method::GET, path)).await
    }

    pub(crate) async fn post(&self, who: &As, path: &str, body: Value) -> Answer {
        self.send(self.request(who, Method::POST, path).json(&body)).await
    }

    pub(crate) async fn put(&self, who: &As, path: &str, body: Value) -> Answer {
        self.send(self.request(who, Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, who: &As, path: &str, body: Value) -> Answer {
        let request = self.request(who, Method::PATCH, path).body(body.to_string());
        self.send(request.header("content-type", "application/merge-patch+json")).await
    }

    pub(crate) async fn delete(&self, who: &As, path: &str) -> Answer {
        self.send(self.request(who, Method::DELETE, path)).await
    }

    /// Creates a user with [`PASSWORD`]; its id.
    pub(crate) async fn user(&self, email: &str) -> i64 {
        let body = json!({ "email": email, "password": PASSWORD });
        self.post(&anonymous(), "/api_v1/users", body).await.ok(201).body["id"].as_i64().unwrap()
    }

    /// Creates an admin with [`PASSWORD`]; its id.
    pub(crate) async fn admin(&self, email: &str) -> i64 {
        let body = json!({ "email": email, "password": PASSWORD, "roles": ["admin"] });
        self.post(&operator(), "/api_v1/users", body).await.ok(201).body["id"].as_i64().unwrap()
    }

    /// Creates a role.
    pub(crate) async fn role(&self, name: &str) {
        self.post(&operator(), "/api_v1/roles", json!({ "name": name })).await.ok(201);
    }

    /// Signs in as the gateway would.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.post(&gateway(), "/internal/credentials/verify", body).await
    }

    /// Puts a hash into the user's row, as another system left it.
    pub(crate) async fn set_hash(&self, id: i64, hash: &str) {
        let direct = self.database.open().await;
        let transaction = direct.begin_write().await.unwrap();
        let statement = format!("UPDATE users SET password_hash = '{hash}' WHERE id = {id}");
        transaction.execute_unprepared(&statement).await.unwrap();
        transaction.commit().await.unwrap();
        direct.close().await.unwrap();
    }

    /// The hash in the user's row.
    pub(crate) async fn hash(&self, id: i64) -> String {
        let direct = self.database.open().await;
        let statement = format!("SELECT password_hash FROM users WHERE id = {id}");
        let statement = Statement::from_string(direct.backend(), statement);
        let row = direct.reader().query_one_raw(statement).await.unwrap().unwrap();
        direct.close().await.unwrap();
        row.try_get("", "password_hash").unwrap()
    }
}
