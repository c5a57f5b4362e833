//! Which content coding a client takes (RFC 9110 §12.5.3).

use http::{HeaderMap, HeaderValue, header};

/// A coding, the one that is wanted most first: of about the same size in the end, the first costs least to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

impl Coding {
    const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// Its name in `Content-Encoding`.
    pub(crate) fn name(self) -> HeaderValue {
        HeaderValue::from_static(self.text())
    }

    fn text(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The one that a client wants most, if it wants any more than none.
    pub(crate) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let listed: Vec<(String, u16)> = headers
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(entry)
            .collect();
        let weight_of = |name: &str| {
            let named =
                listed.iter().find(|(listed, _)| listed == name || (name == "gzip" && listed == "x-gzip"));
            named.or_else(|| listed.iter().find(|(listed, _)| listed == "*")).map(|(_, weight)| *weight)
        };
        let plain = listed.iter().find(|(name, _)| name == "identity").map_or(1, |(_, weight)| *weight);
        let mut best: Option<(Self, u16)> = None;
        for coding in Self::ALL {
            let weight = weight_of(coding.text()).unwrap_or(0);
            if weight > 0 && best.is_none_or(|(_, other)| weight > other) {
                best = Some((coding, weight));
            }
        }
        best.filter(|(_, weight)| *weight >= plain).map(|(coding, _)| coding)
    }
}

/// A coding and its weight in thousandths.
fn entry(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((name, weight.map_or(1000, thousandths)))
}

/// A weight that can't be read is none.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match (whole, digits) {
        ("1", true) if fraction.bytes().all(|byte| byte == b'0') => 1000,
        ("0", true) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coding_is_the_one_the_client_wants_most() {
        for (accepted, wanted) in [
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip, deflate, br", Some(Coding::Brotli)),
            ("gzip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("GZIP;Q=0.5, br;q=0.4", Some(Coding::Gzip)),
            ("br;q=0, gzip", Some(Coding::Gzip)),
            ("*", Some(Coding::Zstd)),
            ("*;q=0", None),
            ("zstd;q=0, *", Some(Coding::Brotli)),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip;q=0.5", Some(Coding::Gzip)),
            ("identity;q=0, gzip;q=0.001", Some(Coding::Gzip)),
            ("gzip;q=2", None),
            ("gzip;q=0.0001", None),
            ("deflate", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(Coding::wanted(&headers), wanted, "{accepted}");
        }
        assert_eq!(Coding::wanted(&HeaderMap::new()), None);
    }
}
