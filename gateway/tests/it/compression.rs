//! Answers are compressed for who takes it, under entity tags that still say what they said.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use kit::testing::TestDatabase;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::Notify,
};

use crate::support::{Gateway, Raw, UsersDouble, config, declared, scripted};

fn document() -> Value {
    let any = json!({ "200": { "description": "", "content": { "*/*": {} } }, "412": { "description": "", "content": { "*/*": {} } } });
    let operation = |id: &str| json!({ "operationId": id, "responses": any });
    json!({
        "openapi": "3.0.3", "info": { "title": "Echo", "version": "1" },
        "paths": {
            "/doc": { "get": operation("doc"), "put": operation("change"), "post": operation("search") },
            "/plain": { "get": operation("plain") },
        },
    })
}

async fn start(url: &str) -> (Gateway, (TestDatabase, tempfile::TempDir)) {
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    let more = "access = \"public\"\n[operations.plain]\ncompress = false\n";
    config.services = vec![declared(folder.path(), url, &document(), more)];
    (Gateway::start(config).await, (database, folder))
}

/// 4 KiB of JSON.
fn body() -> String {
    format!("[{}]", vec!["{\"name\":\"the same again\"}"; 160].join(","))
}

fn answer(fields: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{fields}\r\n{}",
        body().len(),
        body()
    )
}

async fn inflated(coding: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    match coding {
        "gzip" => GzipDecoder::new(bytes).read_to_string(&mut text).await,
        "br" => BrotliDecoder::new(bytes).read_to_string(&mut text).await,
        _ => ZstdDecoder::new(bytes).read_to_string(&mut text).await,
    }
    .unwrap();
    text
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_tag_of_a_compressed_answer_is_weak_and_gets_304_also_from_a_service_that_compares_texts() {
    let raw = Raw::answering(&answer("etag: \"v1\"\r\naccept-ranges: bytes\r\n")).await;
    let (gateway, _kept) = start(&raw.url()).await;
    let get = || gateway.get("/api/echo/doc");
    for coding in ["gzip", "br", "zstd"] {
        let got = get().header("accept-encoding", coding).send().await.unwrap();
        assert_eq!((got.status().as_u16(), header(&got, "content-encoding")), (200, Some(coding)));
        assert_eq!(header(&got, "etag"), Some("W/\"v1\""));
        assert_eq!(header(&got, "vary"), Some("Accept-Encoding"));
        assert_eq!((header(&got, "content-length"), header(&got, "accept-ranges")), (None, None));
        let bytes = got.bytes().await.unwrap();
        assert!(bytes.len() < 500, "{}", bytes.len());
        assert_eq!(inflated(coding, &bytes).await, body());
    }
    let known = get().header("accept-encoding", "gzip").header("if-none-match", "W/\"v1\"");
    let known = known.send().await.unwrap();
    assert_eq!((known.status().as_u16(), header(&known, "etag")), (304, Some("W/\"v1\"")));
    assert_eq!((header(&known, "content-encoding"), header(&known, "vary")), (None, Some("Accept-Encoding")));
    assert!(known.bytes().await.unwrap().is_empty());
    let seen = raw.requests().await.pop().unwrap();
    assert!(seen.contains("if-none-match: \"v1\", W/\"v1\"\r\n"), "{seen}");
    let plain = get().send().await.unwrap();
    assert_eq!((header(&plain, "etag"), header(&plain, "content-encoding")), (Some("\"v1\""), None));
    assert_eq!(
        (header(&plain, "vary"), header(&plain, "accept-ranges")),
        (Some("Accept-Encoding"), Some("bytes"))
    );
    assert_eq!(plain.text().await.unwrap(), body());
    let head = gateway.client.head(gateway.url("/api/echo/doc")).header("accept-encoding", "gzip");
    let head = head.send().await.unwrap();
    assert_eq!((header(&head, "content-encoding"), header(&head, "etag")), (Some("gzip"), Some("W/\"v1\"")));
    assert_eq!(header(&head, "content-length"), None);
    let head = gateway.client.head(gateway.url("/api/echo/doc")).send().await.unwrap();
    assert_eq!(header(&head, "content-length"), Some(body().len().to_string().as_str()));
}

#[tokio::test]
async fn a_change_under_the_tag_of_a_compressed_answer_is_not_refused_for_it() {
    let raw = Raw::answering(&answer("")).await;
    let (gateway, _kept) = start(&raw.url()).await;
    let put = gateway.client.put(gateway.url("/api/echo/doc")).header("if-match", "W/\"v1\"");
    assert_eq!(put.send().await.unwrap().status(), 200);
    let seen = raw.requests().await.remove(0);
    assert!(seen.contains("if-match: \"v1\"\r\n"), "{seen}");

    // A 304 of the service itself, for a client that has the answer as it was.
    let raw = Raw::answering("HTTP/1.1 304 Not Modified\r\netag: \"v1\"\r\n\r\n").await;
    let (gateway, _kept) = start(&raw.url()).await;
    for tag in ["\"v1\"", "W/\"v1\""] {
        let get = gateway.get("/api/echo/doc").header("accept-encoding", "gzip").header("if-none-match", tag);
        let got = get.send().await.unwrap();
        assert_eq!((got.status().as_u16(), header(&got, "etag")), (304, Some(tag)));
    }
}

#[tokio::test]
async fn a_range_is_never_cut_out_of_compressed_bytes() {
    let raw = Raw::answering(
        "HTTP/1.1 206 Partial Content\r\ncontent-type: application/json\r\netag: \"v1\"\r\n\
         content-range: bytes 0-9/4096\r\ncontent-length: 10\r\n\r\n0123456789",
    )
    .await;
    let (gateway, _kept) = start(&raw.url()).await;
    let get = gateway.get("/api/echo/doc").header("accept-encoding", "gzip").header("range", "bytes=0-9");
    let got = get.send().await.unwrap();
    assert_eq!((got.status().as_u16(), header(&got, "etag")), (206, Some("\"v1\"")));
    assert_eq!((header(&got, "content-encoding"), header(&got, "content-length")), (None, Some("10")));
    assert_eq!(got.text().await.unwrap(), "0123456789");
}

#[tokio::test]
async fn what_holds_a_secret_is_short_or_is_not_to_be_touched_is_not_compressed() {
    let gzip = |request: reqwest::RequestBuilder| request.header("accept-encoding", "gzip, br, zstd");
    for fields in ["cache-control: no-transform\r\n", "set-cookie: a=b\r\n", "content-encoding: deflate\r\n"]
    {
        let raw = Raw::answering(&answer(fields)).await;
        let (gateway, _kept) = start(&raw.url()).await;
        let got = gzip(gateway.get("/api/echo/doc")).send().await.unwrap();
        assert_eq!(header(&got, "content-length"), Some(body().len().to_string().as_str()), "{fields}");
        assert_eq!(got.text().await.unwrap(), body(), "{fields}");
    }
    let raw = Raw::answering(&answer("etag: \"v1\"\r\n")).await;
    let (gateway, _kept) = start(&raw.url()).await;
    for request in
        [gateway.get("/api/echo/doc").header("cookie", "session=1"), gateway.get("/api/echo/plain")]
    {
        let got = gzip(request).send().await.unwrap();
        assert_eq!((header(&got, "content-encoding"), header(&got, "etag")), (None, Some("\"v1\"")));
    }
    let search = gzip(gateway.post("/api/echo/doc")).send().await.unwrap();
    assert!(header(&search, "content-encoding").is_some());
}

#[tokio::test]
async fn the_gateway_s_own_texts_are_compressed_and_its_tokens_never() {
    let double = UsersDouble::bind().await;
    let database = TestDatabase::sqlite();
    let gateway = Gateway::start(config(&database, &double.url()).await).await;
    double.serve(&gateway.url(""));
    let plain = gateway.get("/api_v1/openapi.json").send().await.unwrap().bytes().await.unwrap();
    let got = gateway.get("/api_v1/openapi.json").header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(header(&got, "content-encoding"), Some("gzip"));
    assert!(header(&got, "vary").unwrap().contains("Accept-Encoding"));
    let tag = header(&got, "etag").map(str::to_owned);
    let bytes = got.bytes().await.unwrap();
    assert!(bytes.len() * 4 < plain.len());
    assert_eq!(inflated("gzip", &bytes).await.as_bytes(), &plain[..]);
    if let Some(tag) = tag {
        let again = gateway.get("/api_v1/openapi.json").header("accept-encoding", "gzip");
        assert_eq!(again.header("if-none-match", tag).send().await.unwrap().status(), 304);
    }
    let body = json!({ "email": "ann@example.com", "password": crate::support::PASSWORD });
    let tokens =
        gateway.post("/api_v1/auth/access").header("accept-encoding", "gzip").json(&body).send().await;
    let tokens = tokens.unwrap();
    assert_eq!((tokens.status().as_u16(), header(&tokens, "content-encoding")), (200, None));
    assert!(tokens.json::<Value>().await.unwrap()["access_token"].is_string());
}

#[tokio::test]
async fn what_comes_bit_by_bit_goes_out_bit_by_bit_compressed_and_events_as_they_are() {
    for (kind, coding) in [("application/x-ndjson", Some("gzip")), ("text/event-stream", None)] {
        let more = std::sync::Arc::new(Notify::new());
        let wanted = std::sync::Arc::clone(&more);
        let url = scripted(move |mut stream, _| {
            let wanted = std::sync::Arc::clone(&wanted);
            async move {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                for number in 0..3 {
                    stream.write_all(format!("data: {number}\n").as_bytes()).await.unwrap();
                    wanted.notified().await;
                }
            }
        })
        .await;
        let (gateway, _kept) = start(&url).await;
        let mut stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
        let head = "GET /api/echo/doc HTTP/1.0\r\nHost: g\r\nAccept-Encoding: gzip\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let head = crate::support::read_head(&mut stream).await.unwrap();
        assert_eq!(head.contains("content-encoding: gzip"), coding.is_some(), "{head}");
        let mut lines: Box<dyn tokio::io::AsyncBufRead + Unpin> = match coding {
            Some(_) => Box::new(BufReader::new(GzipDecoder::new(BufReader::new(stream)))),
            None => Box::new(BufReader::new(stream)),
        };
        for number in 0..3 {
            let mut line = String::new();
            let reading = tokio::time::timeout(std::time::Duration::from_secs(4), lines.read_line(&mut line));
            reading.await.expect("it is held back").unwrap();
            assert_eq!(line, format!("data: {number}\n"));
            more.notify_one();
        }
    }
}
