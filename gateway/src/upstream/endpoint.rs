//! Where a service is: a URL, and the addresses its name stands for.

use std::{io, net::SocketAddr};

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

/// A service's address is no URL that can be called.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no URL such as http://host:port/base-path")]
pub(crate) struct BadUpstreamUrl(pub(super) String);

/// One base URL of a service.
#[derive(Debug)]
pub(super) struct Endpoint {
    authority: Authority,
    /// Without a trailing slash; empty where the service stands at the root.
    base: String,
    host: String,
    port: u16,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Self, BadUpstreamUrl> {
        let fail = || BadUpstreamUrl(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| fail())?;
        let authority = uri.authority().cloned().ok_or_else(fail)?;
        // hyper's URIs have no fragment: it is dropped in parsing, which is no reason to take one.
        let is_plain = uri.scheme() == Some(&Scheme::HTTP)
            && uri.query().is_none()
            && !url.contains(['#', '?'])
            && !authority.as_str().contains('@')
            && !authority.host().is_empty();
        if !is_plain {
            return Err(fail());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self { base: uri.path().trim_end_matches('/').to_owned(), authority, host, port })
    }

    /// The address, where the URL holds one and no name.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.parse().ok()?, self.port))
    }

    pub(super) fn host(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.base)
    }

    /// A target below this URL, its bytes unchanged.
    pub(super) fn uri(&self, target: &PathAndQuery) -> Result<Uri, http::Error> {
        let target = if self.base.is_empty() {
            target.clone()
        } else {
            PathAndQuery::try_from(format!("{}{}", self.base, target.as_str()))?
        };
        Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone()).path_and_query(target).build()
    }
}

/// The addresses that a name stands for now.
pub(super) async fn look_up(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect())
}
