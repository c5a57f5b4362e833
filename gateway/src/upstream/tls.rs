//! Whom a service is trusted by that is called over TLS: the system's roots, and those its settings add.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::Verifier;

/// Connections carry one call at a time, as those without TLS do.
const PROTOCOL: &[u8] = b"http/1.1";

/// Certificates that a service's own may lead to, beside those the system trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Roots(Vec<CertificateDer<'static>>);

/// A file that holds no such certificates.
#[derive(Debug, thiserror::Error)]
pub enum RootsFault {
    /// It can't be read.
    #[error("{file} can't be read: {1}", file = .0.display())]
    Unreadable(PathBuf, io::Error),
    /// It is something else.
    #[error("{file} holds no certificate in PEM", file = .0.display())]
    NotPem(PathBuf),
}

impl Roots {
    /// Reads a file of certificates in PEM.
    ///
    /// # Errors
    /// [`RootsFault`].
    pub(crate) fn read(file: &Path) -> Result<Self, RootsFault> {
        let text = fs::read(file).map_err(|error| RootsFault::Unreadable(file.to_owned(), error))?;
        let not_pem = || RootsFault::NotPem(file.to_owned());
        let found: Vec<_> =
            CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|_| not_pem())?;
        if found.is_empty() { Err(not_pem()) } else { Ok(Self(found)) }
    }

    /// As the client takes them that reads documents.
    ///
    /// # Errors
    /// One of them is no certificate.
    pub(crate) fn certificates(&self) -> reqwest::Result<Vec<reqwest::Certificate>> {
        self.0.iter().map(|certificate| reqwest::Certificate::from_der(certificate)).collect()
    }

    /// How connections to services are made that are trusted so.
    ///
    /// # Errors
    /// The system's roots can't be had, or one of these is no certificate.
    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(self.0.iter().cloned(), Arc::clone(&provider))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Arc::new(config))
    }
}
