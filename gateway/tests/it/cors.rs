//! Pages of other origins (CORS): those that are listed may call and read, also refusals; others learn nothing.

use gateway::Config;
use kit::{cors::Origins, testing::TestDatabase};
use reqwest::Method;

use crate::support::{Gateway, config};

/// A gateway whose service is not there: whatever reached it would be 503.
async fn start(origins: &str) -> (Gateway, TestDatabase) {
    let database = TestDatabase::sqlite();
    let plain = config(&database, "http://127.0.0.1:1").await;
    let gateway = Gateway::start(Config { cors: Origins::parse(origins).unwrap(), ..plain }).await;
    (gateway, database)
}

async fn ask(gateway: &Gateway, method: Method, origin: &str, fields: &[(&str, &str)]) -> reqwest::Response {
    let request = gateway.client.request(method, gateway.url("/api_v1/users")).header("origin", origin);
    fields.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
}

const PREFLIGHT: [(&str, &str); 2] = [
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "authorization,content-type"),
];

#[tokio::test]
async fn a_preflight_of_a_listed_origin_is_answered_without_a_token_and_without_the_service() {
    let (gateway, _database) = start("https://app.example").await;
    let answer = ask(&gateway, Method::OPTIONS, "https://app.example", &PREFLIGHT).await;
    assert_eq!(answer.status(), 204);
    let field = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(field("access-control-allow-origin"), "https://app.example");
    assert!(field("access-control-allow-methods").contains("POST"));
    for name in ["authorization", "content-type", "if-match"] {
        assert!(field("access-control-allow-headers").contains(name), "{name}");
    }
    assert!(field("vary").contains("Origin"));
    assert!(!answer.headers().contains_key("access-control-allow-credentials"));
}

#[tokio::test]
async fn an_origin_that_is_not_listed_is_never_allowed_nor_echoed() {
    let (gateway, _database) = start("https://app.example").await;
    for origin in [
        "https://evil.example",
        "null",
        "https://app.example.evil.example",
        "http://app.example",
        "https://app.example:444",
    ] {
        for (method, fields) in [(Method::OPTIONS, &PREFLIGHT[..]), (Method::GET, &[])] {
            let answer = ask(&gateway, method, origin, fields).await;
            let names: Vec<&str> = answer.headers().keys().map(reqwest::header::HeaderName::as_str).collect();
            assert!(!names.iter().any(|name| name.starts_with("access-control-")), "{origin}: {names:?}");
            assert!(answer.headers()["vary"].to_str().unwrap().contains("Origin"));
        }
    }
}

#[tokio::test]
async fn a_refusal_can_be_read_by_a_listed_page_and_says_so_once() {
    let (gateway, _database) = start("https://app.example").await;
    let operator = gateway.operator().await;
    let unauthorized = ask(&gateway, Method::GET, "https://app.example", &[]).await;
    assert_eq!(unauthorized.status(), 401);
    let bearer = format!("Bearer {operator}");
    let unavailable = ask(&gateway, Method::GET, "https://app.example", &[("authorization", &bearer)]).await;
    assert_eq!(unavailable.status(), 503);
    let method = ask(&gateway, Method::DELETE, "https://app.example", &[]).await;
    assert_eq!(method.status(), 405);
    for answer in [unauthorized, unavailable, method] {
        let allowed: Vec<_> = answer.headers().get_all("access-control-allow-origin").iter().collect();
        assert_eq!(allowed, ["https://app.example"]);
        assert!(
            answer.headers()["access-control-expose-headers"].to_str().unwrap().contains("www-authenticate")
        );
    }
}

#[tokio::test]
async fn options_without_a_method_asked_for_is_ordinary_and_without_a_list_nothing_is_said() {
    let (gateway, _database) = start("https://app.example").await;
    let plain = ask(&gateway, Method::OPTIONS, "https://app.example", &[]).await;
    assert_eq!(plain.status(), 204);
    assert!(!plain.headers().contains_key("access-control-allow-methods"));
    let (closed, _database) = start("").await;
    let answer = ask(&closed, Method::OPTIONS, "https://app.example", &PREFLIGHT).await;
    assert!(
        !answer.headers().contains_key("access-control-allow-origin")
            && !answer.headers().contains_key("vary")
    );
}
