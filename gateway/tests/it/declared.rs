//! Services that are bound by their documents, in front of scripted ones.

use kit::testing::{Fault, FaultServer, TestDatabase};
use serde_json::{Value, json};

use crate::support::{self, Gateway, Raw, UsersDouble, answer, config, declared, exchange, named};

/// A problem answer of this status.
async fn problem(answer: reqwest::Response, status: u16) -> Value {
    assert_eq!(answer.status(), status);
    support::problem(answer).await
}

/// What `/api/echo` has.
fn document() -> Value {
    let thing = json!({ "$ref": "#/components/schemas/Thing" });
    let json_of = |schema: &Value| json!({ "content": { "application/json": { "schema": schema } }, "description": "" });
    let any = json!({ "description": "", "content": { "*/*": {} } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Echo", "version": "1" },
        "paths": {
            "/things": {
                "get": { "operationId": "listThings", "parameters": [
                    { "name": "tag", "in": "query", "schema": { "type": "array", "items": { "type": "integer" } } },
                    { "name": "limit", "in": "query", "schema": { "anyOf": [{ "type": "integer" }, { "type": "null" }] } },
                ], "responses": { "200": json_of(&json!({ "type": "array", "items": thing })) } },
                "post": { "operationId": "addThing", "requestBody": { "required": true, "content": { "application/json": { "schema": thing } } },
                    "responses": { "201": json_of(&thing), "409": json_of(&json!({ "type": "object" })) } },
            },
            "/things/": { "get": { "operationId": "slash", "responses": { "200": any } } },
            "/files/{name}": { "get": { "operationId": "file", "parameters": [{ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }],
                "responses": { "200": any } },
                "put": { "operationId": "upload", "parameters": [{ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }],
                "requestBody": { "content": { "application/octet-stream": {} } }, "responses": { "204": { "description": "" } } } },
            "/pub": { "get": { "operationId": "open", "security": [], "responses": { "200": any, "303": any } },
                "delete": { "operationId": "gone", "responses": { "204": { "description": "" } } } },
        },
        "components": { "schemas": { "Thing": { "type": "object", "required": ["id"], "properties": {
            "id": { "type": "integer", "format": "int64" }, "note": { "type": ["string", "null"] } } } } },
    })
}

const THINGS: &str = r#"[{"id":9007199254740993,"note":null,"more":1.10}]"#;

async fn start(raw: &Raw, more: &str) -> (Gateway, (TestDatabase, tempfile::TempDir)) {
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.services = vec![declared(folder.path(), &raw.url(), &document(), more)];
    (Gateway::start(config).await, (database, folder))
}

#[tokio::test]
async fn an_operation_is_routed_guarded_checked_and_its_answer_passed_on_byte_for_byte() {
    let raw = Raw::json("200 OK", THINGS).await;
    let (gateway, _kept) = start(&raw, "").await;
    let operator = gateway.operator().await;
    assert_eq!(gateway.get("/api/echo/things").send().await.unwrap().status(), 401);
    let refused =
        gateway.get("/api/echo/things?tag=1&tag=x&limit=y").bearer_auth(&operator).send().await.unwrap();
    let refused = problem(refused, 422).await;
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2, "{refused}");
    let answer = gateway
        .get("/api/echo/things?tag=1&tag=2&limit=3&x=b&x=a&q=%20a+%2F")
        .bearer_auth(&operator)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), THINGS);
    let [request] = raw.requests().await.try_into().unwrap();
    assert!(
        request.starts_with("GET /things?tag=1&tag=2&limit=3&x=b&x=a&q=%20a+%2F HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("x-forwarded-prefix: /api/echo\r\n") && !request.contains(&operator),
        "{request}"
    );
}

#[tokio::test]
async fn a_path_is_matched_exactly_and_sent_as_it_was_authorised() {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let (gateway, _kept) = start(&raw, "access = \"public\"").await;
    for (path, status, sent) in [
        ("/api/echo/files/a%20b;v=1", 200, Some("/files/a%20b;v=1")),
        ("/api/echo/things/", 200, Some("/things/")),
        ("/api/echo/Files/a", 404, None),
        ("/api/echo/files/a/", 404, None),
        ("/api/echo/files", 404, None),
        ("/api/echo/files/a%2Fb", 400, None),
        ("/api/echo/files/..%2Fthings", 400, None),
        ("/api/echo/files/%2e%2e", 400, None),
        ("/api/echo/files/a%00", 400, None),
        ("/api/echo/files/a%5Cb", 400, None),
        ("/api/echo/", 404, None),
        ("/api/echo", 404, None),
    ] {
        let before = raw.requests().await.len();
        let head = format!("GET {path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
        let got = exchange(gateway.address, head.as_bytes()).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {got}");
        let seen = raw.requests().await;
        match sent {
            Some(target) => {
                assert!(
                    seen[before].starts_with(&format!("GET {target} HTTP/1.1\r\n")),
                    "{path}: {}",
                    seen[before]
                );
            }
            None => assert_eq!(seen.len(), before, "{path} reached the service"),
        }
    }
}

#[tokio::test]
async fn a_method_that_a_path_has_not_is_405_with_those_it_has() {
    let raw = Raw::json("200 OK", "[]").await;
    let (gateway, _kept) = start(&raw, "").await;
    let answer = gateway.client.patch(gateway.url("/api/echo/pub")).send().await.unwrap();
    assert_eq!(answer.headers()["allow"], "DELETE, GET, HEAD, OPTIONS");
    problem(answer, 405).await;
    let options = gateway
        .client
        .request(reqwest::Method::OPTIONS, gateway.url("/api/echo/things/"))
        .send()
        .await
        .unwrap();
    assert_eq!(options.status(), 204);
    assert_eq!(options.headers()["allow"], "GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn what_breaks_the_document_is_502_is_passed_or_is_not_looked_at_as_the_mode_says() {
    let text = r#"[{"note":"no id"}]"#;
    for (status, kind, body, enforce, report, off) in [
        ("200 OK", "application/json", text, 502, 200, 200),
        ("200 OK", "application/json", "[", 502, 200, 200),
        ("200 OK", "text/html", "<p>", 502, 200, 200),
        ("418 I'm a teapot", "application/json", "[]", 502, 418, 502),
        ("200 OK", "application/json", THINGS, 200, 200, 200),
    ] {
        for (mode, expected) in [("enforce", enforce), ("report", report), ("off", off)] {
            let raw = Raw::json(status, body).await;
            let raw = if kind == "application/json" {
                raw
            } else {
                Raw::answering(&answer(status, kind, body)).await
            };
            let (gateway, _kept) = start(&raw, &format!("access = \"public\"\ncontract = \"{mode}\"")).await;
            let got = gateway.get("/api/echo/things").send().await.unwrap();
            assert_eq!(got.status(), expected, "{status} {kind} {body} {mode}");
            if expected == 502 {
                problem(got, 502).await;
            } else {
                assert_eq!(got.text().await.unwrap(), body);
            }
        }
    }
}

#[tokio::test]
async fn a_declared_error_and_one_the_settings_add_pass_with_their_bodies() {
    for (status, more) in [("409 Conflict", ""), ("404 Not Found", "statuses = [404]\n")] {
        let raw = Raw::json(status, r#"{"detail":"no"}"#).await;
        let (gateway, _kept) = start(&raw, &format!("access = \"public\"\n{more}")).await;
        let got = gateway.post("/api/echo/things").json(&json!({ "id": 1 })).send().await.unwrap();
        assert_eq!(got.status().as_str(), &status[..3]);
        assert_eq!(got.text().await.unwrap(), r#"{"detail":"no"}"#);
    }
}

#[tokio::test]
async fn redirects_are_not_followed_cookies_not_folded_and_codings_not_undone() {
    let body = "\u{1f}notreallygzip";
    let raw = Raw::answering(&format!(
        "HTTP/1.1 303 See Other\r\nlocation: http://127.0.0.1:1/next\r\nset-cookie: a=1; Path=/\r\n\
         set-cookie: b=2; Expires=Thu, 01 Jan 2037 00:00:00 GMT\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\n\
         etag: \"a\"\r\naccess-control-allow-origin: *\r\nserver: x/1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    let (gateway, _kept) = start(&raw, "access = \"public\"").await;
    let got = gateway.get("/api/echo/pub").header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(got.status(), 303);
    let headers = got.headers().clone();
    assert_eq!(headers["location"], "http://127.0.0.1:1/next");
    let cookies: Vec<&str> =
        headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2; Expires=Thu, 01 Jan 2037 00:00:00 GMT"]);
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(headers["content-length"], body.len().to_string());
    assert_eq!(headers["etag"], "\"a\"");
    assert!(!headers.contains_key("access-control-allow-origin") && !headers.contains_key("server"));
    assert_eq!(got.bytes().await.unwrap(), body.as_bytes());
    gateway.get("/api/echo/pub").send().await.unwrap();
    let seen = raw.requests().await;
    assert!(
        seen[0].contains("accept-encoding: gzip\r\n") && !seen[1].contains("accept-encoding"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn identity_fields_reach_a_service_once_and_from_the_gateway_only() {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let (gateway, _kept) = start(&raw, "").await;
    let operator = gateway.operator().await;
    let head = format!(
        "GET /api/echo/pub HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {operator}\r\nX-Custom: z\r\nX_Forwarded_Proto: https\r\n\
         X.Forwarded.For: 1.1.1.1\r\nX-FORWARDED-FOR: 1.1.1.1\r\nX-Forwarded-Prefix: /evil\r\nX_Trace: 1\r\nTE: trailers\r\n\
         Connection: close, X-Forwarded-For, X-Forwarded-Prefix, X-Custom, Authorization\r\n\r\n"
    );
    assert!(exchange(gateway.address, head.as_bytes()).await.starts_with("HTTP/1.1 200 "));
    let request = raw.requests().await.remove(0);
    for (field, count) in [
        ("authorization: Bearer ", 1),
        ("x-forwarded-for: 127.0.0.1", 1),
        ("x-forwarded-prefix: /api/echo", 1),
        ("x-forwarded-proto: http\r", 1),
        ("1.1.1.1", 0),
        ("x-custom", 0),
        ("x_", 0),
        ("te: ", 0),
        ("connection: close", 0),
    ] {
        assert_eq!(request.matches(field).count(), count, "{field} in {request}");
    }
    let spaced = "GET /api/echo/pub HTTP/1.1\r\nHost: g\r\nX-User-Id : 1\r\n\r\n";
    assert!(exchange(gateway.address, spaced.as_bytes()).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn head_204_and_304_have_no_body_and_keep_what_describes_one() {
    let raw =
        Raw::answering("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\nbody").await;
    let (gateway, _kept) = start(&raw, "access = \"public\"").await;
    let head = gateway.client.head(gateway.url("/api/echo/pub")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "4"));
    assert!(head.bytes().await.unwrap().is_empty());

    let raw = Raw::answering("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\netag: \"v1\"\r\n\r\n").await;
    let (gateway, _kept) = start(&raw, "access = \"public\"").await;
    let unchanged = gateway.get("/api/echo/pub").header("if-none-match", "\"v1\"").send().await.unwrap();
    assert_eq!(unchanged.status(), 304);
    assert_eq!(unchanged.headers()["etag"], "\"v1\"");
    assert_ne!(unchanged.headers().get("content-length").map(|length| length.to_str().unwrap()), Some("0"));
    // Nobody asked for it: that is no declared status.
    problem(gateway.get("/api/echo/pub").send().await.unwrap(), 502).await;

    let raw = Raw::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let (gateway, _kept) = start(&raw, "access = \"public\"").await;
    let gone = gateway.client.delete(gateway.url("/api/echo/pub")).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    assert!(
        !gone.headers().contains_key("content-length") && !gone.headers().contains_key("transfer-encoding")
    );
}

#[tokio::test]
async fn a_streamed_body_is_held_to_its_limit_and_an_unknown_media_type_refused() {
    let raw = Raw::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let (gateway, _kept) = start(&raw, "access = \"public\"\nbody_limit = \"64KiB\"").await;
    let put = |kind: &str| gateway.client.put(gateway.url("/api/echo/files/a")).header("content-type", kind);
    let small = put("application/octet-stream").body(vec![7; 1024]).send().await.unwrap();
    assert_eq!(small.status(), 204);
    problem(put("application/octet-stream").body(vec![7; 128 * 1024]).send().await.unwrap(), 413).await;
    problem(put("text/plain").body("x").send().await.unwrap(), 415).await;
    let chunk = format!("{:x}\r\n{}\r\n", 40_000, "x".repeat(40_000));
    let chunked = format!(
        "PUT /api/echo/files/a HTTP/1.1\r\nHost: g\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    let got = exchange(gateway.address, chunked.as_bytes()).await;
    assert!(got.starts_with("HTTP/1.1 413 "), "{got}");
}

#[tokio::test]
async fn interim_answers_are_never_taken_for_the_final_one() {
    let raw = Raw::answering(&format!(
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n{}",
        answer("200 OK", "text/plain", "final")
    ))
    .await;
    let (gateway, _kept) = start(&raw, "access = \"public\"").await;
    let got = gateway.get("/api/echo/pub").send().await.unwrap();
    assert_eq!(got.status(), 200);
    assert_eq!(got.text().await.unwrap(), "final");
}

#[tokio::test]
async fn settings_change_requests_and_answers() {
    let raw = Raw::json("201 Created", r#"{"id":1,"note":"x"}"#).await;
    let more = "access = \"public\"\nrequest.headers.set = { x-tenant = \"a\" }\n\
        [operations.addThing]\nrequest.body.set = { \"/note\" = \"set\" }\nrequest.query.add = { v = \"2\" }\n\
        response.body.remove = [\"/note\"]\nresponse.envelope = \"data\"\nresponse.headers.set = { x-made-by = \"echo\" }\n";
    let (gateway, _kept) = start(&raw, more).await;
    let got = gateway.post("/api/echo/things?a=1").json(&json!({ "id": 1 })).send().await.unwrap();
    assert_eq!(got.headers()["x-made-by"], "echo");
    assert_eq!(got.text().await.unwrap(), r#"{"data":{"id":1}}"#);
    let request = raw.requests().await.remove(0);
    assert!(
        request.starts_with("POST /things?a=1&v=2 HTTP/1.1\r\n") && request.contains("x-tenant: a\r\n"),
        "{request}"
    );
    assert!(request.ends_with(r#"{"id":1,"note":"set"}"#), "{request}");
}

#[tokio::test]
async fn services_stand_in_the_one_document_and_clashing_names_are_kept_apart() {
    let raw = Raw::json("200 OK", "[]").await;
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut other = document();
    other["components"]["schemas"]["Thing"]["properties"]["id"] = json!({ "type": "string" });
    let mut config = config(&database, "http://127.0.0.1:1").await;
    config.services = vec![
        declared(folder.path(), &raw.url(), &document(), ""),
        named("other", folder.path(), &raw.url(), &other, "[operations.gone]\nhidden = true"),
    ];
    let gateway = Gateway::start(config).await;
    let served: Value = gateway.get("/api_v1/openapi.json").send().await.unwrap().json().await.unwrap();
    let operation = |path: &str, method: &str| served["paths"][path][method].clone();
    assert_eq!(operation("/api/echo/things", "get")["operationId"], "listThings");
    assert_eq!(operation("/api/other/things", "get")["operationId"], "other_listThings");
    assert!(operation("/api/other/pub", "delete").is_null());
    assert_eq!(served["components"]["schemas"]["Thing"]["properties"]["id"]["type"], "integer");
    assert_eq!(served["components"]["schemas"]["other_Thing"]["properties"]["id"]["type"], "string");
    let items = operation("/api/other/things", "get");
    assert_eq!(
        items["responses"]["200"]["content"]["application/json"]["schema"]["items"]["$ref"],
        "#/components/schemas/other_Thing"
    );
    assert!(operation("/api_v1/users", "get").is_object());
}

#[tokio::test]
async fn a_gateway_does_not_start_over_a_service_that_can_t_be_bound_and_tells_every_fault() {
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    let mut bad = document();
    bad["paths"]["/things/{a}"] = json!({ "get": { "responses": {} } });
    bad["paths"]["/things/{b}"] = json!({ "put": { "responses": {} } });
    let mut dangling = document();
    dangling["paths"]["/pub"]["get"]["responses"]["200"] = json!({ "$ref": "#/components/responses/None" });
    config.services = vec![
        named("one", folder.path(), "http://127.0.0.1:1", &bad, ""),
        named("two", folder.path(), "http://127.0.0.1:1", &dangling, ""),
        named("three", folder.path(), "http://127.0.0.1:1", &json!({ "swagger": "2.0" }), ""),
        named("four", folder.path(), "http://127.0.0.1:1", &document(), "prefix = \"/api_v1\""),
    ];
    let fault = gateway::bind(config).await.err().unwrap().to_string();
    for part in [
        "service one: openapi: the path /api/one/things/{b} is the same as /api/one/things/{a}",
        "service two: /paths/~1pub/get/responses/200/$ref: #/components/responses/None points at nothing",
        "service three: openapi:",
        "service four: prefix",
        "platform.toml:1",
    ] {
        assert!(fault.contains(part), "{part} in {fault}");
    }
}

/// A service whose answers are kept, its gateway, and what lives as long.
struct Cached {
    raw: Raw,
    gateway: Gateway,
    _double: UsersDouble,
    _database: TestDatabase,
    _folder: tempfile::TempDir,
}

async fn cached() -> Cached {
    let kept = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: max-age=60, public\r\ncontent-length: 2\r\n\r\n[]";
    let raw = Raw::answering(kept).await;
    let double = UsersDouble::bind().await;
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, &double.url()).await;
    config.services =
        vec![declared(folder.path(), &raw.url(), &document(), "cache = true\nstatuses = [200]")];
    let gateway = Gateway::start(config).await;
    double.serve(&gateway.url(""));
    Cached { raw, gateway, _double: double, _database: database, _folder: folder }
}

#[tokio::test]
async fn a_cached_answer_is_its_caller_s_alone_and_ends_with_a_change() {
    let cached = cached().await;
    let gateway = &cached.gateway;
    let ann = gateway.sign_in("ann@example.com").await.access;
    let bob = gateway.sign_in("bob@example.com").await.access;
    let list = async |token: &str| {
        let answer = gateway.get("/api/echo/things").bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let status = answer.headers()["cache-status"].to_str().unwrap().to_owned();
        assert_eq!(answer.text().await.unwrap(), "[]");
        (status.contains("; hit"), cached.raw.requests().await.len())
    };
    assert_eq!(list(&ann).await, (false, 1));
    assert_eq!(list(&ann).await, (true, 1));
    assert_eq!(list(&bob).await, (false, 2), "an answer for ann was given to bob");
    assert_eq!(
        gateway.get("/api/echo/things").send().await.unwrap().status(),
        401,
        "the cache is behind the door"
    );
    let changed =
        gateway.post("/api/echo/things").bearer_auth(&ann).json(&json!({ "id": 1 })).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    assert_eq!(list(&ann).await, (false, 4));
    assert_eq!(list(&bob).await, (false, 5), "a change ends every variant");
}

#[tokio::test]
async fn an_account_made_anew_under_a_name_and_a_token_for_less_get_no_answer_kept_for_another() {
    let cached = cached().await;
    let gateway = &cached.gateway;
    let list = async |token: &str| {
        let answer = gateway.get("/api/echo/things").bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.headers()["cache-status"].to_str().unwrap().contains("; hit")
    };
    let scopes = ["users:read", "users:write"];
    let strong = gateway.account("strong", &scopes).await;
    let token = gateway.token_of(&strong).await;
    assert_eq!((list(&token).await, list(&token).await), (false, true));
    assert!(list(&gateway.token_of(&strong).await).await, "another token of the same secret for the same");
    let answer = gateway.grant(&strong, &[("scope", "users:read")]).await;
    let weak: Value = answer.json().await.unwrap();
    assert!(!list(weak["access_token"].as_str().unwrap()).await);
    assert_eq!(gateway.administer("DELETE", "/strong", None).await.0, 204);
    let again = gateway.account("strong", &scopes).await;
    assert!(!list(&gateway.token_of(&again).await).await);
}

#[tokio::test]
async fn an_answer_stands_in_for_a_declared_service_that_fails() {
    for (setting, during) in [("stale_if_error = \"1m\"", 200), ("", 500)] {
        let service = FaultServer::start(Fault::None).await;
        let database = TestDatabase::sqlite();
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&database, "http://127.0.0.1:1").await;
        let more =
            format!("cache = true\ncontract = \"off\"\naccess = \"public\"\nstatuses = [500]\n{setting}");
        config.services = vec![declared(folder.path(), &service.url(), &document(), &more)];
        let gateway = Gateway::start(config).await;
        assert_eq!(gateway.get("/api/echo/pub").send().await.unwrap().status(), 200);
        service.set(Fault::Status(500));
        let answer = gateway.get("/api/echo/pub").send().await.unwrap();
        assert_eq!(answer.status(), during, "with {setting:?}");
        let told = answer.headers()["cache-status"].to_str().unwrap();
        assert_eq!(told.contains("detail=stale-if-error"), during == 200, "{told}");
        assert_eq!(service.requests(), 2, "it is asked first");
    }
}

#[tokio::test]
async fn a_service_s_rate_is_counted_over_its_operations_and_an_operation_s_own_by_itself() {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let more = "access = \"public\"\nrate_limit = \"2/min by address\"\n[operations.file]\nrate_limit = \"1/min by address\"";
    let (gateway, _kept) = start(&raw, more).await;
    let get = async |path: &str| gateway.get(path).send().await.unwrap();
    assert_eq!(get("/api/echo/pub").await.status(), 200);
    let last = get("/api/echo/things/").await;
    assert!(last.headers()["ratelimit"].to_str().unwrap().contains("r=0"), "{:?}", last.headers());
    let refused = get("/api/echo/pub").await;
    assert!(refused.headers().contains_key("retry-after"));
    problem(refused, 429).await;
    assert_eq!(get("/api/echo/files/a").await.status(), 200);
    problem(get("/api/echo/files/b").await, 429).await;
    assert_eq!(raw.requests().await.len(), 3);
}

#[tokio::test]
async fn an_instance_that_is_down_costs_nobody_anything_while_another_is_up() {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    let mut service = declared(folder.path(), &raw.url(), &document(), "access = \"public\"");
    service.settings.urls.push("http://127.0.0.1:1".parse().unwrap());
    config.services = vec![service];
    let gateway = Gateway::start(config).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/api/echo/pub").send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn how_each_instance_stands_is_told_to_operators_and_to_monitoring_and_the_gateway_is_ready_all_the_same()
 {
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    let mut service = declared(folder.path(), &raw.url(), &document(), "access = \"public\"");
    service.settings.urls.push("http://127.0.0.1:1".parse().unwrap());
    config.services = vec![service];
    let gateway = Gateway::start(config).await;
    let ops =
        async |path: &str| gateway.client.get(format!("http://{}{path}", gateway.ops)).send().await.unwrap();
    let well = raw.url().strip_prefix("http://").unwrap().to_owned();
    let is_down = async || {
        gateway.get("/api/echo/pub").send().await.unwrap();
        let told: Value = ops("/services").await.json().await.unwrap();
        assert_eq!(told["services"][0]["service"], "users");
        let instances = told["services"][1]["instances"].as_array().unwrap().clone();
        assert_eq!((&instances[0]["address"], &instances[0]["healthy"]), (&json!(well), &json!(true)));
        (instances[1]["breaker"] == "open").then_some(instances[1].clone())
    };
    let down = loop {
        if let Some(down) = is_down().await {
            break down;
        }
    };
    assert_eq!(down["address"], "127.0.0.1:1");
    assert_eq!(down["healthy"], false);
    let metrics = ops("/metrics").await.text().await.unwrap();
    for line in [
        format!("platform_upstream_instance_healthy{{service=\"echo\",instance=\"{well}\"}} 1\n"),
        "platform_upstream_instance_healthy{service=\"echo\",instance=\"127.0.0.1:1\"} 0\n".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
    assert_eq!(ops("/readyz").await.status(), 200);
    assert_eq!(gateway.get("/services").send().await.unwrap().status(), 404, "it is not public");
}
