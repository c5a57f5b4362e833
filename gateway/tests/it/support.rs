//! A gateway on free ports with a database of its own, until it is dropped.

mod accounts;
mod declared;
mod forge;
mod origin;
mod proxy;
mod raw;
mod scripted;
mod service;
mod smtp;
mod socket;
mod websocket;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use gateway::{Config, Mail, MasterKey, Templates};
use kit::{client_address::TrustedProxies, server::Limits, testing::TestDatabase};
use migration::Service as Schema;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    accounts::{Account, form},
    declared::{composed, declared, named},
    forge::Forge,
    origin::Origin,
    proxy::Wire,
    raw::{Raw, Script, answer},
    scripted::{read_head, scripted},
    service::{PASSWORD, UsersDouble},
    smtp::Smtp,
    socket::exchange,
    websocket::{EchoService, close_code, exchange_text},
};

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) ops: SocketAddr,
    pub(crate) client: reqwest::Client,
    pub(crate) config: Config,
    pub(crate) reloader: gateway::Reloader,
    shutdown: CancellationToken,
}

/// Every service of the platform's own at one address.
pub(crate) fn service_urls(url: &str) -> BTreeMap<&'static str, String> {
    gateway::SERVICES.iter().map(|service| (*service, url.to_owned())).collect()
}

/// Settings of a test, over a fresh database.
pub(crate) async fn config(database: &TestDatabase, users_url: &str) -> Config {
    migration::up(Schema::Gateway, database.url(), None).await.unwrap();
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        ops_listen: ([127, 0, 0, 1], 0).into(),
        database_url: database.url().clone(),
        database_connections: 5,
        public_url: Some("http://platform.test".to_owned()),
        audience: "platform".to_owned(),
        master_key: MasterKey::generate().unwrap(),
        key_publish_time: Duration::from_mins(5),
        access_token_time: Duration::from_mins(15),
        refresh_sliding: Duration::from_hours(24),
        refresh_absolute: Duration::from_hours(48),
        login_attempts: 5,
        login_window: Duration::from_mins(15),
        revocation_grace: Duration::from_secs(30),
        cors: kit::cors::Origins::default(),
        recent_sign_in: Some(Duration::from_hours(12)),
        second_factor_roles: std::collections::BTreeSet::new(),
        rate_limit: Vec::new(),
        valkey: None,
        limits: Limits { head_time: Duration::from_millis(400), ..Limits::default() },
        tls: None,
        body_bytes: 1024 * 1024,
        cache_bytes: 8 * 1024 * 1024,
        body_time: Duration::from_millis(700),
        service_urls: service_urls(users_url),
        // Scripted services count what they are asked.
        contract_every: None,
        services: Vec::new(),
        composed: Vec::new(),
        issuers: Vec::new(),
        upstream_connect_time: Duration::from_millis(500),
        upstream_time: Duration::from_millis(800),
        trusted_proxies: TrustedProxies::default(),
        mail: Mail {
            transport: None,
            templates: Templates::load(None).unwrap(),
            link_url: None,
            require_verified_address: false,
        },
        docs: true,
        root_leads_to_docs: true,
        admin: true,
    }
}

impl Gateway {
    /// Starts one.
    pub(crate) async fn start(config: Config) -> Self {
        kit::testing::log();
        let service = Box::pin(gateway::bind(config.clone())).await.unwrap();
        let (address, ops) = (service.address(), service.ops_address());
        let reloader = service.reloader();
        let shutdown = CancellationToken::new();
        tokio::spawn(service.run(shutdown.clone()));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Self { address, ops, client, config, reloader, shutdown }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(self.url(path))
    }

    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(self.url(path))
    }

    /// A token of the operator, good wherever a role is asked for.
    pub(crate) async fn operator(&self) -> String {
        use secrecy::ExposeSecret;
        gateway::operator_token(&self.config).await.unwrap().expose_secret().to_owned()
    }

    /// Tokens of a user of the double.
    pub(crate) async fn sign_in(&self, email: &str) -> Tokens {
        let body = serde_json::json!({ "email": email, "password": service::PASSWORD });
        let answer = self.post("/api_v1/auth/access").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Tokens::of(&answer.json().await.unwrap())
    }

    /// What `POST /auth/refresh` answers to a token.
    pub(crate) async fn refresh(&self, token: &str) -> reqwest::Response {
        self.post("/api_v1/auth/refresh").bearer_auth(token).send().await.unwrap()
    }

    /// The status of `GET /users/me` with a token.
    pub(crate) async fn me(&self, token: &str) -> u16 {
        self.get("/api_v1/users/me").bearer_auth(token).send().await.unwrap().status().as_u16()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// What a log-in gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    pub(crate) fn of(body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

/// A problem answer with everything that each must have.
pub(crate) async fn problem(answer: reqwest::Response) -> Value {
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    let text = answer.text().await.unwrap();
    assert_eq!(headers["content-type"], "application/problem+json", "{status} {text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["status"], status);
    assert_eq!(body["request_id"].as_str(), headers["x-request-id"].to_str().ok());
    for field in ["type", "title", "detail", "instance"] {
        assert!(body[field].is_string(), "{field}: {body}");
    }
    if status == 401 {
        assert!(headers["www-authenticate"].to_str().unwrap().starts_with("Bearer "), "{headers:?}");
    }
    if status == 503 {
        assert!(headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    }
    if status == 405 {
        assert!(headers.contains_key("allow"));
    }
    body
}
