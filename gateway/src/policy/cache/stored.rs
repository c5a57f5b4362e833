//! One stored answer, and how a store outside the process writes it.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::rules::Ruled;
use crate::policy::hop_by_hop;

/// Fields for one connection only, or for the hop that asked: none is stored.
static NOT_STORED: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A stored answer.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// When its head came.
    pub(crate) received: SystemTime,
    /// What follows from all of it, once it was asked for.
    ruled: OnceLock<Box<Ruled>>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    /// Bytes of a value stand as characters of the same number.
    headers: Vec<(String, String)>,
    received: u64,
}

impl Stored {
    /// An answer whose head came at `received`.
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Bytes, received: SystemTime) -> Self {
        Self { status, headers, body, received, ruled: OnceLock::new() }
    }

    /// What the rules say of it.
    pub(crate) fn ruled(&self) -> &Ruled {
        self.ruled.get_or_init(|| Box::new(Ruled::of(self.status, &self.headers, self.received)))
    }

    /// Bytes it takes.
    pub(crate) fn size(&self) -> usize {
        let fields: usize =
            self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        self.body.len() + fields + 128
    }

    /// As a store outside keeps it: the head's length, the head, the body.
    pub(crate) fn written(&self) -> Option<Vec<u8>> {
        let head = Head {
            status: self.status.as_u16(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| {
                    let text = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
                    (name.as_str().to_owned(), text)
                })
                .collect(),
            received: millis(self.received),
        };
        let head = serde_json::to_vec(&head).ok()?;
        let mut written = u32::try_from(head.len()).ok()?.to_be_bytes().to_vec();
        written.extend(head);
        written.extend_from_slice(&self.body);
        Some(written)
    }

    /// What [`Self::written`] wrote; nothing where it is damaged or of another version.
    pub(crate) fn read(bytes: &Bytes) -> Option<Self> {
        let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let end = length.checked_add(4)?;
        let head: Head = serde_json::from_slice(bytes.get(4..end)?).ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in head.headers {
            let value: Option<Vec<u8>> =
                value.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_bytes(&value?).ok()?,
            );
        }
        let status = StatusCode::from_u16(head.status).ok()?;
        let received = SystemTime::UNIX_EPOCH + Duration::from_millis(head.received);
        Some(Self::new(status, headers, bytes.slice(end..), received))
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Drops what is for one connection, and what `Connection` names.
pub(crate) fn without_hop_by_hop(headers: &mut HeaderMap) {
    hop_by_hop::remove(headers, |name| NOT_STORED.contains(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_is_cut_off_is_not() {
        let mut headers = HeaderMap::new();
        headers.append("x", HeaderValue::from_bytes(b"gr\xfc\xdf").unwrap());
        headers.append("x", "2".parse().unwrap());
        let received = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let stored = Stored::new(StatusCode::NOT_FOUND, headers, Bytes::from_static(b"body"), received);
        let written = Bytes::from(stored.written().unwrap());
        let read = Stored::read(&written).unwrap();
        assert_eq!(
            (read.status, &read.headers, &read.body, read.received),
            (stored.status, &stored.headers, &stored.body, stored.received)
        );
        for end in 0..written.len() - 4 {
            assert!(Stored::read(&written.slice(..end)).is_none());
        }
    }
}
