//! Metrics by operation, and traces that go on through the gateway.

use kit::{
    client_address::TrustedProxies,
    testing::{Fault, FaultServer, TestDatabase},
};
use serde_json::{Value, json};

use crate::support::{Gateway, Raw, config, declared};

const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

const EMPTY_LIST: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-total-count: 0\r\ncontent-length: 2\r\n\r\n[]";

async fn metrics(gateway: &Gateway) -> String {
    let answer = gateway.client.get(format!("http://{}/metrics", gateway.ops)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    answer.text().await.unwrap()
}

/// The value of the one series whose line holds all of these.
fn series(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let mut found = metrics.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))
            && labels.iter().all(|label| line.contains(label))
    });
    let line = found.next().unwrap_or_else(|| panic!("no {name} {labels:?} in {metrics}"));
    assert_eq!(found.next(), None);
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_never_by_path() {
    let database = TestDatabase::sqlite();
    let raw = Raw::answering(EMPTY_LIST).await;
    let rate_limit = gateway::RateRule::list("6/h by route").unwrap();
    let gateway = Gateway::start(gateway::Config { rate_limit, ..config(&database, &raw.url()).await }).await;
    let operator = gateway.operator().await;
    let list = async || {
        let get = gateway.get("/api_v1/users?limit=7").bearer_auth(&operator);
        get.send().await.unwrap().status().as_u16()
    };
    for _ in 0..3 {
        assert_eq!(list().await, 200);
    }
    assert_eq!(gateway.get("/api_v1/users/4711").bearer_auth(&operator).send().await.unwrap().status(), 502);
    for number in 0..50 {
        assert_eq!(gateway.get(&format!("/made/up/{number}")).send().await.unwrap().status(), 404);
    }
    for _ in 0..3 {
        assert_eq!(list().await, 200);
    }
    assert_eq!(list().await, 429);
    // What an operation of the gateway's own refuses is its too.
    assert_eq!(gateway.post("/api_v1/auth/refresh").send().await.unwrap().status(), 401);
    let told = metrics(&gateway).await;
    let requests = |labels: &[&str]| {
        series(&told, "platform_requests_total", &[&["service=\"gateway\""], labels].concat())
    };
    assert!((requests(&["operation=\"list_users\"", "status=\"2xx\""]) - 6.0).abs() < 0.1);
    assert!((requests(&["operation=\"list_users\"", "status=\"4xx\""]) - 1.0).abs() < 0.1);
    assert!((requests(&["operation=\"refresh_access_token\"", "status=\"4xx\""]) - 1.0).abs() < 0.1);
    assert!((requests(&["operation=\"-\"", "status=\"4xx\""]) - 50.0).abs() < 0.1);
    let calls = ["service=\"users\"", "outcome=\"2xx\""];
    assert!((series(&told, "platform_upstream_duration_seconds_count", &calls) - 7.0).abs() < 0.1);
    let limited = ["operation=\"list_users\"", "rule=\"gateway-route\""];
    assert!((series(&told, "platform_rate_limited_total", &limited) - 1.0).abs() < 0.1);
    let broken = ["service=\"users\"", "operation=\"get_user\"", "kind=\"schema\""];
    assert!((series(&told, "platform_contract_violations_total", &broken) - 1.0).abs() < 0.1);
    assert!(series(&told, "platform_requests_in_flight", &["service=\"gateway\""]).abs() < 0.1);
    assert!(!told.contains("made") && !told.contains("4711") && !told.contains("limit=7"), "{told}");
    assert_eq!(gateway.get("/metrics").send().await.unwrap().status(), 404);
}

/// A document of one public operation, `GET /pub`.
fn one_operation() -> Value {
    let any = json!({ "description": "", "content": { "*/*": {} } });
    json!({ "openapi": "3.1.0", "info": { "title": "Echo", "version": "1" },
        "paths": { "/pub": { "get": { "operationId": "open", "responses": { "200": any } } } } })
}

#[tokio::test]
async fn what_the_cache_does_is_counted_by_operation_and_its_size_is_told() {
    let (database, folder) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
    let body = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncache-control: max-age=60\r\ncontent-length: 1000\r\n\r\n";
    let raw = Raw::answering(&format!("{body}{}", "x".repeat(1000))).await;
    let mut config = config(&database, "http://127.0.0.1:1").await;
    let more = "access = \"public\"\ncache = true";
    config.services = vec![declared(folder.path(), &raw.url(), &one_operation(), more)];
    let gateway = Gateway::start(config).await;
    let get = async |range: bool| {
        let get = gateway.get("/api/echo/pub");
        let get = if range { get.header("if-match", "\"a\"") } else { get };
        assert_eq!(get.send().await.unwrap().status(), 200);
    };
    for _ in 0..4 {
        get(false).await;
    }
    get(true).await;
    let told = metrics(&gateway).await;
    for (result, count) in [("miss", 1.0), ("hit", 3.0), ("bypass", 1.0)] {
        let result = format!("result=\"{result}\"");
        let counted = series(&told, "platform_cache_requests_total", &["operation=\"open\"", &result]);
        assert!((counted - count).abs() < 0.1, "{result}: {counted}");
    }
    let gauge = |name: &str| -> f64 {
        let line = told.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap().parse().unwrap()
    };
    assert!((gauge("platform_cache_answers") - 1.0).abs() < 0.1);
    assert!((1000.0..10_000.0).contains(&gauge("platform_cache_bytes")), "{told}");
}

#[tokio::test]
async fn a_hedge_answers_for_a_slow_instance_and_is_counted_by_whose_answer_was_used() {
    let (slow, fast) = (FaultServer::start(Fault::Hang).await, FaultServer::start(Fault::None).await);
    let (database, folder) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
    let mut config = config(&database, "http://127.0.0.1:1").await;
    let urls = format!("{}\", \"{}", slow.url(), fast.url());
    let more = "access = \"public\"\ncontract = \"off\"\nhedge = \"20ms\"";
    config.services = vec![declared(folder.path(), &urls, &one_operation(), more)];
    let gateway = Gateway::start(config).await;
    // No more than the budget grants without any other calls.
    while slow.requests() < 3 {
        assert_eq!(gateway.get("/api/echo/pub").send().await.unwrap().status(), 200);
    }
    let told = metrics(&gateway).await;
    let hedges = ["service=\"echo\"", "used=\"second\""];
    assert!(series(&told, "platform_upstream_hedges_total", &hedges) >= 2.0, "{told}");
    slow.saw_closed(2).await;
}

/// What a service is told of a trace by a gateway that believes these proxies.
async fn told(proxies: &[&str]) -> Vec<String> {
    let database = TestDatabase::sqlite();
    let raw = Raw::answering(EMPTY_LIST).await;
    let trusted_proxies = TrustedProxies::parse(proxies).unwrap();
    let config = gateway::Config { trusted_proxies, ..config(&database, &raw.url()).await };
    let gateway = Gateway::start(config).await;
    let operator = gateway.operator().await;
    let get = gateway.get("/api_v1/users").bearer_auth(&operator);
    let get = get.header("traceparent", SENT).header("tracestate", "vendor=1");
    assert_eq!(get.send().await.unwrap().status(), 200);
    let request = raw.requests().await.remove(0);
    request.lines().filter(|line| line.starts_with("trace")).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn a_trace_goes_on_from_a_trusted_proxy_and_begins_anew_for_anybody_else() {
    let trusted = told(&["127.0.0.1"]).await;
    let parent = trusted.iter().find_map(|line| line.strip_prefix("traceparent: ")).unwrap();
    assert!(
        parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && parent.ends_with("-01"),
        "{parent}"
    );
    assert!(!parent.contains("00f067aa0ba902b7"), "{parent}");
    assert!(trusted.contains(&"tracestate: vendor=1".to_owned()) && trusted.len() == 2, "{trusted:?}");
    let begun = told(&[]).await;
    assert!(begun.len() == 1 && begun[0].starts_with("traceparent: 00-"), "{begun:?}");
    assert!(!begun[0].contains("4bf92f3577b34da6a3ce929d0e0e4736"), "{begun:?}");
}
