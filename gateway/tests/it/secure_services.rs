//! Services that are called over TLS.

use std::{net::SocketAddr, path::Path, sync::Arc};

use kit::testing::TestDatabase;
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::support::{self, Gateway, Raw, answer, config, declared};

fn document() -> Value {
    let any = json!({ "description": "", "content": { "*/*": {} } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Echo", "version": "1" },
        "paths": { "/pub": {
            "get": { "operationId": "open", "responses": { "200": any } },
            "post": { "operationId": "change", "responses": { "200": any } },
        } },
    })
}

/// TLS for `name` in front of a service, and the certificate in a file.
async fn secured(name: &str, folder: &Path, to: SocketAddr) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    std::fs::write(folder.join("ca.pem"), made.cert.pem()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(stream).await else { return };
                let mut service = TcpStream::connect(to).await.unwrap();
                let _ended = copy_bidirectional(&mut client, &mut service).await;
            });
        }
    });
    address
}

/// Answers without TLS, as a service does that is asked on its plain port.
async fn plain() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    address
}

async fn start(url: &str, folder: &Path, more: &str) -> (Gateway, TestDatabase) {
    let database = TestDatabase::sqlite();
    let mut config = config(&database, "http://127.0.0.1:1").await;
    let more = format!("access = \"public\"\n{more}");
    config.services = vec![declared(folder, url, &document(), &more)];
    (Gateway::start(config).await, database)
}

#[tokio::test]
async fn a_service_is_called_over_tls_where_its_certificate_leads_to_one_that_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let address = secured("localhost", folder.path(), raw.address()).await;
    let url = format!("https://localhost:{}/base", address.port());
    let (gateway, _kept) = start(&url, folder.path(), "tls_ca = \"ca.pem\"").await;
    for call in [gateway.get("/api/echo/pub"), gateway.post("/api/echo/pub").body("{}")] {
        assert_eq!(call.send().await.unwrap().status(), 200);
    }
    let requests = raw.requests().await;
    assert!(requests[0].starts_with("GET /base/pub HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[1].starts_with("POST /base/pub HTTP/1.1\r\n"), "{requests:?}");
}

#[tokio::test]
async fn what_is_not_trusted_gets_no_request_and_is_502_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let raw = Raw::answering(&answer("200 OK", "text/plain", "x")).await;
    let trusted = "tls_ca = \"ca.pem\"";
    let another_s_name = secured("other.test", folder.path(), raw.address()).await;
    let table = [
        (another_s_name, trusted, 502, "tls_certificate_error"),
        (another_s_name, "", 502, "tls_certificate_error"),
        (plain().await, trusted, 502, "tls_protocol_error"),
        (raw.address(), trusted, 504, "connection_timeout"),
    ];
    for (address, more, status, error) in table {
        let url = format!("https://localhost:{}", address.port());
        let (gateway, _kept) = start(&url, folder.path(), more).await;
        let answer = gateway.post("/api/echo/pub").body("{}").send().await.unwrap();
        assert_eq!(answer.status(), status, "{error}");
        assert_eq!(answer.headers()["proxy-status"], format!("platform; error={error}"));
        support::problem(answer).await;
    }
    let known = secured("localhost", folder.path(), raw.address()).await;
    let (gateway, _kept) = start(&format!("https://localhost:{}", known.port()), folder.path(), "").await;
    assert_eq!(gateway.get("/api/echo/pub").send().await.unwrap().status(), 502, "nobody is trusted unasked");
    assert!(
        raw.requests().await.iter().all(|request| !request.contains("/pub")),
        "{:?}",
        raw.requests().await
    );
}

#[tokio::test]
async fn a_document_is_read_from_the_service_over_the_same_trust() {
    let folder = tempfile::tempdir().unwrap();
    let raw = Raw::json("200 OK", &document().to_string()).await;
    let address = secured("localhost", folder.path(), raw.address()).await;
    let url = format!("https://localhost:{}", address.port());
    let mut service = declared(folder.path(), &url, &document(), "tls_ca = \"ca.pem\"");
    service.settings.openapi = format!("{url}/openapi.json");
    assert_eq!(gateway::document_of(&service).await.unwrap()["openapi"], "3.1.0");
    let faults = [
        (None, "invalid peer certificate"),
        (Some("none.pem"), "tls_ca: "),
        (Some("echo.json"), "echo.json holds no certificate in PEM"),
    ];
    for (file, part) in faults {
        service.settings.tls_ca = file.map(Into::into);
        let fault = gateway::document_of(&service).await.unwrap_err().to_string();
        assert!(fault.starts_with("platform.toml:1: service echo: ") && fault.contains(part), "{fault}");
    }
}
