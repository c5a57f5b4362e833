//! The page for administrators: how it is served, and the two operations that it alone needed.

use std::collections::BTreeSet;

use kit::{on_both_databases, testing::TestDatabase};
use serde_json::Value;

use crate::support::{Gateway, UsersDouble, config, problem};

async fn start(database: &TestDatabase) -> (Gateway, UsersDouble) {
    let users = UsersDouble::bind().await;
    let gateway = Gateway::start(config(database, &users.url()).await).await;
    users.serve(&gateway.url(""));
    (gateway, users)
}

/// Paths below `/admin/` that stand in a text between these marks.
fn named(text: &str, before: &str) -> BTreeSet<String> {
    let parts = text.split(before).skip(1);
    parts.filter_map(|rest| rest.split('"').next()).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn the_admin_page_is_whole_and_lets_nothing_in_from_elsewhere() {
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, "http://127.0.0.1:1").await).await;
    let page = gateway.get("/admin").send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let html = page.text().await.unwrap();
    assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains(" onload="), "{html}");
    let preloaded = named(&html, "<link rel=\"modulepreload\" href=\"");
    let styles = named(&html, "<link rel=\"stylesheet\" href=\"");
    assert!(preloaded.len() > 20 && styles.len() == 4, "{preloaded:?} {styles:?}");
    let mut scripts = preloaded.clone();
    scripts.insert("/admin/main.js".to_owned());
    let mut imported = BTreeSet::new();
    for path in scripts.iter().chain(&styles) {
        let answer = gateway.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(
            policy.starts_with("default-src 'none'")
                && !policy.contains("unsafe")
                && !policy.contains("http"),
            "{policy}"
        );
        assert!(policy.contains("require-trusted-types-for 'script'"), "{policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        let etag = answer.headers()["etag"].clone();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let text = answer.text().await.unwrap();
        assert_eq!(kind.starts_with("text/javascript"), scripts.contains(path), "{path}: {kind}");
        let again = gateway.get(path).header("if-none-match", etag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "localStorage",
            "sessionStorage",
            "https://",
        ] {
            assert!(!text.contains(forbidden), "{path} has {forbidden}");
        }
        let folder = url::Url::parse("http://x").unwrap().join(path).unwrap();
        for import in named(&text, " from \"") {
            imported.insert(folder.join(&import).unwrap().path().to_owned());
        }
    }
    assert_eq!(imported, preloaded, "what is imported is what the page tells the browser to fetch at once");
}

#[tokio::test]
async fn the_admin_page_can_be_switched_off_and_is_only_read() {
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, "http://127.0.0.1:1").await).await;
    for path in ["/admin", "/admin/main.js"] {
        let answer = gateway.post(path).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()),
            (405, "GET, HEAD, OPTIONS")
        );
        problem(answer).await;
        assert_eq!(gateway.client.head(gateway.url(path)).send().await.unwrap().status(), 200, "{path}");
    }
    assert_eq!(gateway.get("/admin/views/nothing.js").send().await.unwrap().status(), 404);
    let off = gateway::Config { admin: false, ..gateway.config.clone() };
    let off = Gateway::start(off).await;
    for path in ["/admin", "/admin/main.js", "/admin/style/base.css"] {
        let answer = off.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        problem(answer).await;
    }
}

on_both_databases! {
    async fn an_admin_reads_everybody_s_sessions_page_by_page(database: TestDatabase) {
        let (gateway, _users) = start(&database).await;
        let (ann, bob) = (gateway.sign_in("ann@example.com").await, gateway.sign_in("bob@example.com").await);
        let other = gateway.sign_in("bob@example.com").await;
        let list = async |path: &str| {
            let answer = gateway.get(path).bearer_auth(&ann.access).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
            let next = link.and_then(|link| link.split(['<', '>']).nth(1).map(ToOwned::to_owned));
            let rows: Vec<Value> = answer.json().await.unwrap();
            (rows, next)
        };
        let (first, next) = list("/api_v1/sessions?limit=2").await;
        assert_eq!(first.iter().map(|row| row["user_id"].as_i64().unwrap()).collect::<Vec<_>>(), [2, 2]);
        assert!(first[0]["created_at"].as_str() >= first[1]["created_at"].as_str());
        let (second, last) = list(&next.unwrap()).await;
        assert_eq!(second.iter().map(|row| (row["user_id"].as_i64().unwrap(), row["current"] == true)).collect::<Vec<_>>(), [(1, true)]);
        assert_eq!(last, None);
        let refused = gateway.get("/api_v1/sessions").bearer_auth(&bob.access).send().await.unwrap();
        assert_eq!(refused.status(), 403);
        problem(refused).await;
        let ended = gateway.post("/api_v1/auth/logout").bearer_auth(&other.access).send().await.unwrap();
        assert_eq!(ended.status(), 204);
        assert_eq!(list("/api_v1/sessions").await.0.len(), 2);
    }
}

#[tokio::test]
async fn an_admin_reads_how_services_stand_and_nobody_else_does() {
    let database = TestDatabase::sqlite();
    let (gateway, users) = start(&database).await;
    let ann = gateway.sign_in("ann@example.com").await.access;
    let read = async || -> Value {
        let answer = gateway.get("/api_v1/services").bearer_auth(&ann).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    };
    let told = read().await;
    assert_eq!(told[0]["name"], "users");
    let instance = &told[0]["instances"][0];
    assert_eq!((&instance["healthy"], &instance["breaker"]), (&true.into(), &"closed".into()), "{told}");
    assert_eq!(instance["url"].as_str().unwrap().trim_end_matches('/'), users.url());
    let ops: Value = gateway
        .client
        .get(format!("http://{}/services", gateway.ops))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(ops["services"][0]["instances"][0]["address"], instance["address"]);
    let bob = gateway.sign_in("bob@example.com").await.access;
    assert_eq!(gateway.get("/api_v1/services").bearer_auth(&bob).send().await.unwrap().status(), 403);
    assert_eq!(gateway.get("/api_v1/services").send().await.unwrap().status(), 401);
}
