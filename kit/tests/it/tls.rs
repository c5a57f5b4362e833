//! A listener that speaks TLS: what it offers, how long it waits, and how its certificate is changed.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use kit::server::{Limits, Server, Tls, TlsFiles};
use poem::endpoint::make_sync;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

/// A certificate for `localhost` that nobody else has signed, in files of this name.
fn files(folder: &Path, name: &str) -> (TlsFiles, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files =
        TlsFiles { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    (files, made.cert.der().clone())
}

async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

async fn start(tls: Arc<Tls>, limits: Limits) -> SocketAddr {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), limits).await.unwrap().encrypted(Some(tls));
    let address = server.address();
    let app = make_sync(|request| request.scheme().to_string());
    tokio::spawn(server.run(app, CancellationToken::new()));
    address
}

async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn both_protocols_are_offered_and_a_new_certificate_is_shown_to_whoever_comes_next() {
    let folder = tempfile::tempdir().unwrap();
    let (first, trusted) = files(folder.path(), "first");
    let (second, next) = files(folder.path(), "second");
    let tls = Arc::new(Tls::read(&first).unwrap());
    let address = start(Arc::clone(&tls), Limits::default()).await;
    for (offered, taken) in [
        (&[b"h2".as_slice(), b"http/1.1"][..], Some(b"h2".as_slice())),
        (&[b"http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = connect(address, &trusted, offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), taken);
    }
    let mut http2 = connect(address, &trusted, &[b"h2"]).await.unwrap();
    http2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut head = [0; 9];
    http2.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
    let mut before = connect(address, &trusted, &[b"http/1.1"]).await.unwrap();
    tls.replace(&Tls::read(&second).unwrap());
    assert!(get(&mut before).await.ends_with("\r\n\r\nhttps"), "an open connection goes on");
    assert!(connect(address, &trusted, &[]).await.is_err());
    assert!(get(&mut connect(address, &next, &[]).await.unwrap()).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn who_shakes_no_hand_is_cut_off_and_plain_http_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = files(folder.path(), "own");
    let limits = Limits { head_time: Duration::from_millis(200), ..Limits::default() };
    let address = start(Arc::new(Tls::read(&files).unwrap()), limits).await;
    for sent in [b"".as_slice(), b"\x16\x03\x01", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok() && !rest.starts_with(b"HTTP"), "{sent:?}: {rest:?}");
    }
}

#[test]
fn a_certificate_that_can_t_be_used_is_told_with_its_setting_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let ((good, _), (other, _)) = (files(folder.path(), "good"), files(folder.path(), "other"));
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    for (certificate, key, part) in [
        (folder.path().join("none"), good.key.clone(), "gateway.tls_certificate"),
        (empty.clone(), good.key.clone(), "holds no certificate"),
        (good.key.clone(), good.key.clone(), "holds no certificate"),
        (good.certificate.clone(), folder.path().join("none"), "gateway.tls_key"),
        (good.certificate.clone(), good.certificate.clone(), "holds no private key"),
        (good.certificate.clone(), other.key, "does not fit the certificate"),
    ] {
        let fault = Tls::read(&TlsFiles { certificate, key }).err().unwrap().to_string();
        assert!(fault.contains(part) && fault.contains(&folder.path().display().to_string()), "{fault}");
        assert!(!fault.contains("PRIVATE"), "{fault}");
    }
}
