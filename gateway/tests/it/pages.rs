//! What a page of a service may do in a browser, which has it from the gateway's own origin.

use kit::testing::TestDatabase;
use serde_json::json;

use crate::support::{Gateway, Raw, config, declared, problem};

const SANDBOX: &str = "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts";

async fn start(raw: &Raw, more: &str) -> (Gateway, (TestDatabase, tempfile::TempDir)) {
    let any = json!({ "default": { "description": "", "content": { "*/*": {} } } });
    let document = json!({ "openapi": "3.1.0", "info": { "title": "", "version": "" },
        "paths": { "/page": { "get": { "operationId": "page", "responses": any } } } });
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    let more = format!("access = \"public\"\n{more}");
    config.services = vec![declared(folder.path(), &raw.url(), &document, &more)];
    (Gateway::start(config).await, (database, folder))
}

fn policies(answer: &reqwest::Response) -> Vec<&str> {
    let all = answer.headers().get_all("content-security-policy");
    all.iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_page_of_a_service_gets_an_origin_of_its_own_beside_its_own_policy_unless_it_is_trusted() {
    let page = |kind: &str| {
        format!(
            "HTTP/1.1 200 OK\r\n{kind}content-security-policy: default-src 'self'\r\ncontent-length: 1\r\n\r\nx"
        )
    };
    for (kind, more, held) in [
        ("content-type: text/html; charset=utf-8\r\n", "", true),
        ("content-type: image/svg+xml\r\n", "", true),
        ("content-type: application/xml\r\n", "", true),
        ("", "contract = \"report\"", true),
        ("content-type: text/html\r\n", "response.headers.remove = [\"content-security-policy\"]", true),
        ("content-type: text/html\r\n", "response.headers.allow = [\"content-type\"]", true),
        ("content-type: text/html\r\n", "cache = true", true),
        ("content-type: text/html\r\n", "trusted_pages = true", false),
        ("content-type: text/plain\r\n", "", false),
        ("content-type: application/json\r\n", "contract = \"off\"", false),
    ] {
        let raw = Raw::answering(&page(kind)).await;
        let (gateway, _kept) = start(&raw, more).await;
        let answer = gateway.get("/api/echo/page").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{kind} {more}");
        assert_eq!(policies(&answer).contains(&SANDBOX), held, "{kind} {more}: {:?}", policies(&answer));
        assert_eq!(
            policies(&answer).contains(&"default-src 'self'"),
            !more.contains("response"),
            "{kind} {more}"
        );
    }
}

#[tokio::test]
async fn a_service_says_nothing_for_the_whole_origin_and_registers_no_service_worker() {
    let script = "HTTP/1.1 200 OK\r\ncontent-type: text/javascript\r\nservice-worker-allowed: /\r\nalt-svc: h3=\":443\"\r\n\
        clear-site-data: \"*\"\r\nstrict-transport-security: max-age=1\r\nx-own: 1\r\ncontent-length: 1\r\n\r\nx";
    let raw = Raw::answering(script).await;
    let (gateway, _kept) = start(&raw, "").await;
    let answer = gateway.get("/api/echo/page").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-own"]), (200, &"1".parse().unwrap()));
    for name in ["service-worker-allowed", "alt-svc", "clear-site-data", "strict-transport-security"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    let worker = gateway.get("/api/echo/page").header("service-worker", "script").send().await.unwrap();
    assert_eq!(worker.status(), 403);
    problem(worker).await;
    assert_eq!(raw.requests().await.len(), 1);
    let (gateway, _kept) = start(&raw, "trusted_pages = true").await;
    let worker = gateway.get("/api/echo/page").header("service-worker", "script").send().await.unwrap();
    assert_eq!(worker.status(), 200);
    assert!(!worker.headers().contains_key("service-worker-allowed"), "a scope beyond its own paths");
}

#[tokio::test]
async fn the_gateway_s_own_pages_are_out_of_reach_of_pages_of_other_origins() {
    let raw = Raw::answering("").await;
    let (gateway, _kept) = start(&raw, "").await;
    for path in ["/admin", "/docs", "/redoc", "/account/reset-password"] {
        let answer = gateway.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["cross-origin-opener-policy"], "same-origin", "{path}");
        assert!(policies(&answer)[0].contains("frame-ancestors 'none'"), "{path}");
    }
}
