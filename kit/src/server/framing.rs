//! Where each request of a connection begins and ends, read from its bytes beside hyper: so that every head is looked at, also one
//! that came in the same read as the end of the last request.

use std::collections::VecDeque;

/// What was found out about a head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// It announces both a length and chunks, of which hyper hands on one (RFC 9112 §6.3 item 3), or has a line that ends without
    /// CR, which another reader takes for part of a value.
    pub(super) ambiguous: bool,
    /// Its size: hyper's own limit does not see a head that came whole in its first reads.
    pub(super) bytes: usize,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Head,
    /// So many bytes of a body are left.
    Length(u64),
    /// The line with a chunk's size.
    ChunkSize,
    /// So many bytes of a chunk are left.
    Chunk(u64),
    /// The line break behind a chunk.
    ChunkEnd,
    Trailers,
    /// What comes can't be told: hyper refuses it, or it is no HTTP any more.
    Lost,
}

/// Follows the requests of one connection.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
    /// The last line, as far as it has come and is of interest.
    line: Vec<u8>,
    /// Bytes of the last line.
    line_bytes: usize,
    /// The last byte was CR.
    carriage: bool,
    /// A line of this head has ended without one.
    bare: bool,
    head: Head,
    length: Option<u64>,
    chunks: bool,
    ended: VecDeque<Head>,
}

impl Default for Framing {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing {
    /// The longest line that is of interest: a field name with a length.
    const LONGEST: usize = 64;

    pub(super) fn new() -> Self {
        Self {
            place: Place::Head,
            line: Vec::new(),
            line_bytes: 0,
            carriage: false,
            bare: false,
            head: Head::default(),
            length: None,
            chunks: false,
            ended: VecDeque::new(),
        }
    }

    /// Whether part of a head has come, and its end has not.
    pub(super) fn is_within_head(&self) -> bool {
        self.place == Place::Head && self.head.bytes + self.line_bytes > 0
    }

    /// Whether all of the last request has come, and nothing of a next one.
    pub(super) fn is_between_requests(&self) -> bool {
        self.place == Place::Head && self.head.bytes + self.line_bytes == 0
    }

    /// The head of the next request that hyper hands on; they come in the same order.
    pub(super) fn next_head(&mut self) -> Option<Head> {
        // One that is not whole yet was refused for its size.
        self.ended.pop_front()
    }

    pub(super) fn look(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Lost => return,
                Place::Length(left) | Place::Chunk(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= count as u64;
                    bytes = &bytes[count..];
                    self.place = match self.place {
                        Place::Length(0) => Place::Head,
                        Place::Chunk(0) => Place::ChunkEnd,
                        place => place,
                    };
                }
                Place::Head | Place::ChunkSize | Place::ChunkEnd | Place::Trailers => {
                    let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
                    let (part, rest) = bytes.split_at(end);
                    bytes = rest;
                    let room = Self::LONGEST.saturating_sub(self.line.len());
                    self.line.extend_from_slice(&part[..part.len().min(room)]);
                    self.line_bytes += part.len();
                    match part {
                        [.., before, b'\n'] => self.line_ended(*before == b'\r'),
                        [b'\n'] => self.line_ended(self.carriage),
                        _ => {}
                    }
                    self.carriage = part.ends_with(b"\r");
                }
            }
        }
    }

    fn line_ended(&mut self, is_whole: bool) {
        self.bare |= !is_whole && self.place == Place::Head;
        self.within_message();
        self.line.clear();
        self.line_bytes = 0;
    }

    /// What the line that has ended means.
    fn within_message(&mut self) {
        let is_empty = matches!(self.line.as_slice(), b"\r\n" | b"\n");
        match self.place {
            Place::Head => {
                // Empty lines before a request are passed over (RFC 9112 §2.2).
                let is_before = self.head.bytes == 0 && is_empty;
                if is_before {
                    return;
                }
                self.head.bytes += self.line_bytes;
                if is_empty { self.head_ended() } else { self.field() }
            }
            Place::ChunkSize => {
                self.place = match chunk_size(&self.line) {
                    Some(0) => Place::Trailers,
                    Some(size) => Place::Chunk(size),
                    None => Place::Lost,
                };
            }
            Place::ChunkEnd => self.place = if is_empty { Place::ChunkSize } else { Place::Lost },
            Place::Trailers if is_empty => self.place = Place::Head,
            Place::Trailers | Place::Length(_) | Place::Chunk(_) | Place::Lost => {}
        }
    }

    fn field(&mut self) {
        let value = |name: &[u8]| {
            let start = self.line.get(..name.len())?;
            start.eq_ignore_ascii_case(name).then(|| self.line[name.len()..].trim_ascii())
        };
        if let Some(value) = value(b"content-length:") {
            // What hyper does not take as a number it refuses.
            let number = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            self.length = Some(number.unwrap_or(u64::MAX));
        }
        self.chunks |= value(b"transfer-encoding:").is_some();
    }

    fn head_ended(&mut self) {
        self.head.ambiguous = self.bare || (self.length.is_some() && self.chunks);
        self.place = match (self.length, self.chunks) {
            // Such a request is refused, and the connection closed behind it.
            (Some(_), true) => Place::Lost,
            (None, true) => Place::ChunkSize,
            (Some(length), false) if length > 0 => Place::Length(length),
            _ => Place::Head,
        };
        self.ended.push_back(self.head);
        (self.head, self.length, self.chunks, self.bare) = (Head::default(), None, false, false);
    }
}

/// The size that a chunk's first line tells; extensions are passed over.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let text = std::str::from_utf8(line.get(..digits)?).ok()?;
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heads(bytes: &[u8], cut: usize) -> Vec<Head> {
        let mut framing = Framing::new();
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        framing.look(first);
        framing.look(second);
        std::iter::from_fn(|| framing.next_head()).collect()
    }

    const BOTH: &[u8] =
        b"POST / HTTP/1.1\r\nContent-Length: 4\r\nhost: g\r\ntransfer-Encoding: chunked\r\n\r\n0";
    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: g\r\n\r\n";
    const LENGTH: &[u8] =
        b"POST / HTTP/1.1\r\ncontent-length: 40\r\n\r\ntransfer-encoding: x\r\ncontent-length\r\n\r\n";
    const CHUNKS: &[u8] = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1b;a=b\r\ncontent-length: 4\r\n\r\nGET / \r\n0\r\ncontent-length: 1\r\n\r\n";

    proptest! {
        #[test]
        fn every_head_is_seen_however_the_bytes_are_cut(before in prop::collection::vec(0..3_usize, 0..4), cut in 0..400_usize) {
            let mut bytes: Vec<u8> = before.iter().flat_map(|kind| [GET, LENGTH, CHUNKS][*kind].to_vec()).collect();
            bytes.extend_from_slice(BOTH);
            let heads = heads(&bytes, cut);
            prop_assert_eq!(heads.len(), before.len() + 1);
            prop_assert!(heads[..before.len()].iter().all(|head| !head.ambiguous));
            prop_assert!(heads[before.len()].ambiguous);
        }

        #[test]
        fn any_bytes_are_followed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..300_usize) {
            heads(&bytes, cut);
        }
    }

    #[test]
    fn a_head_is_counted_to_its_end_and_no_further() {
        let found = heads(b"\r\nGET / HTTP/1.1\r\nhost: g\r\n\r\nbody\r\nbody", 22);
        assert_eq!(found, [Head { ambiguous: false, bytes: GET.len() }]);
    }

    #[test]
    fn a_line_of_a_head_that_ends_without_cr_is_told_however_it_is_cut() {
        let bare = b"GET / HTTP/1.1\r\nx: 1\ny: 2\r\nhost: g\r\n\r\n";
        for cut in 0..bare.len() {
            assert!(heads(bare, cut)[0].ambiguous, "{cut}");
            assert!(!heads(GET, cut)[0].ambiguous, "{cut}");
        }
    }

    #[test]
    fn what_a_chunk_says_of_its_size_is_hexadecimal() {
        assert_eq!(chunk_size(b"1A;x=y\r\n"), Some(26));
        assert_eq!(chunk_size(b"ffffffffffffffffff\r\n"), None);
        assert_eq!(chunk_size(b"-1\r\n"), None);
    }
}
