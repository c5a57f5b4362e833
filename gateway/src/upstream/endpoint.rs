//! Where a service is: a URL, and the addresses its name stands for.

use std::{io, net::SocketAddr};

use http::{
    HeaderValue, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use rustls::pki_types::ServerName;

/// A service's address is no URL that can be called.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadUpstreamUrl {
    /// Not such a URL.
    #[error("{0:?} is no http:// or https:// URL of a host, an optional port and an optional path")]
    Url(String),
    /// No certificate could ever be for it, or none can be checked.
    #[error("{0:?} can't be called over TLS: {1}")]
    Tls(String, String),
    /// No address at all.
    #[error("names no instance; it takes at least one, such as \"http://127.0.0.1:9000\"")]
    None,
}

/// One base URL of a service.
#[derive(Debug)]
pub(super) struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    /// What the service is told that it is asked for.
    host_field: HeaderValue,
    /// Without a trailing slash; empty where the service stands at the root.
    base: String,
    host: String,
    port: u16,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Self, BadUpstreamUrl> {
        let fail = || BadUpstreamUrl::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| fail())?;
        let authority = uri.authority().cloned().ok_or_else(fail)?;
        // hyper's URIs have no fragment: it is dropped in parsing, which is no reason to take one.
        let scheme = uri.scheme().filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme));
        let is_plain = uri.query().is_none()
            && !url.contains(['#', '?'])
            && !authority.as_str().contains('@')
            && !authority.host().is_empty();
        let Some(scheme) = scheme.filter(|_| is_plain).cloned() else { return Err(fail()) };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let default_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(default_port);
        if scheme == Scheme::HTTPS {
            ServerName::try_from(host.as_str())
                .map_err(|error| BadUpstreamUrl::Tls(url.to_owned(), error.to_string()))?;
        }
        let named = if port == default_port {
            authority.host().to_owned()
        } else {
            format!("{}:{port}", authority.host())
        };
        let host_field = HeaderValue::try_from(named).map_err(|_| fail())?;
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { scheme, authority, host_field, base, host, port })
    }

    /// The address, where the URL holds one and no name.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.parse().ok()?, self.port))
    }

    pub(super) fn host(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Whether it is called over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.base)
    }

    /// `Host`, with the port where it is not the scheme's own (RFC 9110 §7.2).
    pub(super) fn host_field(&self) -> &HeaderValue {
        &self.host_field
    }

    /// A target below this URL, its bytes unchanged, for a client that calls no other: its pool knows every connection by scheme and
    /// authority and hashes each byte of them eight times a call, so the authority is one byte. [`Self::host_field`] goes beside it.
    pub(super) fn uri(&self, target: &PathAndQuery) -> Result<Uri, http::Error> {
        let target = if self.base.is_empty() {
            target.clone()
        } else {
            PathAndQuery::try_from(format!("{}{}", self.base, target.as_str()))?
        };
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(Authority::from_static("u"))
            .path_and_query(target)
            .build()
    }
}

/// The addresses that a name stands for now.
pub(super) async fn look_up(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_stands_before_every_target_and_its_bytes_stay() {
        let target = PathAndQuery::from_static("/a%20b?c=%2F&c=1");
        let below = Endpoint::parse("http://h:1/v3/").unwrap();
        let sent = |endpoint: &Endpoint| {
            let uri = endpoint.uri(&target).unwrap();
            let target = uri.path_and_query().unwrap().as_str().to_owned();
            (uri.scheme_str().unwrap().to_owned(), endpoint.host_field().clone(), target)
        };
        let told = |scheme: &str, host: &'static str, target: &str| {
            (scheme.to_owned(), HeaderValue::from_static(host), target.to_owned())
        };
        assert_eq!(sent(&below), told("http", "h:1", "/v3/a%20b?c=%2F&c=1"));
        for (url, host) in [("http://h", "h"), ("http://h:80", "h"), ("http://h:443", "h:443")] {
            assert_eq!(sent(&Endpoint::parse(url).unwrap()), told("http", host, "/a%20b?c=%2F&c=1"));
        }
        assert_eq!(Endpoint::parse("http://[::1]:7").unwrap().address(), "[::1]:7".parse().ok());
        assert_eq!(Endpoint::parse("https://h/v3").unwrap().host(), ("h", 443));
        for (url, host) in
            [("https://[::1]", "[::1]"), ("https://[::1]:443/", "[::1]"), ("https://[::1]:8", "[::1]:8")]
        {
            assert_eq!(sent(&Endpoint::parse(url).unwrap()), told("https", host, "/a%20b?c=%2F&c=1"));
        }
        for url in [
            "ftp://h",
            "https://a_b..c",
            "h:1",
            "/a",
            "http://h/?q",
            "http://h/#f",
            "http://u:p@h",
            "http://",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
