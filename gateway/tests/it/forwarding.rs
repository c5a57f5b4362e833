//! What a service gets of a request.

use kit::testing::TestDatabase;

use crate::support::{Gateway, Raw, config, problem};

const EMPTY_LIST: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-total-count: 0\r\ncontent-length: 2\r\n\r\n[]";

#[tokio::test]
async fn the_query_goes_through_unaltered_and_the_client_s_token_never_does() {
    let database = TestDatabase::sqlite();
    let raw = Raw::answering(EMPTY_LIST).await;
    let gateway = Gateway::start(config(&database, &raw.url()).await).await;
    let operator = gateway.operator().await;
    let answer = gateway
        .get("/api_v1/users?skip=1&limit=2&x=b&x=a&q=%20%C3%A9+%2F")
        .bearer_auth(&operator)
        .header("x-forwarded-for", "1.2.3.4")
        .header("x_forwarded_for", "1.2.3.4")
        .header("accept-language", "de")
        .header("connection", "close, authorization")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let request = raw.requests().await.remove(0);
    assert!(
        request.starts_with("GET /api_v1/users?skip=1&limit=2&x=b&x=a&q=%20%C3%A9+%2F HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(!request.contains(&operator) && !request.contains("1.2.3.4"), "{request}");
    assert!(
        request.contains("accept-language: de") && request.contains("x-forwarded-for: 127.0.0.1"),
        "{request}"
    );
    assert!(request.contains("authorization: Bearer "), "{request}");
}

#[tokio::test]
async fn a_request_that_does_not_fit_never_reaches_the_service() {
    let database = TestDatabase::sqlite();
    let raw = Raw::answering(EMPTY_LIST).await;
    let gateway = Gateway::start(config(&database, &raw.url()).await).await;
    let operator = gateway.operator().await;
    let big = "x".repeat(2 * 1024 * 1024);
    let post =
        |body: String| gateway.post("/api_v1/users").header("content-type", "application/json").body(body);
    let cases = [
        (gateway.get("/api_v1/users?limit=0").bearer_auth(&operator), 422),
        (gateway.get("/api_v1/users/abc").bearer_auth(&operator), 422),
        (gateway.get("/api_v1/users").bearer_auth("x"), 401),
        (gateway.get("/api_v1/users"), 401),
        (post("{".to_owned()), 400),
        (post("{}".to_owned()), 422),
        (post(big), 413),
        (gateway.post("/api_v1/users").header("content-type", "text/plain").body("x"), 415),
        (gateway.get("/api_v1/nope"), 404),
        (gateway.client.delete(gateway.url("/api_v1/users")), 405),
    ];
    for (request, status) in cases {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        problem(answer).await;
    }
    assert!(raw.requests().await.is_empty());
}

#[tokio::test]
async fn a_body_in_chunks_has_the_same_limit() {
    let database = TestDatabase::sqlite();
    let raw = Raw::answering(EMPTY_LIST).await;
    let gateway = Gateway::start(config(&database, &raw.url()).await).await;
    let mut request = b"POST /api_v1/users HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        request.extend_from_slice(b"8000\r\n");
        request.extend_from_slice(&b" ".repeat(0x8000));
        request.extend_from_slice(b"\r\n");
    }
    let answer = crate::support::exchange(gateway.address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(raw.requests().await.is_empty());
}
