//! Operations that are composed of several calls, in front of scripted services.

use std::sync::Arc;

use kit::{config::Composed, testing::TestDatabase};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::support::{self, Gateway, Origin, UsersDouble, answer, composed, config, named};

const ORDER: &str = r#"{"id":9007199254740993,"customer":{"id":"c/7"},"total":1.10,"secret":"s"}"#;
const CUSTOMER: &str = r#"{"name":"Ann","since":2.50}"#;
const REVIEWS: &str = r#"[{"stars":9223372036854775808}]"#;

/// What `/api/shop` has.
fn document() -> Value {
    let of =
        |schema: Value| json!({ "description": "", "content": { "application/json": { "schema": schema } } });
    let named = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "maxLength": 20 } });
    let limit = json!({ "name": "limit", "in": "query", "schema": { "type": "integer" } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Shop", "version": "1" },
        "paths": {
            "/orders/{id}": { "parameters": [id], "get": { "operationId": "getOrder",
                "responses": { "200": of(named("Order")), "404": of(json!({ "type": "object" })) } } },
            "/customers/{id}": { "get": { "operationId": "getCustomer", "parameters": [id],
                "responses": { "200": of(named("Customer")) } } },
            "/reviews": { "get": { "operationId": "listReviews", "parameters": [limit],
                "responses": { "200": of(json!({ "type": "array", "items": { "type": "object", "properties": { "stars": {} } } })),
                    "409": of(json!({ "type": "object" })) } } },
            "/orders": { "post": { "operationId": "addOrder", "responses": { "201": of(named("Order")) } } },
        },
        "components": { "schemas": {
            "Order": { "type": "object", "required": ["id", "customer"], "properties": {
                "id": { "type": "integer" }, "total": { "type": "number" },
                "customer": { "type": "object", "required": ["id"], "properties": { "id": { "type": ["string", "null"] } } } } },
            "Customer": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" }, "since": { "type": "number" } } },
        } },
    })
}

const PAGE: &str = r#"
name = "orderPage"
path = "/api/order-pages/{order}"

[[part]]
name = "order"
service = "shop"
operation = "getOrder"
parameters.id = { path = "order" }
merge = true

[[part]]
name = "customer"
service = "shop"
operation = "getCustomer"
parameters.id = { value = "7" }
as = "buyer"

[[part]]
name = "reviews"
service = "shop"
operation = "listReviews"
required = false
parameters.limit = { query = "limit" }
"#;

fn json_answer(body: &str) -> Vec<u8> {
    answer("200 OK", "application/json", body).into_bytes()
}

/// The usual answer for a target.
fn usual(target: &str) -> Vec<u8> {
    match target.split(['/', '?']).nth(1) {
        Some("orders") => json_answer(ORDER),
        Some("customers") => json_answer(CUSTOMER),
        _ => json_answer(REVIEWS),
    }
}

async fn start(
    origin: &Origin,
    more: &str,
    composed: Vec<Composed>,
) -> (Gateway, (TestDatabase, tempfile::TempDir)) {
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.services = vec![named("shop", folder.path(), &origin.url(), &document(), more)];
    config.composed = composed;
    (Gateway::start(config).await, (database, folder))
}

fn field<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn independent_parts_are_asked_at_once_and_stand_in_declared_order_with_every_digit() {
    // None answers before all three are asked, and the first declared answers last.
    let (all, first) = (Arc::new(Barrier::new(3)), Arc::new(tokio::sync::Semaphore::new(0)));
    let origin = Origin::start(move |target| {
        let (all, first) = (Arc::clone(&all), Arc::clone(&first));
        Box::pin(async move {
            all.wait().await;
            if target.starts_with("/orders/") {
                let _others = first.acquire_many(2).await;
            } else {
                first.add_permits(1);
            }
            usual(&target)
        })
    })
    .await;
    let (gateway, _kept) = start(&origin, "access = \"public\"", vec![composed(PAGE)]).await;
    let got = gateway.get("/api/order-pages/a%20b?limit=3&limitless=1").send().await.unwrap();
    assert_eq!(got.status(), 200);
    assert_eq!((field(&got, "platform-completed"), field(&got, "platform-missing")), ("true", ""));
    assert_eq!(field(&got, "content-type"), "application/json");
    assert_eq!(
        got.text().await.unwrap(),
        r#"{"id":9007199254740993,"customer":{"id":"c/7"},"total":1.10,"buyer":{"name":"Ann","since":2.50},"reviews":[{"stars":9223372036854775808}]}"#
    );
    for target in ["/orders/a%20b", "/customers/7", "/reviews?limit=3"] {
        assert_eq!(origin.count(target), 1, "{target} in {:?}", origin.requests());
    }
}

#[tokio::test]
async fn a_part_may_be_asked_with_what_another_has_answered_and_by_nothing_that_leads_elsewhere() {
    let chained =
        composed(&PAGE.replace(r#"{ value = "7" }"#, r#"{ from = "order", pointer = "/customer/id" }"#));
    for (id, status, sent) in [
        ("\"c 7?\"", 200, Some("/customers/c%207%3F")),
        ("\"..\"", 502, None),
        ("\"c/7\"", 502, None),
        ("null", 502, None),
        // Longer than the operation takes.
        ("\"123456789012345678901\"", 502, None),
    ] {
        let order = format!(r#"{{"id":1,"customer":{{"id":{id}}}}}"#);
        let origin = Origin::start(move |target| {
            let order = order.clone();
            Box::pin(async move {
                if target.starts_with("/orders/") { json_answer(&order) } else { usual(&target) }
            })
        })
        .await;
        let (gateway, _kept) = start(&origin, "access = \"public\"", vec![chained.clone()]).await;
        let got = gateway.get("/api/order-pages/1").send().await.unwrap();
        assert_eq!(got.status(), status, "{id}");
        let asked = origin.requests().iter().filter(|head| head.starts_with("GET /customers")).count();
        assert_eq!(asked, usize::from(sent.is_some()), "{id}");
        assert_eq!(sent.map_or(1, |sent| origin.count(sent)), 1, "{id}: {:?}", origin.requests());
    }
}

/// What a part may do.
fn faults() -> Vec<(&'static str, Option<Vec<u8>>, u16)> {
    let json = |status: &str, body: &str| Some(answer(status, "application/json", body).into_bytes());
    vec![
        ("hangs", None, 504),
        ("breaks off", Some(Vec::new()), 502),
        ("garbage", Some(b"no HTTP at all\r\n\r\n".to_vec()), 502),
        ("no JSON", json("200 OK", "[1"), 502),
        ("does not fit", json("200 OK", "7"), 502),
        ("repeats a key", json("200 OK", r#"{"id":1,"id":2,"customer":{"id":"1"}}"#), 502),
        ("an undeclared status", json("418 Teapot", "{}"), 502),
        ("another media type", Some(answer("200 OK", "text/html", "<p>").into_bytes()), 502),
        ("nothing", Some(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()), 502),
        ("overloaded", json("503 No", "{}"), 502),
        // Unpacked it would be a gigabyte, or anything: it is not unpacked at all.
        (
            "encoded",
            Some(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\0".to_vec()),
            502,
        ),
    ]
}

#[tokio::test]
async fn a_missing_optional_part_is_null_and_told_and_a_required_one_decides_the_status() {
    let page = PAGE.replace("merge = true", "");
    for (what, bytes, status) in faults() {
        for (failing, is_required) in [("/reviews", false), ("/orders/", true)] {
            let bytes = bytes.clone();
            let origin = Origin::start(move |target| {
                let bytes = bytes.clone().filter(|_| target.starts_with(failing));
                let hangs = target.starts_with(failing) && bytes.is_none();
                Box::pin(async move {
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                    bytes.unwrap_or_else(|| usual(&target))
                })
            })
            .await;
            let text = page.replace("as = \"buyer\"", "as = \"buyer\"\ntimeout = \"5s\"");
            let (gateway, _kept) =
                start(&origin, "access = \"public\"\ntimeout = \"300ms\"", vec![composed(&text)]).await;
            let got = gateway.get("/api/order-pages/1").send().await.unwrap();
            assert_eq!(field(&got, "platform-completed"), "false", "{what}");
            assert_eq!(field(&got, "cache-control"), "no-store", "{what}");
            if is_required {
                assert_eq!(field(&got, "platform-missing"), format!("order;status={status}"), "{what}");
                assert_eq!(got.status(), status, "{what}");
                let told = support::problem(got).await;
                assert!(told["detail"].as_str().unwrap().contains("part order"), "{told}");
                assert!(!told.to_string().contains("Ann"), "{told}");
            } else {
                assert_eq!(field(&got, "platform-missing"), format!("reviews;status={status}"), "{what}");
                assert_eq!(got.status(), 200, "{what}");
                let body: Value = got.json().await.unwrap();
                assert_eq!(
                    (&body["reviews"], &body["buyer"]["name"]),
                    (&Value::Null, &json!("Ann")),
                    "{what}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_service_that_is_gone_takes_its_parts_with_it_and_no_more() {
    let origin = Origin::start(|target| Box::pin(async move { usual(&target) })).await;
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.services = vec![
        named("shop", folder.path(), &origin.url(), &document(), "access = \"public\""),
        named("gone", folder.path(), "http://127.0.0.1:1", &document(), "access = \"public\""),
    ];
    let reviews = "service = \"shop\"\noperation = \"listReviews\"";
    let optional = PAGE.replace(reviews, "service = \"gone\"\noperation = \"listReviews\"");
    let chained = r#"
[[part]]
name = "related"
service = "shop"
operation = "getOrder"
required = false
parameters.id = { from = "reviews", pointer = "/0/stars" }
"#;
    let required = optional
        .replace("required = false", "")
        .replace("orderPage", "strict")
        .replace("order-pages", "strict");
    config.composed = vec![composed(&(optional + chained)), composed(&required)];
    let gateway = Gateway::start(config).await;
    let got = gateway.get("/api/order-pages/1").send().await.unwrap();
    assert_eq!(
        (got.status().as_u16(), field(&got, "platform-missing")),
        (200, "reviews;status=503, related")
    );
    let body: Value = got.json().await.unwrap();
    assert_eq!(
        (&body["reviews"], &body["related"], &body["id"]),
        (&Value::Null, &Value::Null, &json!(9_007_199_254_740_993_u64))
    );
    let got = gateway.get("/api/strict/1").send().await.unwrap();
    assert!(
        field(&got, "proxy-status").contains("connection_refused") && !field(&got, "retry-after").is_empty()
    );
    assert_eq!(got.status(), 503);
    support::problem(got).await;
}

#[tokio::test]
async fn a_declared_error_of_a_required_part_is_passed_on_with_its_body_and_the_first_declared_decides() {
    // The later part fails at once, the earlier one only once that is over.
    let later = Arc::new(tokio::sync::Semaphore::new(0));
    let origin = Origin::start(move |target| {
        let later = Arc::clone(&later);
        Box::pin(async move {
            if target.starts_with("/orders/") {
                let _later = later.acquire().await;
                answer("404 Not Found", "application/json", r#"{"detail":"no order","n":1.0}"#).into_bytes()
            } else if target.starts_with("/customers/") {
                later.add_permits(1);
                answer("500 Oops", "application/json", "{}").into_bytes()
            } else {
                usual(&target)
            }
        })
    })
    .await;
    let (gateway, _kept) = start(&origin, "access = \"public\"", vec![composed(PAGE)]).await;
    let got = gateway.get("/api/order-pages/1").send().await.unwrap();
    assert_eq!((got.status().as_u16(), field(&got, "platform-missing")), (404, "order;status=404"));
    assert_eq!((field(&got, "cache-control"), field(&got, "content-type")), ("no-store", "application/json"));
    assert_eq!(got.text().await.unwrap(), r#"{"detail":"no order","n":1.0}"#);
}

#[tokio::test]
async fn all_parts_have_one_time_and_one_number_of_bytes_between_them() {
    let long = format!(r#"[{{"stars":"{}"}}]"#, "x".repeat(3000));
    let origin = Origin::start(move |target| {
        let long = long.clone();
        Box::pin(
            async move { if target.starts_with("/reviews") { json_answer(&long) } else { usual(&target) } },
        )
    })
    .await;
    let small = composed(&format!("body_limit = \"2KiB\"\n{PAGE}"));
    let (gateway, _kept) = start(&origin, "access = \"public\"", vec![small]).await;
    let got = gateway.get("/api/order-pages/1").send().await.unwrap();
    assert_eq!((got.status().as_u16(), field(&got, "platform-missing")), (200, "reviews;status=502"));

    let origin = Origin::start(|target| {
        Box::pin(async move {
            if target.starts_with("/reviews") {
                std::future::pending::<()>().await;
            }
            usual(&target)
        })
    })
    .await;
    let short = composed(&format!("timeout = \"200ms\"\n{PAGE}"));
    let (gateway, _kept) = start(&origin, "access = \"public\"\ntimeout = \"30s\"", vec![short]).await;
    let got = gateway.get("/api/order-pages/1").send().await.unwrap();
    assert_eq!((got.status().as_u16(), field(&got, "platform-missing")), (200, "reviews;status=504"));
}

#[tokio::test]
async fn who_may_not_call_a_required_part_calls_none_and_an_optional_one_is_left_out() {
    let origin = Origin::start(|target| Box::pin(async move { usual(&target) })).await;
    let double = UsersDouble::bind().await;
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, &double.url()).await;
    let more = "access = \"signed-in\"\n[operations.getCustomer]\naccess = \"public\"\n[operations.listReviews]\naccess = \"role:admin\"";
    config.services = vec![named("shop", folder.path(), &origin.url(), &document(), more)];
    let strict =
        PAGE.replace("required = false", "").replace("orderPage", "strict").replace("order-pages", "strict");
    config.composed = vec![composed(PAGE), composed(&strict)];
    let gateway = Gateway::start(config).await;
    double.serve(&gateway.url(""));
    let bob = gateway.sign_in("bob@example.com").await.access;
    let ann = gateway.sign_in("ann@example.com").await.access;
    let get = async |path: &str, token: &str| gateway.get(path).bearer_auth(token).send().await.unwrap();
    assert_eq!(gateway.get("/api/order-pages/1").send().await.unwrap().status(), 401);
    assert_eq!(get("/api/strict/1", &bob).await.status(), 403);
    assert_eq!(origin.requests().len(), 0, "a part was asked for somebody who may not");
    let got = get("/api/order-pages/1", &bob).await;
    assert_eq!((got.status().as_u16(), field(&got, "platform-missing")), (200, "reviews;status=403"));
    let got = get("/api/order-pages/1", &ann).await;
    assert_eq!((got.status().as_u16(), field(&got, "platform-completed")), (200, "true"));
    assert_eq!(get("/api/strict/1", &ann).await.status(), 200);
    for head in origin.requests() {
        assert!(!head.contains(&bob) && !head.contains(&ann), "a service saw a caller's own token");
    }
}

#[tokio::test]
async fn parts_come_out_of_the_cache_and_the_whole_is_kept_as_the_least_of_them_says() {
    let origin = Origin::start(|target| {
        Box::pin(async move {
            let fields = if target.starts_with("/orders/") {
                "public, max-age=60\r\nvary: accept-language"
            } else {
                "max-age=30, public"
            };
            let text = String::from_utf8(usual(&target)).unwrap();
            text.replacen("\r\n", &format!("\r\ncache-control: {fields}\r\n"), 1).into_bytes()
        })
    })
    .await;
    let whole = PAGE.replace("orderPage", "kept").replace("order-pages", "kept");
    let services = "access = \"public\"\n[operations.getOrder]\ncache = true";
    let kept = composed(&format!("cache = true\n{whole}"));
    let (gateway, _kept) = start(&origin, services, vec![composed(PAGE), kept]).await;
    let get = async |path: &str, language: &str| {
        let got = gateway.get(path).header("accept-language", language).send().await.unwrap();
        assert_eq!((got.status().as_u16(), field(&got, "platform-completed")), (200, "true"));
        got
    };
    // The part's own path and the composed one share an answer.
    get("/api/order-pages/1", "de").await;
    let direct = gateway.get("/api/shop/orders/1").header("accept-language", "de").send().await.unwrap();
    assert!(field(&direct, "cache-status").contains("; hit"), "{:?}", direct.headers());
    let got = get("/api/order-pages/1", "de").await;
    assert_eq!(
        (field(&got, "cache-control"), field(&got, "vary")),
        ("public, max-age=30", "accept-language")
    );
    assert_eq!(
        (origin.count("/orders/1"), origin.count("/customers/7"), origin.count("/reviews")),
        (1, 2, 2)
    );
    let before = origin.requests().len();
    get("/api/kept/1", "it").await;
    assert_eq!(origin.requests().len(), before + 3);
    let got = get("/api/kept/1", "it").await;
    assert!(field(&got, "cache-status").contains("; hit"), "{:?}", got.headers());
    assert_eq!(origin.requests().len(), before + 3);
    get("/api/kept/1", "en").await;
    assert_eq!(origin.requests().len(), before + 6, "one language was given for another");
}

#[tokio::test]
async fn the_cache_holds_as_many_bytes_as_it_is_given() {
    let long = "x".repeat(200_000);
    let origin = Origin::start(move |_| {
        let body = format!(r#"[{{"stars":"{long}"}}]"#);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: public, max-age=60";
        let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        Box::pin(async move { answer.into_bytes() })
    })
    .await;
    for (bytes, hits) in [(1 << 20, 0), (16 << 20, 30)] {
        let database = TestDatabase::sqlite();
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&database, "http://127.0.0.1:1").await;
        config.cache_bytes = bytes;
        let more = "access = \"public\"\ncache = true";
        config.services = vec![named("shop", folder.path(), &origin.url(), &document(), more)];
        let gateway = Gateway::start(config).await;
        let list = async |limit: usize| {
            let got = gateway.get(&format!("/api/shop/reviews?limit={limit}")).send().await.unwrap();
            assert_eq!(got.status(), 200);
            usize::from(field(&got, "cache-status").contains("; hit"))
        };
        // Thirty answers of 200 kB are six megabytes: each is asked for twice, but the last one long after the first.
        let mut found = 0;
        for round in 0..2 {
            for limit in 0..30 {
                found += list(limit).await * round;
            }
        }
        assert!(if hits == 0 { found < 15 } else { found == hits }, "{found} of 30 out of {bytes} bytes");
    }
}

#[tokio::test]
async fn what_lacks_a_part_is_kept_by_nobody() {
    let failing = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = Arc::clone(&failing);
    let origin = Origin::start(move |target| {
        let fails = target.starts_with("/reviews") && asked.load(std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move {
            if fails {
                return answer("409 Busy", "application/json", "{}").into_bytes();
            }
            let text = String::from_utf8(usual(&target)).unwrap();
            text.replacen("\r\n", "\r\ncache-control: public, max-age=60\r\n", 1).into_bytes()
        })
    })
    .await;
    let (gateway, _kept) =
        start(&origin, "access = \"public\"", vec![composed(&format!("cache = true\n{PAGE}"))]).await;
    let completed = async || {
        let got = gateway.get("/api/order-pages/1").send().await.unwrap();
        (got.status().as_u16(), field(&got, "platform-completed").to_owned())
    };
    assert_eq!(completed().await, (200, "false".to_owned()));
    failing.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(completed().await, (200, "true".to_owned()));
}

#[tokio::test]
async fn a_composed_operation_is_documented_checked_limited_and_told_as_any_other() {
    let origin = Origin::start(|target| Box::pin(async move { usual(&target) })).await;
    let page = composed(&format!(
        "summary = \"An order with all that belongs to it\"\nrate_limit = \"4/min by address\"\n{PAGE}"
    ));
    let (gateway, _kept) = start(&origin, "access = \"public\"", vec![page]).await;
    let served: Value = gateway.get("/api_v1/openapi.json").send().await.unwrap().json().await.unwrap();
    let operation = &served["paths"]["/api/order-pages/{order}"]["get"];
    assert_eq!(operation["operationId"], "orderPage");
    assert_eq!(operation["summary"], "An order with all that belongs to it");
    let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(schema["required"], json!(["id", "customer", "buyer", "reviews"]));
    assert_eq!(schema["properties"]["buyer"], json!({ "$ref": "#/components/schemas/Customer" }));
    assert_eq!(schema["properties"]["reviews"]["nullable"], true);
    assert!(
        operation["responses"]["404"]["content"]["application/json"].is_object(),
        "the order's own error"
    );
    assert!(operation["responses"]["200"]["headers"]["Platform-Missing"].is_object());
    for status in ["422", "429", "502", "504"] {
        assert!(
            operation["responses"][status]["content"]["application/problem+json"].is_object(),
            "{status}"
        );
    }
    let parameters: Vec<(&str, &str)> = operation["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap()))
        .collect();
    assert_eq!(parameters, [("order", "path"), ("limit", "query")]);

    let refused = gateway.get("/api/order-pages/123456789012345678901?limit=x").send().await.unwrap();
    assert_eq!(refused.status(), 422);
    assert_eq!(support::problem(refused).await["errors"].as_array().unwrap().len(), 2);
    assert_eq!(origin.requests().len(), 0);
    let other = gateway.post("/api/order-pages/1").send().await.unwrap();
    assert_eq!((other.status().as_u16(), field(&other, "allow")), (405, "GET, HEAD, OPTIONS"));
    let head = gateway.client.head(gateway.url("/api/order-pages/1")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), field(&head, "platform-completed")), (200, "true"));
    let conditional =
        gateway.get("/api/order-pages/1").header("if-none-match", "*").header("range", "bytes=0-1");
    assert_eq!(conditional.send().await.unwrap().status(), 200, "conditions are about the whole");
    let metrics = gateway.client.get(format!("http://{}/metrics", gateway.ops)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("operation=\"orderPage\",status=\"2xx\"} 2"), "{metrics}");
    gateway.get("/api/order-pages/1").send().await.unwrap();
    let limited = gateway.get("/api/order-pages/1").send().await.unwrap();
    assert_eq!(limited.status(), 429);
    support::problem(limited).await;
}

#[tokio::test]
async fn an_operation_of_the_users_service_can_be_a_part() {
    let origin = Origin::start(|target| Box::pin(async move { usual(&target) })).await;
    let double = UsersDouble::bind().await;
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, &double.url()).await;
    config.services = vec![named("shop", folder.path(), &origin.url(), &document(), "access = \"public\"")];
    let text = "name = \"home\"\npath = \"/api/home\"\n[[part]]\nname = \"user\"\nservice = \"users\"\noperation = \"get_me\"\n\
        [[part]]\nname = \"reviews\"\nservice = \"shop\"\noperation = \"listReviews\"\nselect = \"/0\"\nas = \"last\"\n";
    config.composed = vec![composed(text)];
    let gateway = Gateway::start(config).await;
    double.serve(&gateway.url(""));
    assert_eq!(gateway.get("/api/home").send().await.unwrap().status(), 401);
    let bob = gateway.sign_in("bob@example.com").await.access;
    let got: Value = gateway.get("/api/home").bearer_auth(&bob).send().await.unwrap().json().await.unwrap();
    assert_eq!(got["user"]["email"], "bob@example.com");
    assert!(got["last"]["stars"].is_number());
}

#[tokio::test]
async fn a_gateway_does_not_start_over_what_can_t_be_composed_and_tells_where() {
    let origin = Origin::start(|target| Box::pin(async move { usual(&target) })).await;
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.services = vec![named("shop", folder.path(), &origin.url(), &document(), "access = \"public\"")];
    let wrong = PAGE.replace("getCustomer", "getCostumer").replace("listReviews", "addOrder");
    let taken = PAGE.replace("orderPage", "getOrder");
    let same =
        PAGE.replace("orderPage", "other").replace("/api/order-pages/{order}", "/api/shop/orders/{order}");
    for (text, parts) in [
        (
            wrong,
            vec![
                "platform.toml:11: compose orderPage, part customer: operation: shop has no operation getCostumer; did you mean getCustomer?",
                "platform.toml:12: compose orderPage, part reviews: operation: addOrder is POST",
            ],
        ),
        (
            taken,
            vec!["platform.toml:1: compose getOrder: name: an operation called getOrder is there already"],
        ),
        (
            same,
            vec![
                "compose other: path: the path /api/shop/orders/{order} is the same as /api/shop/orders/{id}",
            ],
        ),
    ] {
        config.composed = vec![composed(&text)];
        let fault = Box::pin(gateway::bind(config.clone())).await.err().unwrap().to_string();
        for part in parts {
            assert!(fault.contains(part), "{part} in {fault}");
        }
    }
}
