//! A service that is down, hangs, or breaks its contract, as a client sees it.

use std::time::{Duration, Instant};

use kit::testing::TestDatabase;

use crate::support::{Gateway, Raw, config, problem};

const USER: &str = r#"{"id":1,"email":"a@example.com","is_active":true,"email_verified":true,"first_name":null,"last_name":null,"roles":["user"],"created_at":"2026-11-25T08:30:00Z","updated_at":"2026-11-25T08:30:00Z","must_change_password":false}"#;

async fn ask(raw: &Raw) -> reqwest::Response {
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, &raw.url()).await).await;
    let operator = gateway.operator().await;
    gateway.get("/api_v1/users/1").bearer_auth(operator).send().await.unwrap()
}

#[tokio::test]
async fn a_service_that_is_stopped_is_503_with_retry_after_within_a_second() {
    let database = TestDatabase::sqlite();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gateway = Gateway::start(config(&database, &format!("http://{closed}")).await).await;
    let operator = gateway.operator().await;
    let started = Instant::now();
    let answer = gateway.get("/api_v1/users/1").bearer_auth(operator).send().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(answer.status(), 503);
    assert_eq!(problem(answer).await["detail"], "Service unavailable");
    let login = serde_json::json!({ "email": "a@example.com", "password": "x" });
    let answer = gateway.post("/api_v1/auth/access").json(&login).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    problem(answer).await;
}

#[tokio::test]
async fn a_service_that_hangs_is_504() {
    let raw = Raw::start(crate::support::Script::Hang).await;
    let answer = ask(&raw).await;
    assert_eq!(answer.status(), 504);
    problem(answer).await;
    raw.connection_closed().await;
}

#[tokio::test]
async fn a_client_that_goes_away_takes_the_call_with_it() {
    let database = TestDatabase::sqlite();
    let raw = Raw::start(crate::support::Script::Hang).await;
    let slow =
        gateway::Config { upstream_time: Duration::from_mins(1), ..config(&database, &raw.url()).await };
    let gateway = Gateway::start(slow).await;
    let operator = gateway.operator().await;
    let asking = tokio::spawn(gateway.get("/api_v1/users/1").bearer_auth(operator).send());
    raw.request_seen().await;
    asking.abort();
    raw.connection_closed().await;
}

#[tokio::test]
async fn an_answer_that_breaks_the_contract_is_502_and_nothing_of_it_leaks() {
    let json = |status: &str, body: &str| crate::support::answer(status, "application/json", body);
    let cases = [
        ("HTML", crate::support::answer("200 OK", "text/html", "<html>secret</html>")),
        ("no content type", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned()),
        ("broken JSON", json("200 OK", "{\"secret\":")),
        ("null", json("200 OK", "null")),
        ("an array", json("200 OK", "[\"secret\"]")),
        ("another shape", json("200 OK", "{\"id\":\"secret\"}")),
        ("another status", json("202 Accepted", "{}")),
        ("an undeclared error", json("418 I'm a teapot", "{\"detail\":\"secret\"}")),
        (
            "a redirect",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ),
        ("an error in another type", json("404 Not Found", "{\"detail\":\"secret\"}")),
        (
            "a cut body",
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"secret\""
                .to_owned(),
        ),
        ("no HTTP", "secret garbage\r\n\r\n".to_owned()),
        ("half a head", "HTTP/1.1 200 OK\r\ncontent-type: appl".to_owned()),
        ("nothing", String::new()),
        (
            "a refused internal token",
            crate::support::answer("401 Unauthorized", "application/problem+json", "{}"),
        ),
    ];
    for (name, bytes) in cases {
        let raw = Raw::answering(&bytes).await;
        let answer = ask(&raw).await;
        assert_eq!(answer.status(), 502, "{name}");
        let body = problem(answer).await;
        assert!(!body.to_string().contains("secret"), "{name}: {body}");
    }
}

#[tokio::test]
async fn a_field_that_the_contract_does_not_declare_never_reaches_the_client() {
    let raw = Raw::json("200 OK", &USER.replace("\"id\":1,", "\"hashed_password\":\"x\",\"id\":1,")).await;
    let answer = ask(&raw).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), USER);
}

#[tokio::test]
async fn a_declared_error_of_the_service_passes_unchanged() {
    let body =
        r#"{"type":"urn:x","title":"t","status":404,"detail":"gone","instance":"/x","request_id":"r"}"#;
    let raw =
        Raw::answering(&crate::support::answer("404 Not Found", "application/problem+json", body)).await;
    let answer = ask(&raw).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.text().await.unwrap(), body);
}

#[tokio::test]
async fn a_kept_connection_closed_under_a_request_is_unseen_by_the_client() {
    let database = TestDatabase::sqlite();
    let script = crate::support::Script::CloseOnReuse(
        crate::support::answer("200 OK", "application/json", USER).into_bytes(),
    );
    let raw = Raw::start(script).await;
    let gateway = Gateway::start(config(&database, &raw.url()).await).await;
    let operator = gateway.operator().await;
    for _ in 0..5 {
        let answer = gateway.get("/api_v1/users/1").bearer_auth(&operator).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let database = TestDatabase::sqlite();
    let created = crate::support::answer("500 Internal Server Error", "text/plain", "x");
    let raw = Raw::start(crate::support::Script::CloseOnReuse(created.into_bytes())).await;
    let gateway = Gateway::start(config(&database, &raw.url()).await).await;
    let body = serde_json::json!({ "email": "a@example.com", "password": "correct horse battery" });
    for _ in 0..3 {
        let answer = gateway.post("/api_v1/users").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 502);
    }
    assert_eq!(raw.requests().await.len(), 3);
}
