//! A client of HTTP/2 that sends whatever frames it is told to, right or wrong.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GO_AWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Of DATA and HEADERS; of SETTINGS and PING the acknowledgement.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

/// What both ends say first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The code of `RST_STREAM` and GOAWAY.
    pub(crate) fn code(&self) -> u8 {
        match self.kind {
            RESET => self.payload[3],
            GO_AWAY => self.payload[7],
            kind => panic!("a frame of kind {kind} has no code"),
        }
    }

    /// The status that HEADERS begin with.
    pub(crate) fn status(&self) -> u16 {
        assert_eq!(self.kind, HEADERS);
        if let index @ 0x88..=0x8e = self.payload[0] {
            return [200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)];
        }
        // Told by its name in the static table, with the value after it.
        let at = 1 + usize::from(self.payload[0] == 0);
        let (length, huffman) = (usize::from(self.payload[at] & 0x7f), self.payload[at] & 0x80 != 0);
        let value = &self.payload[at + 1..at + 1 + length];
        if huffman { digits(value) } else { std::str::from_utf8(value).unwrap().parse().unwrap() }
    }
}

/// Digits in HPACK's Huffman code: 0 to 2 have five bits, 3 to 9 six.
fn digits(bytes: &[u8]) -> u16 {
    let bits: Vec<bool> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let number = |bits: &[bool]| bits.iter().fold(0_u16, |number, bit| number * 2 + u16::from(*bit));
    let (mut at, mut found) = (0, 0);
    while bits.len() - at >= 5 {
        let short = number(&bits[at..at + 5]);
        let (digit, length) = match short {
            0..=2 => (short, 5),
            _ if bits.len() - at < 6 => break,
            _ => (number(&bits[at..at + 6]).wrapping_sub(0x19) + 3, 6),
        };
        if digit > 9 {
            break;
        }
        found = found * 10 + digit;
        at += length;
    }
    found
}

/// A frame as bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Fields, each written out (HPACK's literals without indexing).
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        text(&mut bytes, name.as_bytes());
        text(&mut bytes, value.as_bytes());
    }
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    if text.len() < 127 {
        bytes.push(u8::try_from(text.len()).unwrap());
    } else {
        bytes.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            bytes.push(u8::try_from(rest % 128 + 128).unwrap());
            rest /= 128;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }
    bytes.extend_from_slice(text);
}

/// The four fields of a request, and more.
pub(crate) fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let own = [(":method", method), (":scheme", "http"), (":authority", "g"), (":path", path)];
    fields(&[&own[..], more].concat())
}

/// A connection.
pub(crate) struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Connects and says what a client says first.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut peer = Self { stream: TcpStream::connect(address).await.unwrap() };
        peer.write(PREFACE).await;
        peer.send(SETTINGS, 0, 0, &[]).await;
        peer
    }

    /// Writes bytes; the other side may be gone.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.write(&frame(kind, flags, stream, payload)).await
    }

    /// A whole request without a body.
    pub(crate) async fn get(&mut self, stream: u32, path: &str, more: &[(&str, &str)]) -> bool {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &request("GET", path, more)).await
    }

    /// The next frame; nothing where the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let read = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload).await.ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            Some(Frame { kind: head[3], flags: head[4], stream, payload })
        };
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("nothing came, and no end")
    }

    /// The first frame that says how a request or the connection fared; nothing where the connection just ended.
    pub(crate) async fn outcome(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if matches!(frame.kind, HEADERS | RESET | GO_AWAY) {
                return Some(frame);
            }
        }
    }

    /// Waits for the end of the connection; the frames until then.
    pub(crate) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}
