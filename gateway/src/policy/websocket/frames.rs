//! Where a frame ends in bytes that pass by (RFC 6455 §5.2), so that a Close may be put between two, and what a Close that
//! passes says. Nothing is changed or kept of the bytes.

/// A Close without a code (RFC 6455 §7.4.1): none ever stands in a frame.
pub(crate) const NO_CODE: u16 = 1005;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Bytes of the longest head: two, a length of eight, a mask of four.
const LONGEST_HEAD: usize = 14;

/// Follows one direction of a WebSocket.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    close: Option<u16>,
}

#[derive(Debug)]
enum State {
    /// In a head, of which these bytes are there.
    Head { bytes: [u8; LONGEST_HEAD], have: usize },
    /// In a payload.
    Payload { left: u64 },
    /// In the payload of a Close.
    Close { left: u64, mask: [u8; 4], code: [u8; 2], at: usize },
    /// What came is no frame: where the next one starts is not known any more.
    Lost,
}

impl State {
    const START: Self = Self::Head { bytes: [0; LONGEST_HEAD], have: 0 };
}

impl Default for Scanner {
    fn default() -> Self {
        Self { state: State::START, close: None }
    }
}

impl Scanner {
    /// Whether the next byte is the first of a frame.
    pub(crate) fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Head { have: 0, .. })
    }

    /// The code of the Close that has passed, if one has.
    pub(crate) fn close(&self) -> Option<u16> {
        self.close
    }

    /// Follows all of the bytes.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.pass_to_end_of_frame(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// Follows the bytes up to the end of a frame; tells how many those are: all, where none ends in them.
    pub(crate) fn pass_to_end_of_frame(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            taken += self.step(rest);
            if self.is_between_frames() {
                break;
            }
        }
        taken
    }

    /// Follows some of the bytes: one of a head, or as many of a payload as there are.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.state {
            State::Lost => bytes.len(),
            State::Head { bytes: head, have } => {
                if let (Some(place), Some(byte)) = (head.get_mut(*have), bytes.first()) {
                    *place = *byte;
                    *have += 1;
                }
                match read_head(head, *have) {
                    Read::More => {}
                    Read::NoFrame => self.state = State::Lost,
                    Read::Frame { opcode, length, mask } => self.begin(opcode, length, mask),
                }
                1
            }
            State::Payload { left } => {
                let taken = (bytes.len() as u64).min(*left);
                *left -= taken;
                if *left == 0 {
                    self.state = State::START;
                }
                usize::try_from(taken).unwrap_or(bytes.len())
            }
            State::Close { left, mask, code, at } => {
                let byte = bytes.first().copied().unwrap_or_default() ^ mask[*at % 4];
                if let Some(place) = code.get_mut(*at) {
                    *place = byte;
                }
                *at += 1;
                *left -= 1;
                if *left == 0 {
                    self.close = Some(if *at >= 2 { u16::from_be_bytes(*code) } else { NO_CODE });
                    self.state = State::START;
                }
                1
            }
        }
    }

    fn begin(&mut self, opcode: u8, length: u64, mask: [u8; 4]) {
        self.state = match (opcode, length) {
            (CLOSE, 0) => {
                self.close = Some(NO_CODE);
                State::START
            }
            (_, 0) => State::START,
            (CLOSE, left) => State::Close { left, mask, code: [0; 2], at: 0 },
            (_, left) => State::Payload { left },
        };
    }
}

enum Read {
    More,
    NoFrame,
    Frame { opcode: u8, length: u64, mask: [u8; 4] },
}

fn read_head(head: &[u8; LONGEST_HEAD], have: usize) -> Read {
    if have < 2 {
        return Read::More;
    }
    let (opcode, is_last, is_masked) = (head[0] & 0x0F, head[0] & 0x80 != 0, head[1] & 0x80 != 0);
    let short = u64::from(head[1] & 0x7F);
    let is_control = matches!(opcode, CLOSE | PING | PONG);
    if !(is_control || matches!(opcode, CONTINUATION | TEXT | BINARY))
        || (is_control && (!is_last || short > 125))
    {
        return Read::NoFrame;
    }
    let after_length = match short {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let needed = if is_masked { after_length + 4 } else { after_length };
    if have < needed {
        return Read::More;
    }
    let length = match short {
        126 => u64::from(u16::from_be_bytes([head[2], head[3]])),
        127 => head[2..10].iter().fold(0, |length, byte| (length << 8) | u64::from(*byte)),
        short => short,
    };
    if length > i64::MAX as u64 {
        return Read::NoFrame;
    }
    let mut mask = [0; 4];
    if is_masked {
        mask.copy_from_slice(&head[after_length..needed]);
    }
    Read::Frame { opcode, length, mask }
}

/// A Close with a code and words for people; masked where it goes to a server (RFC 6455 §5.3).
pub(crate) fn close(code: u16, words: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    // A control frame has 125 bytes at most, and two are the code.
    let mut end = words.len().min(123);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    let payload = [&code.to_be_bytes(), &words.as_bytes()[..end]].concat();
    let length = u8::try_from(payload.len()).unwrap_or(125);
    let mut frame = vec![0x80 | CLOSE, length | if mask.is_some() { 0x80 } else { 0 }];
    frame.extend(mask.iter().flatten());
    let mask = mask.unwrap_or_default();
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame as a peer would write it.
    fn frame(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let masked = if mask.is_some() { 0x80 } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..=125 => frame.push(masked | u8::try_from(length).unwrap()),
            length @ 126..=0xFFFF => {
                frame.push(masked | 0x7E);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                frame.push(masked | 0x7F);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(mask.iter().flatten());
        let mask = mask.unwrap_or_default();
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    proptest! {
        #[test]
        fn the_end_of_every_frame_is_found_however_the_bytes_are_cut(
            lengths in prop::collection::vec(prop_oneof![0_usize..200, 65_500_usize..65_600], 1..6),
            mask in any::<Option<[u8; 4]>>(),
            cut in 1_usize..70_000,
        ) {
            let frames: Vec<Vec<u8>> = lengths.iter().map(|length| frame(BINARY, &vec![7; *length], mask)).collect();
            let ends: Vec<usize> = frames.iter().scan(0, |at, frame| { *at += frame.len(); Some(*at) }).collect();
            let bytes = frames.concat();
            let (mut scanner, mut at, mut found) = (Scanner::default(), 0, Vec::new());
            while at < bytes.len() {
                let chunk = &bytes[at..bytes.len().min(at + cut)];
                at += scanner.pass_to_end_of_frame(chunk);
                if scanner.is_between_frames() {
                    found.push(at);
                }
            }
            prop_assert_eq!(found, ends);
        }

        #[test]
        fn a_close_is_read_as_it_was_written(code in 1000_u16..5000, words in ".{0,200}", mask in any::<Option<[u8; 4]>>(), cut in 0_usize..140) {
            let bytes = [frame(TEXT, b"before", mask), close(code, &words, mask)].concat();
            let mut scanner = Scanner::default();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            scanner.pass(first);
            scanner.pass(second);
            prop_assert_eq!(scanner.close(), Some(code));
            prop_assert!(scanner.is_between_frames());
        }

        #[test]
        fn whatever_comes_is_followed(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            Scanner::default().pass(&bytes);
        }
    }

    #[test]
    fn a_close_without_a_code_and_what_is_no_frame_are_told_apart() {
        let mut scanner = Scanner::default();
        scanner.pass(&[0x88, 0x00]);
        assert_eq!(scanner.close(), Some(NO_CODE));
        for bytes in [[0x83, 0x00], [0x88, 0x7E], [0x08, 0x00]] {
            let mut scanner = Scanner::default();
            scanner.pass(&bytes);
            scanner.pass(&[0x88, 0x00]);
            assert!(!scanner.is_between_frames() && scanner.close().is_none(), "{bytes:?}");
        }
    }
}
