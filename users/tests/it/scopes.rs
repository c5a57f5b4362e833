//! What a token is good for, held to by the service itself: a service's account calls it without the gateway in between.

use contract::{Role, Subject, users::SERVICE};
use kit::testing::TestDatabase;
use reqwest::{Method, header::WWW_AUTHENTICATE};
use serde_json::json;

use crate::service::{Answer, TestService};

/// What the service answers to a caller whose token carries the role `admin` and these scopes.
async fn ask(service: &TestService, subject: Subject, scopes: &str, method: Method, path: &str) -> Answer {
    let mut claims = service.gateway.claims(SERVICE, &subject, &[Role::ADMIN]);
    claims.scope = scopes.parse().unwrap();
    let token = service.gateway.sign(&claims, kit::internal_token::KIND);
    let url = format!("http://{}{path}", service.address);
    let request = service.client.request(method, url).bearer_auth(token);
    service
        .send(request.json(&json!({ "email": "x@example.com", "password": "correct horse battery" })))
        .await
}

#[tokio::test]
async fn a_token_is_good_for_what_its_scopes_hold_and_no_more() {
    let service = TestService::start(TestDatabase::sqlite()).await;
    let orders = || Subject::Service("orders".to_owned());
    let list = |subject, scopes| ask(&service, subject, scopes, Method::GET, "/api_v1/users");
    let create = |subject, scopes| ask(&service, subject, scopes, Method::POST, "/api_v1/users");
    list(orders(), "users:read").await.ok(200);
    let refused = create(orders(), "users:read").await;
    assert!(refused.problem(403).contains("users:write"));
    let challenge = refused.headers[WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\", scope=\"users:write\""), "{challenge}");
    create(orders(), "users:write users:read").await.ok(201);
    // An account without scopes is good for nothing; a person without is bound by roles alone, one with some by them too.
    list(orders(), "").await.problem(403);
    list(Subject::Operator, "").await.ok(200);
    list(Subject::Operator, "audit:read").await.problem(403);
}

#[tokio::test]
async fn no_scope_opens_what_is_the_gateway_s_alone() {
    let service = TestService::start(TestDatabase::sqlite()).await;
    let ask = |name: &str| {
        ask(&service, Subject::Service(name.to_owned()), "internal", Method::GET, "/internal/users/1")
    };
    ask("orders").await.problem(403);
    ask("gateway").await.problem(404);
}

#[tokio::test]
async fn a_service_that_calls_directly_reads_and_changes_nothing() {
    let service = TestService::start(TestDatabase::sqlite()).await;
    let mut claims = service.gateway.claims(SERVICE, &Subject::Service("orders".to_owned()), &[Role::ADMIN]);
    claims.scope = "users:read users:write".parse().unwrap();
    claims.act.sub = "service:orders".to_owned();
    let token = service.gateway.sign(&claims, kit::internal_token::KIND);
    let url = format!("http://{}/api_v1/users", service.address);
    service.send(service.client.get(&url).bearer_auth(&token)).await.ok(200);
    let body = json!({ "email": "x@example.com", "password": "correct horse battery" });
    service.send(service.client.post(&url).bearer_auth(&token).json(&body)).await.problem(403);
    // Nor does anybody but the gateway act as the gateway.
    claims.sub = "service:gateway".to_owned();
    let token = service.gateway.sign(&claims, kit::internal_token::KIND);
    service.send(service.client.get(&url).bearer_auth(&token)).await.problem(401);
}
