//! The listener itself: health, document, start and end.

use std::time::Duration;

use kit::{database::DatabaseError, on_both_databases, testing::TestGateway};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::json;
use users::{Config, StartError};

use crate::service::{TestService, operator, user};

on_both_databases! {
    async fn health_and_document_need_no_token(database: TestDatabase) {
        let service = TestService::start(database).await;
        let get = |path: &str| service.send(service.client.get(format!("http://{}{path}", service.address)));
        assert_eq!(get("/healthz").await.ok(200).body["status"], "alive");
        assert_eq!(get("/readyz").await.ok(200).body["status"], "ready");
        let document = get("/api_v1/openapi.json").await.ok(200).body;
        let declared = contract::users::documents().unwrap();
        let paths = |document: &serde_json::Value| document["paths"].as_object().unwrap().len();
        assert_eq!(paths(&document), declared.iter().map(paths).sum::<usize>());
        for (path, item) in declared.iter().flat_map(|document| document["paths"].as_object().unwrap()) {
            assert_eq!(document["paths"][path], *item, "{path}");
        }
    }

    async fn its_contract_is_told_to_whoever_asks_once_for_each_version(database: TestDatabase) {
        let service = TestService::start(database).await;
        let url = format!("http://{}{}", service.address, contract::handshake::PATH);
        let told = service.send(service.client.get(&url)).await.ok(200);
        let shared = contract::handshake::shared("users", contract::users::documents().unwrap()).unwrap();
        let offer: contract::handshake::Offer = serde_json::from_value(told.body.clone()).unwrap();
        assert_eq!(offer, contract::handshake::Offer::new(shared));
        let tag = format!("\"{}\"", offer.fingerprint);
        assert_eq!(told.header("etag"), Some(tag.as_str()));
        service.send(service.client.get(&url).header("if-none-match", tag)).await.ok(304);
    }

    async fn what_no_route_takes_is_a_problem_answer(database: TestDatabase) {
        let service = TestService::start(database).await;
        service.get(&operator(), "/api_v1/nope").await.problem(404);
        let refused = service.post(&operator(), "/api_v1/users/me", json!({})).await;
        refused.problem(405);
        assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS, PATCH, PUT"));
        let form = service.request(&operator(), Method::POST, "/api_v1/users").header("content-type", "application/x-www-form-urlencoded").body("email=a%40example.com");
        service.send(form).await.problem(415);
        let json = |body: &str| service.request(&operator(), Method::POST, "/api_v1/users").header("content-type", "application/json").body(body.to_owned());
        service.send(json("{\"email\":")).await.problem(400);
        assert_eq!(service.send(json("[1, 2]")).await.pointers(), [""]);
        service.send(json(&format!("\"{}\"", "x".repeat(2 * 1024 * 1024)))).await.problem(413);
    }

    async fn it_refuses_a_schema_that_is_not_migrated_or_newer(database: TestDatabase) {
        let gateway = TestGateway::start().await;
        let config = || Config::new(([127, 0, 0, 1], 0).into(), database.url().clone(), gateway.url().to_owned());
        let refused = users::bind(config()).await.err().unwrap();
        assert!(matches!(refused, StartError::Database(DatabaseError::SchemaOlder { .. })), "{refused}");
        migration::up(migration::Service::Users, database.url(), None).await.unwrap();
        assert!(users::bind(config()).await.is_ok());
        let open = database.open().await;
        let transaction = open.begin_write().await.unwrap();
        transaction.execute_unprepared("INSERT INTO users_migrations VALUES ('m99991231_000001_later', 1)").await.unwrap();
        transaction.commit().await.unwrap();
        let refused = users::bind(config()).await.err().unwrap();
        assert!(matches!(refused, StartError::Database(DatabaseError::SchemaNewer { .. })), "{refused}");
    }

    async fn it_ends_when_told_to_and_keeps_what_it_has(database: TestDatabase) {
        let service = TestService::start(database).await;
        let ann = service.user("ann@example.com").await;
        service.get(&user(ann), "/api_v1/users/me").await.ok(200);
        service.shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(5), service.running).await;
        ended.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_that_goes_away_is_503_and_the_service_lives() {
    let database = kit::testing::TestDatabase::postgres().await;
    let url = database.url().clone();
    let service = TestService::start(database).await;
    let ann = service.user("ann@example.com").await;
    let server = url::Url::parse(&url.expose()).unwrap();
    let name = server.path().trim_start_matches('/').to_owned();
    let mut maintenance = server.clone();
    maintenance.set_path("/postgres");
    let control = kit::database::Database::connect_single(&maintenance.as_str().parse().unwrap(), "test")
        .await
        .unwrap();
    let run = async |sql: String| control.reader().execute_unprepared(&sql).await.unwrap();
    run(format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")).await;
    run(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")).await;
    let answer = service.get(&user(ann), "/api_v1/users/me").await;
    answer.problem(503);
    assert!(answer.header("retry-after").is_some());
    let get = |path: &str| service.send(service.client.get(format!("http://{}{path}", service.address)));
    get("/healthz").await.ok(200);
    get("/readyz").await.ok(503);
    run(format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")).await;
    service.get(&user(ann), "/api_v1/users/me").await.ok(200);
    get("/readyz").await.ok(200);
}

#[test]
fn the_schema_it_was_built_for_is_the_one_the_migrations_make() {
    let made = migration::Service::Users.schema();
    assert_eq!((users::SCHEMA.table, users::SCHEMA.migrations), (made.table, made.migrations));
}
