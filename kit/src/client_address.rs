//! Whose address a request comes from, seen through trusted proxies only (RFC 7239 §8.1).

use std::{net::IpAddr, str::FromStr};

use http::HeaderMap;

/// The networks of proxies that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network, such as 10.0.0.0/8 or ::1/128")]
pub struct NotANetwork(String);

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || NotANetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| fail())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(fail)?,
            None => longest,
        };
        Ok(Self { address, prefix })
    }
}

impl Network {
    fn holds(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                u32::from(network).checked_shr(shift) == u32::from(address).checked_shr(shift)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                u128::from(network).checked_shr(shift) == u128::from(address).checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl TrustedProxies {
    /// From texts such as `10.0.0.0/8`.
    ///
    /// # Errors
    /// The first text that is no network.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, NotANetwork> {
        texts.into_iter().map(|text| text.as_ref().trim().parse()).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the address is a trusted proxy's.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(address))
    }

    /// The client's address: the right-most hop of `X-Forwarded-For` that is no trusted proxy. An untrusted peer's own
    /// headers are not looked at; a hop that can't be read ends the search at the peer.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let lines = headers.get_all("x-forwarded-for").iter();
        let hops: Vec<&str> =
            lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).collect();
        let mut client = peer;
        for hop in hops.into_iter().rev() {
            let Some(address) = address(hop.trim()) else { return peer };
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        client
    }
}

/// What is counted as one client: one host of IPv4; one /64 of IPv6, which one host has whole.
#[must_use]
pub fn network(client: IpAddr) -> String {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [first, second, third, fourth, ..] = address.segments();
            format!("{first:x}:{second:x}:{third:x}:{fourth:x}::/64")
        }
    }
}

/// A hop's address, with or without a port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim_matches('"');
    hop.parse()
        .ok()
        .or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        TrustedProxies::parse(trusted).unwrap().client(&headers, "127.0.0.1".parse().unwrap()).to_string()
    }

    #[test]
    fn a_header_of_an_untrusted_peer_changes_nothing() {
        assert_eq!(client(&[], &["1.2.3.4"]), "127.0.0.1");
    }

    #[test]
    fn the_client_is_the_right_most_hop_that_is_not_trusted() {
        let trusted = ["127.0.0.1/32"];
        assert_eq!(client(&trusted, &["6.6.6.6, 10.0.0.9"]), "10.0.0.9");
        assert_eq!(client(&trusted, &["6.6.6.6", "10.0.0.9"]), "10.0.0.9");
        assert_eq!(client(&["127.0.0.1/32", "10.0.0.0/8"], &["6.6.6.6, 10.0.0.9"]), "6.6.6.6");
        assert_eq!(client(&trusted, &["10.0.0.9, garbage"]), "127.0.0.1");
        assert_eq!(client(&trusted, &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client(&trusted, &[]), "127.0.0.1");
    }

    #[test]
    fn a_network_of_prefix_zero_holds_everything() {
        assert!(TrustedProxies::parse(["0.0.0.0/0"]).unwrap().trusts("8.8.8.8".parse().unwrap()));
        assert!(TrustedProxies::parse(["10.0.0.0/33"]).is_err());
    }
}
