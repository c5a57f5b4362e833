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
