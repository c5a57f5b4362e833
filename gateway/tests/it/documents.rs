//! The document as it is served, and its pages.

use kit::testing::TestDatabase;
use serde_json::Value;

use crate::support::{Gateway, config};

#[tokio::test]
async fn the_gateway_serves_its_document_with_an_entity_tag() {
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, "http://127.0.0.1:1").await).await;
    let answer = gateway.get("/api_v1/openapi.json").send().await.unwrap();
    let etag = answer.headers()["etag"].clone();
    let served: Value = answer.json().await.unwrap();
    assert_eq!(served, gateway::public_document().unwrap());
    let again = gateway.get("/api_v1/openapi.json").header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
}

#[tokio::test]
async fn the_pages_load_nothing_from_elsewhere() {
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, "http://127.0.0.1:1").await).await;
    for path in ["/docs", "/redoc"] {
        let answer = gateway.get(path).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("http"), "{policy}");
        let page = answer.text().await.unwrap();
        assert!(!page.contains("https://") && !page.contains("http://"), "{page}");
    }
    for (path, least) in
        [("/docs/swagger-ui.js", 500_000), ("/docs/swagger-ui.css", 50_000), ("/redoc/redoc.js", 300_000)]
    {
        let bytes = gateway.get(path).send().await.unwrap().bytes().await.unwrap();
        assert!(bytes.len() > least, "{path}: {}", bytes.len());
    }
    let off = gateway::Config { docs: false, ..gateway.config.clone() };
    let off = Gateway::start(off).await;
    for path in ["/docs", "/redoc", "/api_v1/openapi.json", "/", "/api_v1"] {
        assert_eq!(off.get(path).send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn who_comes_to_the_root_is_led_to_the_page_unless_old_clients_know_a_404_there() {
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, "http://127.0.0.1:1").await).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for path in ["/", "/api_v1", "/api_v1/"] {
        let answer = client.get(gateway.url(path)).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["location"]),
            (303, &"/docs".parse().unwrap())
        );
        let head = client.head(gateway.url(path)).send().await.unwrap();
        assert_eq!(head.status(), 303, "{path}");
        let post = client.post(gateway.url(path)).send().await.unwrap();
        assert_eq!(
            (post.status().as_u16(), &post.headers()["allow"]),
            (405, &"GET, HEAD, OPTIONS".parse().unwrap())
        );
    }
    let old = gateway::Config { root_leads_to_docs: false, ..gateway.config.clone() };
    let old = Gateway::start(old).await;
    for path in ["/", "/api_v1"] {
        assert_eq!(old.get(path).send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_link_to_the_page_can_t_make_it_show_another_document() {
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, "http://127.0.0.1:1").await).await;
    let text = async |path: &str| gateway.get(path).send().await.unwrap().text().await.unwrap();
    let plain = text("/docs").await;
    assert_eq!(
        text("/docs?url=https://evil.example/o.json&configUrl=https://evil.example/c.json").await,
        plain
    );
    let script = text("/docs/start.js").await;
    assert!(script.contains("queryConfigEnabled: false") && script.contains("persistAuthorization: false"));
    assert!(!script.contains("location"), "{script}");
    for asset in ["/docs/swagger-ui.js", "/docs/swagger-ui.css", "/docs/start.js", "/redoc/redoc.js"] {
        let etag = gateway.get(asset).send().await.unwrap().headers()["etag"].clone();
        let again = gateway.get(asset).header("if-none-match", etag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{asset}");
    }
}
