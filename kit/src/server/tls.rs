//! The certificate and key of a listener that speaks TLS, which others take the place of while it runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    client::verify_server_name,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// What is offered to clients (ALPN), the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and behind it those that lead to a root: PEM.
    pub certificate: PathBuf,
    /// Its private key: PEM.
    pub key: PathBuf,
}

/// A certificate and key that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The file can't be read.
    #[error("{key} {file} can't be read: {error}", file = .path.display())]
    Unreadable {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is something else.
    #[error("{key} {file} holds no {what} in PEM", file = .path.display())]
    NotPem {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The key is another certificate's, or of a kind that is not understood.
    #[error("{TLS_KEY} {file} does not fit the certificate: {error}", file = .path.display())]
    Unfit {
        /// The key's file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
}

/// The setting that names the certificate.
pub const TLS_CERTIFICATE: &str = "gateway.tls_certificate";

/// The setting that names the key.
pub const TLS_KEY: &str = "gateway.tls_key";

/// What a listener shows its clients.
pub struct Tls(ArcSwap<ServerConfig>);

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// [`TlsFault`].
    pub fn read(files: &TlsFiles) -> Result<Self, TlsFault> {
        let no_chain = || TlsFault::NotPem {
            key: TLS_CERTIFICATE,
            path: files.certificate.clone(),
            what: "certificate",
        };
        let bytes = read(TLS_CERTIFICATE, &files.certificate)?;
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(&bytes).collect::<Result<_, _>>().map_err(|_| no_chain())?;
        if chain.is_empty() {
            return Err(no_chain());
        }
        let key = PrivateKeyDer::from_pem_slice(&read(TLS_KEY, &files.key)?)
            .map_err(|_| TlsFault::NotPem { key: TLS_KEY, path: files.key.clone(), what: "private key" })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| TlsFault::Unfit { path: files.key.clone(), error })?;
        config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
        Ok(Self(ArcSwap::from_pointee(config)))
    }

    /// Connections that begin from now on get what `other` would show.
    pub fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// The handshake.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        TlsAcceptor::from(self.0.load_full()).accept(stream).await
    }
}

/// What a certificate says of itself.
#[derive(Debug)]
pub struct CertificateFacts {
    /// From when it is good, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
    certificate: CertificateDer<'static>,
}

impl CertificateFacts {
    /// Of the first certificate in this file, the listener's own; nothing where there is none.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let certificate = CertificateDer::from_pem_file(path).ok()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).ok()?;
        let (not_before, not_after) =
            (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        Some(Self { not_before, not_after, certificate })
    }

    /// Whether it is made out to this host.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host.trim_matches(['[', ']'])) else { return false };
        ParsedCertificate::try_from(&self.certificate)
            .is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsFault> {
    fs::read(path).map_err(|error| TlsFault::Unreadable { key, path: path.to_owned(), error })
}
